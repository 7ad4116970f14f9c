"""A morphable model on the mesh that it was published with: what the readers return and `prepare` flattens."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from stn3dmm.arguments import indices
from stn3dmm.morphable_model import LANDMARK_SETS


@dataclasses.dataclass(frozen=True, eq=False)
class MorphableMesh:
    """A linear shape model on a triangle mesh, in the project's conventions whatever its file used.

    Convention:
        Model frame: right-handed, x to the image's right, y up, z towards the viewer, millimetres. Triangles are wound
        counter-clockwise seen from outside. The basis is multiplied by the standard deviations, so that the prior on
        its coefficients is N(0, I); identity modes come first, each group in the order of its file, which is that of
        importance, or, where the file has no order, by size.
    """

    mean: npt.NDArray[np.float32]  # (V, 3) mm, the mean of the expressions included
    basis: npt.NDArray[np.float32]  # (K, V, 3) mm per standard deviation
    triangles: npt.NDArray[np.int64]  # (F, 3)
    mode_names: tuple[str, ...]  # (K,), "identity/..." or "expression/..."
    landmarks: dict[str, npt.NDArray[np.int64]]  # name -> vertex indices, -1 = no such vertex
    uv: npt.NDArray[np.float64] | None = None  # (V, 2) the file's own texture coordinates, v up
    has_seam: bool = False  # whether uv is None because not every vertex has one pair of texture coordinates
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "mean", np.ascontiguousarray(self.mean, dtype=np.float32))
        set_field(self, "basis", np.ascontiguousarray(self.basis, dtype=np.float32))
        set_field(self, "triangles", indices("MorphableMesh", "triangles", self.triangles))
        set_field(self, "mode_names", tuple(str(name) for name in self.mode_names))
        landmarks = {
            name: indices("MorphableMesh", f"landmarks[{name!r}]", index) for name, index in self.landmarks.items()
        }
        set_field(self, "landmarks", landmarks)
        if self.uv is not None:
            set_field(self, "uv", np.ascontiguousarray(self.uv, dtype=np.float64))
        self._check()

    def _check(self) -> None:
        V, K, F = len(self.mean), len(self.mode_names), len(self.triangles)
        expected = {"mean": (V, 3), "basis": (K, V, 3), "triangles": (F, 3), "uv": (V, 2)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise ValueError(
                    f"MorphableMesh: {name} must be {shape} for {V} vertices and {K} mode names; got {array.shape}."
                )
        if V == 0 or F == 0:
            raise ValueError(f"MorphableMesh: expected vertices and triangles; got {V} and {F}.")
        for name in ("mean", "basis", "uv"):
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                raise ValueError(f"MorphableMesh: {name} holds NaN or infinity; repair or drop these vertices first.")
        self._check_indices("triangles", self.triangles, 0)
        for name, index in self.landmarks.items():
            length = LANDMARK_SETS.get(name, len(index))
            if index.shape != (length,):
                raise ValueError(f"MorphableMesh: landmarks[{name!r}] must be ({length},); got {index.shape}.")
            self._check_indices(f"landmarks[{name!r}]", index, -1)

    def _check_indices(self, name: str, index: npt.NDArray[np.int64], least: int) -> None:
        V = len(self.mean)
        if index.size and (index.min() < least or index.max() >= V):
            raise ValueError(f"MorphableMesh: {name} must lie in {least}..{V - 1}; got {index.min()}..{index.max()}.")

    def __repr__(self) -> str:
        landmarks = ", ".join(self.landmarks) or "none"
        return (
            f"MorphableMesh({self.source!r}, {self.vertex_count} vertices, {len(self.triangles)} triangles, "
            f"{self.mode_count} modes, landmarks: {landmarks})"
        )

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.mean)

    @property
    def mode_count(self) -> int:
        """K."""
        return len(self.mode_names)

    def with_modes(self, identity: int | None = None, expressions: int | None = None) -> MorphableMesh:
        """The same mesh with the first so many modes of each kind; None keeps all, more than there are is no error."""
        wanted = {"identity/": identity, "expression/": expressions}
        keep: list[int] = []
        for prefix, count in wanted.items():
            if count is not None and count < 0:
                raise ValueError(f"MorphableMesh.with_modes: a number of modes cannot be negative; got {count}.")
            keep += [k for k, name in enumerate(self.mode_names) if name.startswith(prefix)][:count]
        return dataclasses.replace(self, basis=self.basis[keep], mode_names=tuple(self.mode_names[k] for k in keep))
