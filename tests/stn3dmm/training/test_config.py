"""The configuration of a run: defaults, TOML, and one sentence for whatever does not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from stn3dmm.training import TrainConfig, read_config, write_config
from stn3dmm.training.config import SECTIONS, SourceConfig, from_dict, to_dict

ODD = {
    "model": "face.npz",
    "data": {
        "image_size": [96, 128],
        "pairs": "both",
        "sources": [{"kind": "aflw", "path": "a.sqlite", "options": {"images": "x"}}, {"kind": "synthetic"}],
        "augmentation": {"rotation": 3.0},
    },
    "localiser": {"name": "vgg-face", "frozen_trunk": True},
    "objective": {"symmetry": [[0.0, 0.0], [0.5, 20.0]], "visibility": "soft"},
    "optimiser": {"name": "sgd", "betas": [0.8, 0.9]},
    "schedule": {"name": "step", "every": 7},
    "run": {"steps": 9, "amp": "bf16", "batch_size": 6},
}


def test_config_survives_toml(tmp_path: Path) -> None:
    for config in (TrainConfig(), from_dict(ODD)):
        write_config(tmp_path / "run.toml", config)
        assert read_config(tmp_path / "run.toml") == config


def test_config_reads_every_section() -> None:
    config = from_dict(ODD)
    assert config.data.sources == (SourceConfig("aflw", "a.sqlite", {"images": "x"}), SourceConfig("synthetic"))
    assert config.data.image_size == (96, 128)
    assert config.data.augmentation.rotation == 3.0
    assert config.localiser.frozen_trunk
    assert config.objective.symmetry == ((0.0, 0.0), (0.5, 20.0))
    assert (config.optimiser.betas, config.schedule.every, config.run.amp) == ((0.8, 0.9), 7, "bf16")
    assert from_dict(to_dict(config)) == config


def test_config_refuses_unknown_names_in_every_section() -> None:
    sections = {field.name for field in dataclasses.fields(TrainConfig)} - {"model", "start", "data"}
    assert len(sections) == len(SECTIONS) - 2  # but for data and its sources
    for content in (
        {"stepz": 1},
        *({section: {"stepz": 1}} for section in sections),
        {"data": {"stepz": 1}},
        {"data": {"augmentation": {"stepz": 1}}},
        {"data": {"sources": [{"kind": "synthetic", "stepz": 1}]}},
    ):
        with pytest.raises(ValueError, match=r"there is no setting '[a-z.0-9]*stepz'") as raised:
            from_dict(content)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"run": {"steps": "many"}}, "run.steps: .*integer.*got 'many'"),
        ({"run": {"steps": True}}, "run.steps: .*integer; got True"),
        ({"run": {"steps": 10.5}}, "run.steps: .*integer; got 10.5"),
        ({"data": {"in_memory": 1}}, "data.in_memory: .*boolean; got 1"),
        ({"data": {"sources": 3}}, "data.sources: Input should be a valid array; got 3"),
        ({"data": {"sources": ["folder"]}}, "data.sources.0: Input should be a table; got 'folder'"),
        ({"objective": {"landmark": 0, "prior": [[0.0, 0.0], [1.0, 0.0]]}}, "every weight of the objective is 0"),
        ({"run": {"steps": 0}}, "run.steps must be at least 1; got 0"),
        ({"run": {"batch_size": 3}, "data": {"pairs": "identity"}}, "run.batch_size must be even"),
        ({"run": {"amp": "fp8"}}, "run.amp must be one of none, bf16; got 'fp8'"),
        ({"data": {"pairs": "none"}, "objective": {"siamese": 1}}, "objective.siamese compares pairs"),
        (
            {"objective": {"anchor": 0.02}},
            r"objective\.anchor holds .* set start to a checkpoint, or objective\.anchor = 0\.",
        ),
        ({"data": {"pairs": "twins"}}, "data.pairs must be one of"),
        ({"data": {"sources": []}}, "data.sources is empty"),
        ({"data": {"sources": [{"path": "x"}]}}, "data.sources.0.kind: .*required"),
        ({"data": {"image_size": [112]}}, "data.image_size"),
        ({"data": 3}, "data: .*"),
        ({"objective": {"symmetry": "often"}}, "objective.symmetry: .*number"),
        ({"objective": {"symmetry": -1.0}}, "objective.symmetry: weights must be finite"),
        ({"optimiser": {"betas": [0.9, 1.0]}}, "optimiser.betas must lie in"),
        ({"optimiser": {"learning_rate": float("nan")}}, "optimiser.learning_rate must be at least 0"),
        ({"schedule": {"name": "linear"}}, "schedule.name must be one of"),
        ({"localiser": {"name": "resnet"}}, "name must be"),
        ({"data": {"augmentation": {"mirror": 2.0}}}, "augmentation.mirror must lie in 0..1"),
    ],
)
def test_config_rejects(content: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        from_dict(content, "run.toml")
    assert str(raised.value).startswith("run.toml: ")
    assert "\n" not in str(raised.value)


def test_config_rejects_what_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("steps = = 3")
    with pytest.raises(ValueError, match=r"run\.toml: not a TOML file"):
        read_config(tmp_path / "run.toml")
    with pytest.raises(FileNotFoundError, match="expected the configuration"):
        read_config(tmp_path / "none.toml")
