"""Faces fitted and flattened with 3D morphable models: what people run; the operators are `stn3dmm_cuda`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from stn3dmm.lazy import lazily

if TYPE_CHECKING:
    from stn3dmm.average import Average, average_textures
    from stn3dmm.embedded import embedded_model
    from stn3dmm.fit import Fit, fit_landmarks
    from stn3dmm.flattening import Flattened, flatten
    from stn3dmm.formats import load_model, read_mesh
    from stn3dmm.localised import TrainedLocaliser, load_localiser
    from stn3dmm.mesh_export import export_mesh
    from stn3dmm.morphable_mesh import MorphableMesh
    from stn3dmm.morphable_model import MorphableModel

try:
    __version__ = version("stn3dmm-cuda")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = [
    "Average",
    "Fit",
    "Flattened",
    "MorphableMesh",
    "MorphableModel",
    "TrainedLocaliser",
    "__version__",
    "average_textures",
    "embedded_model",
    "export_mesh",
    "fit_landmarks",
    "flatten",
    "load_localiser",
    "load_model",
    "read_mesh",
]

# Loaded on first use: `stn3dmm --help` and `stn3dmm doctor` must answer at once, and without the compiled operators.
_HOMES = {
    "Average": "average",
    "Fit": "fit",
    "Flattened": "flattening",
    "MorphableMesh": "morphable_mesh",
    "MorphableModel": "morphable_model",
    "TrainedLocaliser": "localised",
    "average_textures": "average",
    "embedded_model": "embedded",
    "export_mesh": "mesh_export",
    "fit_landmarks": "fit",
    "flatten": "flattening",
    "load_localiser": "localised",
    "load_model": "formats",
    "read_mesh": "formats",
}
__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
