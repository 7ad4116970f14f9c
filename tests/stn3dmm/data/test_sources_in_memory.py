"""Data sets kept in memory, and data sets of which only some faces are labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from stn3dmm.data.faces import Face
from stn3dmm.data.sources import JoinedFaces, SyntheticSource
from stn3dmm.data.sources.partly_labelled import PartlyLabelled
from stn3dmm.data.sources.pooled import PooledFaces
from stn3dmm.data.stream import FaceStream, evaluation_stream
from stn3dmm.data.synthetic import SyntheticConfig


class Counted:
    """Twenty grey photographs that know how often they were read; those at ``damaged`` cannot be."""

    landmark_set = "aflw21"
    left_out = ("photograph 20: no landmark is given.",)

    def __init__(self, damaged: Sequence[int] = ()) -> None:
        self.reads, self.damaged = 0, set(damaged)

    def __len__(self) -> int:
        return 20

    @property
    def identities(self) -> np.ndarray:
        return np.arange(20) // 4

    def faces(self, indices: Sequence[int]) -> list[Face]:
        self.reads += len(indices)
        for index in self.damaged.intersection(indices):
            raise ValueError(f"photograph {index}: a damaged picture.")
        return [
            Face(
                image=np.full((32, 32, 3), index, dtype=np.uint8),
                landmarks=np.full((21, 2), index) + np.arange(42).reshape(21, 2) % 5,
                visible=np.ones(21, dtype=bool),
                box=None,
                identity=index // 4,
                yaw=None,
                name=str(index),
            )
            for index in indices
        ]


def test_pooled_faces_are_those_of_the_source() -> None:
    source = SyntheticSource("aflw21", SyntheticConfig(image_size=(32, 32), grid_shape=(32, 32), length=5), seed=3)
    told: list[int] = []
    for workers in (0, 2):
        pooled = PooledFaces(source, workers, told.append)
        assert (len(pooled), pooled.landmark_set) == (5, "aflw21")
        assert pooled.identities.tolist() == source.identities.tolist()
        for kept, drawn in zip(pooled.faces([4, 0]), source.faces([4, 0]), strict=True):
            assert np.array_equal(kept.image, drawn.image)
            assert np.array_equal(kept.landmarks, drawn.landmarks)
            assert (kept.name, kept.framed) == (drawn.name, False)
    assert sum(told) == 10


def test_pooled_faces_are_read_once() -> None:
    source = Counted()
    pooled = PooledFaces(source)
    for _ in range(3):
        assert [face.name for face in pooled.faces(range(20))] == [str(index) for index in range(20)]
    assert source.reads == 20


@pytest.mark.parametrize("workers", [0, 2])
def test_pooled_faces_keep_what_is_damaged_as_the_source_does(workers: int) -> None:
    """A stream skips it or stops at it, whether the faces are in memory or not."""
    pooled = PooledFaces(Counted(damaged=[7, 18]), workers)
    assert len(pooled) == 20
    assert [face.name for face in pooled.faces([6, 8])] == ["6", "8"]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^photograph 7: a damaged picture\.$"):
            pooled.faces([6, 7])
    evaluation = evaluation_stream(pooled, (8, 8), "aflw21").__getitems__(range(20))
    damage = {int(sample.number): sample.damage for sample in evaluation if sample.damage}
    assert damage == {7: "photograph 7: a damaged picture.", 18: "photograph 18: a damaged picture."}
    with pytest.raises(ValueError, match="photograph 7: a damaged picture"):
        FaceStream(pooled, (8, 8), "aflw21", on_damage="stop").__getitems__(range(20))


def test_what_was_left_out_is_known_through_every_wrapping() -> None:
    for source in (PooledFaces(Counted()), PartlyLabelled(Counted(), 0.5), JoinedFaces([Counted()])):
        assert list(source.left_out) == list(Counted.left_out)
    assert JoinedFaces([Counted(), Counted()]).left_out == [*Counted.left_out] * 2


def test_partly_labelled_keeps_the_share_and_the_box() -> None:
    partly = PartlyLabelled(Counted(), 0.3, seed=1)
    faces = partly.faces(range(20))
    assert partly.labelled.sum() == 6
    assert [face.landmarks is not None for face in faces] == partly.labelled.tolist()
    for index, face in enumerate(faces):
        if face.landmarks is None:
            assert face.visible is None
            assert face.box == (index, index, index + 4, index + 4)
        else:
            assert face.box is None


def test_partly_labelled_depends_on_the_seed_alone() -> None:
    first, again, other = (PartlyLabelled(Counted(), 0.5, seed=seed).labelled.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert PartlyLabelled(Counted(), 1.0).labelled.all()
    assert not PartlyLabelled(Counted(), 0.0).labelled.any()
    with pytest.raises(ValueError, match=r"share must lie in 0\.\.1; got 1\.5"):
        PartlyLabelled(Counted(), 1.5)
