"""Adapters of other rasterisers: their coordinates, and silence about none of them that is missing."""

from __future__ import annotations

import pytest
import torch

import stn3dmm_cuda
from benchmarks import rivals
from stn3dmm_cuda import Fragments


def points() -> torch.Tensor:
    """(1, 3, 3): the centres of the top-left and the bottom-right pixel of 4 x 2, and something nearer."""
    return torch.tensor([[[0.0, 0.0, -3.0], [3.0, 1.0, -3.0], [1.0, 0.0, 5.0]]])


def test_rivals_clip_space_by_hand() -> None:
    """Pixel centres lie half a pixel inside -1..1; the nearest vertex has the least z."""
    clip = rivals.clip_space(points(), (2, 4))
    assert clip[0, 0, :2].tolist() == pytest.approx([-0.75, -0.5])
    assert clip[0, 1, :2].tolist() == pytest.approx([0.75, 0.5])
    assert clip[0, 2, 2] < clip[0, 0, 2]
    assert clip[..., 2].abs().max() < 1
    assert (clip[..., 3] == 1).all()


def test_rivals_view_space_by_hand() -> None:
    """x to the left, y up, the shorter side 2 units; everything in front of the camera."""
    placed, high = rivals.view_space(points(), (2, 4))
    assert placed[0, 0, :2].tolist() == pytest.approx([1.5, 0.5])
    assert placed[0, 1, :2].tolist() == pytest.approx([-1.5, -0.5])
    assert (placed[..., 2] > 0).all()
    assert (high - placed[..., 2]).tolist()[0] == pytest.approx([-3.0, -3.0, 5.0])


def test_rivals_tell_why_they_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals.importlib.util, "find_spec", lambda name: None)
    drawn, absent = rivals.available(torch.device("cpu"))
    assert drawn == {}
    assert absent == {"nvdiffrast": "not installed", "pytorch3d": "not installed"}


def test_rivals_that_do_not_load_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> rivals.Rival:
        raise ImportError("built for another PyTorch")

    monkeypatch.setattr(rivals, "missing", lambda name, device: None)
    monkeypatch.setattr(rivals, "MAKERS", {"broken": broken})
    drawn, absent = rivals.available(torch.device("cpu"))
    assert drawn == {}
    assert absent == {"broken": "it does not load: ImportError: built for another PyTorch"}


def test_rivals_see_by_a_z_buffer() -> None:
    """A triangle hides the vertex that lies behind it, and shows its own corners."""
    corners = [[1.0, 1.0, 0.0], [14.0, 1.0, 0.0], [1.0, 14.0, 0.0]]
    placed = torch.tensor([[*corners, [4.0, 4.0, -9.0], [14.0, 14.0, -9.0]]])
    faces = torch.tensor([[0, 1, 2]])

    def draw(points: torch.Tensor, faces: torch.Tensor, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        drawn: Fragments = stn3dmm_cuda.rasterize(points, faces, size)
        return drawn.face, torch.where(drawn.face >= 0, drawn.depth, -torch.inf)

    (mask,) = rivals.seen(draw, (16, 16), 1.0)(placed, faces)
    assert mask.tolist() == [[1, 1, 1, 0, 1]]
