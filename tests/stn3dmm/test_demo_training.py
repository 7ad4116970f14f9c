"""The demonstration of training and of averaging."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stn3dmm
import torch
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from stn3dmm.demo.one_person import CONFIG, SEED, VIEWS, one_person
from stn3dmm.demo.training import TrainedDemo, demo_config, described, train_demo
from stn3dmm.evaluation.textures import texture_psnr
from stn3dmm.report import render_report
from stn3dmm.training import load_checkpoint
from typer.testing import CliRunner


class Oracle:
    """A localiser that knows the truth."""

    def __init__(self, config: SyntheticConfig, person: int) -> None:
        self.views = SyntheticFaces(config, SEED).views(person, VIEWS)
        self.model = stn3dmm.embedded_model()

    def localise(self, photographs: Sequence[Any], boxes: Sequence[Any]) -> torch.Tensor:
        shown = torch.from_numpy(np.stack(photographs)).permute(0, 3, 1, 2)
        assert torch.equal(shown, (self.views.image * 255).round().to(torch.uint8))
        return self.views.theta


@pytest.fixture(scope="module")
def short_demo(tmp_path_factory: pytest.TempPathFactory) -> TrainedDemo:
    """A training of seconds."""
    return train_demo(tmp_path_factory.mktemp("demo") / "localiser", demo_config(steps=60, photographs=64))


def test_demo_training_learns(short_demo: TrainedDemo) -> None:
    assert short_demo.evaluation.measured == 200
    assert np.abs(short_demo.evaluation.yaw).max() <= 60
    assert short_demo.evaluation.binned.mean < 0.8 * short_demo.untrained.mean()


def test_demo_training_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "localiser").mkdir()
    (tmp_path / "localiser" / "old.txt").write_text("old")
    train_demo(tmp_path / "localiser", demo_config(steps=2, photographs=16))
    assert load_checkpoint(tmp_path / "localiser").step == 2
    assert not (tmp_path / "localiser" / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["localiser"]


def test_demo_report_tells_of_the_training(short_demo: TrainedDemo, embedded: stn3dmm.MorphableModel) -> None:
    person = one_person(short_demo.localiser)
    training = described(short_demo, person)
    json.dumps({name: training[name] for name in training if name != "pictures"}, allow_nan=False)
    assert [row["name"] for row in training["rows"]] == ["0° to 30°", "30° to 60°", "all"]
    assert training["rows"][-1]["after"] == pytest.approx(100 * short_demo.evaluation.errors.mean())
    html = render_report("A title", embedded, [], training)
    assert html.count("<section>") == 2
    assert f"{person.mean_psnr:.1f} dB" in html


@pytest.mark.parametrize("person", [0, 1])
def test_the_mean_of_many_views_is_nearer_than_any(person: int) -> None:
    found = one_person(Oracle(CONFIG, person), person)  # type: ignore[arg-type]
    assert found.mean_psnr > found.best_view_psnr > found.median_view_psnr
    assert found.mean_psnr > 22
    assert found.picture.shape[1] > 1600


def test_texture_psnr_by_hand() -> None:
    truth = torch.tensor([[[[0.5, 0.1]], [[0.5, 0.1]], [[0.5, 0.1]]]])
    texture = truth.clone()
    texture[0, 0, 0, 1] = 0.6
    shown, hidden = torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 0.0]]]])
    gain = (0.5 * 0.5 + 0.6 * 0.1) / (0.5**2 + 0.6**2)
    error = ((gain * 0.5 - 0.5) ** 2 + (gain * 0.6 - 0.1) ** 2) / 6
    assert texture_psnr(texture, truth, shown).item() == pytest.approx(-10 * np.log10(error), abs=1e-3)
    texture[0, 0, 0, 1] = torch.nan
    assert texture_psnr(texture, truth, hidden).item() > 100
    assert texture_psnr(texture, truth, torch.zeros(1, 1, 1, 2)).isnan()


def test_demo_command_without_training(tmp_path: Path) -> None:
    from stn3dmm.cli import app

    result = CliRunner().invoke(app, ["demo", "--steps", "0", "--json", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["training"] is None
    assert not (tmp_path / "localiser").exists()
