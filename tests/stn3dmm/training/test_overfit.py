"""The question that the known port of the paper left open: does training on six photographs converge at all?"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import stn3dmm
import torch
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import collate, evaluation_stream
from stn3dmm.training import Progress, load_checkpoint, train
from stn3dmm.training.config import from_dict, to_dict
from stn3dmm.training.pairs import paired

STEPS = 220
PROCESSOR_SECONDS = 400.0  # a step of twelve images takes a tenth of one


def test_overfit(real_data: Path, tmp_path: Path) -> None:
    """The authors' six photographs with their mirror images, their Basel model, landmarks and prior, nothing else."""
    source = {"kind": "demodata", "path": str(real_data / "bas2017" / "demodata.mat")}
    config = from_dict(
        {
            "model": str(real_data / "bas2017" / "model.mat"),
            "data": {
                "sources": [source],
                "landmark_set": "aflw21",
                "workers": 0,
                "in_memory": True,
                "augmentation": dict.fromkeys(to_dict(from_dict({}))["data"]["augmentation"], 0.0),
            },
            "schedule": {"warmup": 10},
            "run": {"steps": STEPS, "batch_size": 6, "sample_every": 0, "log_every": 10},
        }
    )
    begun = time.process_time()

    def in_time(progress: Progress) -> None:
        assert time.process_time() - begun < PROCESSOR_SECONDS, f"{progress.step} steps only"

    checkpoint = load_checkpoint(train(config, tmp_path, device="cpu", watch=in_time))
    model = checkpoint.load_model()
    stream = evaluation_stream(open_source(**source, landmark_set="aflw21"), (224, 224), "aflw21")
    batch, _ = paired(collate([stream[index] for index in range(6)]), "mirror", "aflw21")
    with torch.no_grad():
        theta = checkpoint.build(model)(batch.image.float() / 255)
    points = stn3dmm.fitted_face.posed_points(model, theta)[:, model.landmarks["aflw21"], :2]
    distance = (points - batch.landmarks).norm(dim=-1)
    error = (distance * batch.visible).sum(dim=1) / batch.visible.sum(dim=1)
    assert float(error.mean()) <= 3.0
    assert float(error.max()) <= 4.0


@pytest.mark.parametrize("face", range(6))
def test_untrained_localiser_is_far_off(real_data: Path, basel: stn3dmm.MorphableModel, face: int) -> None:
    """What the test above starts from: the mean face in the middle."""
    source = open_source("demodata", real_data / "bas2017" / "demodata.mat", landmark_set="aflw21")
    batch = collate([evaluation_stream(source, (224, 224), "aflw21")[face]])
    theta = stn3dmm.localiser.mean_face_theta(basel, (224, 224))[None]
    points = stn3dmm.fitted_face.posed_points(basel, theta)[:, basel.landmarks["aflw21"], :2]
    distance = (points - batch.landmarks).norm(dim=-1)
    assert float((distance * batch.visible).sum() / batch.visible.sum()) > 6.0
