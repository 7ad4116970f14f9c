"""Any morphable model on a texture grid: its mesh flattened on the unit square and resampled (docs/math.md#flattening).

The data's way: a mesh is checked (`topology`), its symmetry found (`symmetry`), its holes filled and its ears split
(`refinement`), its boundary laid on the square (`boundary`) and its inside between (`weights`, `uv_embedding`), or UV
coordinates are imported (`imported_uv`); then grid vertices are located in it (`resample`), the model sampled there
(`model`), landmarks moved (`landmarks`), and all of it measured (`distortion`, `report`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stn3dmm.lazy import lazily

if TYPE_CHECKING:
    from .model import prepare_model
    from .report import PrepareReport
    from .resample import resample_attributes
    from .topology import largest_part
    from .uv_embedding import Embedding, embed, flatten

__all__ = ["Embedding", "PrepareReport", "embed", "flatten", "largest_part", "prepare_model", "resample_attributes"]

# Loaded on first use: scipy's solvers and spatial trees cost more than a command that does not flatten should pay.
_HOMES = {
    "Embedding": "uv_embedding",
    "PrepareReport": "report",
    "embed": "uv_embedding",
    "flatten": "uv_embedding",
    "largest_part": "topology",
    "prepare_model": "model",
    "resample_attributes": "resample",
}
__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
