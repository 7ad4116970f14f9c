"""The morphable model: mean shape, modes of variation and texture grid, in the project's conventions."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stn3dmm.files import atomic_path

FILE_VERSION = 1
LANDMARK_SETS = {"aflw21": 21, "ibug68": 68}


@dataclasses.dataclass(frozen=True, eq=False)
class MorphableModel:
    """A linear shape model sampled on a P x Q texture grid.

    Convention:
        Model frame: right-handed, x to the image's right, y up, z towards the viewer, millimetres.
        Vertex ``k = row * Q + column``; row 0 at the forehead, column 0 at the image's left. The grid is
        left-right symmetric about its middle columns: mirroring a face is flipping its columns.
        The basis is stored multiplied by the standard deviations, so that the prior on alpha is N(0, I).
    """

    mean: npt.NDArray[np.float32]  # (N, 3) mm
    basis: npt.NDArray[np.float32]  # (K, N, 3) mm per standard deviation
    grid_shape: tuple[int, int]  # (P, Q)
    valid: npt.NDArray[np.bool_]  # (N,) False where a hole was filled
    mode_names: tuple[str, ...]  # (K,), "identity/..." or "expression/..."
    landmarks: dict[str, npt.NDArray[np.int64]]  # name -> vertex indices, -1 = no such vertex
    source: str = ""
    licence: str = ""
    version: int = FILE_VERSION

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "mean", np.ascontiguousarray(self.mean, dtype=np.float32))
        set_field(self, "basis", np.ascontiguousarray(self.basis, dtype=np.float32))
        set_field(self, "grid_shape", (int(self.grid_shape[0]), int(self.grid_shape[1])))
        set_field(self, "valid", np.ascontiguousarray(self.valid, dtype=bool))
        set_field(self, "mode_names", tuple(str(name) for name in self.mode_names))
        landmarks = {name: np.ascontiguousarray(index, dtype=np.int64) for name, index in self.landmarks.items()}
        set_field(self, "landmarks", landmarks)
        self._check()

    def _check(self) -> None:
        N = self.grid_shape[0] * self.grid_shape[1]
        K = len(self.mode_names)
        expected = {"mean": (N, 3), "basis": (K, N, 3), "valid": (N,)}
        for name, shape in expected.items():
            got = getattr(self, name).shape
            if got != shape:
                raise ValueError(
                    f"MorphableModel: {name} must be {shape} for the grid {self.grid_shape} and {K} mode names; "
                    f"got {got}."
                )
        for name in ("mean", "basis"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"MorphableModel: {name} holds NaN or infinity; repair or drop these vertices first.")
        for name, index in self.landmarks.items():
            length = LANDMARK_SETS.get(name, len(index))
            if index.shape != (length,):
                raise ValueError(f"MorphableModel: landmarks[{name!r}] must be ({length},); got {index.shape}.")
            if len(index) and (index.min() < -1 or index.max() >= N):
                raise ValueError(f"MorphableModel: landmarks[{name!r}] must lie in -1..{N - 1} (-1 = no such vertex).")

    def __repr__(self) -> str:
        P, Q = self.grid_shape
        landmarks = ", ".join(self.landmarks) or "none"
        return f"MorphableModel({self.source!r}, grid {P} x {Q}, {self.mode_count} modes, landmarks: {landmarks})"

    @property
    def vertex_count(self) -> int:
        """N = P Q."""
        return self.grid_shape[0] * self.grid_shape[1]

    @property
    def mode_count(self) -> int:
        """K."""
        return len(self.mode_names)

    def shape(self, alpha: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The vertices (N, 3) in millimetres of the face with shape coefficients alpha (K,).

        Coefficients beyond float32 give vertices that are not finite.
        """
        with np.errstate(over="ignore"):
            coefficients = np.asarray(alpha, dtype=np.float32)
        if coefficients.shape != (self.mode_count,):
            raise ValueError(f"MorphableModel.shape: alpha must be ({self.mode_count},); got {coefficients.shape}.")
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.mean + np.tensordot(coefficients, self.basis, axes=1), dtype=np.float32)

    def tensors(
        self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(mean (N, 3), basis (K, N, 3)) as tensors, ready for the operators."""
        return torch.tensor(self.mean, device=device, dtype=dtype), torch.tensor(self.basis, device=device, dtype=dtype)

    def landmark_indices(self, landmarks: str | npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The vertex indices (L,) of a landmark set by name ("aflw21", "ibug68"), or of an array as it is."""
        if not isinstance(landmarks, str):
            return np.asarray(landmarks, dtype=np.int64)
        if landmarks not in self.landmarks:
            known = ", ".join(sorted(self.landmarks)) or "none"
            again = "Prepare it again with --landmarks FILE, or pass" if landmarks in LANDMARK_SETS else "Pass"
            raise ValueError(
                f"This model ({self.source or 'unnamed'}) has no landmarks {landmarks!r}; it has {known}. "
                f"{again} vertex indices."
            )
        return self.landmarks[landmarks]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model as .npz (no pickles), atomically."""
        arrays: dict[str, Any] = {
            "mean": self.mean,
            "basis": self.basis,
            "grid_shape": np.array(self.grid_shape, dtype=np.int64),
            "valid": self.valid,
            "mode_names": np.array(self.mode_names, dtype=np.str_),
            "landmarks": np.array(json.dumps({name: index.tolist() for name, index in self.landmarks.items()})),
            "source": np.array(self.source),
            "licence": np.array(self.licence),
            "version": np.array(self.version, dtype=np.int64),
        }
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MorphableModel:
        """Reads a model that `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            missing = {field.name for field in dataclasses.fields(cls)} - set(file.files)
            if missing:
                raise ValueError(f"{path}: not a stn3dmm model: it lacks {', '.join(sorted(missing))}.")
            version = int(file["version"])
            if version > FILE_VERSION:
                raise ValueError(f"{path}: file version {version} is newer than this program; upgrade stn3dmm-cuda.")
            landmarks = json.loads(str(file["landmarks"]))
            return cls(
                mean=file["mean"],
                basis=file["basis"],
                grid_shape=(int(file["grid_shape"][0]), int(file["grid_shape"][1])),
                valid=file["valid"],
                mode_names=tuple(file["mode_names"].tolist()),
                landmarks={name: np.array(index, dtype=np.int64) for name, index in landmarks.items()},
                source=str(file["source"]),
                licence=str(file["licence"]),
                version=version,
            )
