"""report.html: everything about some fitted photographs in one self-contained file."""

from __future__ import annotations

import base64
import io
import platform
from typing import Any

import jinja2
import numpy as np
import torch
from PIL import Image

import stn3dmm
from stn3dmm import drawing
from stn3dmm.fitted_face import FittedFace
from stn3dmm.morphable_model import MorphableModel

MODES_SHOWN = 6


def render_report(
    title: str, model: MorphableModel, faces: list[FittedFace], training: dict[str, Any] | None = None
) -> str:
    """The report as HTML text, pictures embedded: no other file, no network.

    Args:
        title: of the page.
        model: that the faces were fitted with.
        faces: a section each.
        training: what `stn3dmm.demo.training.described` tells of a localiser's training; None: no such section.
    """
    return render_page(
        "report.html",
        title=title,
        model=model,
        faces=[_face(face) for face in faces],
        training=training,
        mean_error=float(np.mean([face.record.error for face in faces])) if faces else 0.0,
    )


def render_page(template: str, **content: Any) -> str:
    """A template of this package that extends page.html, as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stn3dmm", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    versions = f"stn3dmm-cuda {stn3dmm.__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}"
    return environment.get_template(template).render(versions=versions, **content)


def data_uri(pixels: drawing.Pixels) -> str:
    """A picture as a data: URI: JPEG for large colour pictures, PNG otherwise."""
    buffer = io.BytesIO()
    photographic = pixels.ndim == 3 and pixels.shape[0] * pixels.shape[1] > 200_000
    Image.fromarray(pixels).save(buffer, format="JPEG" if photographic else "PNG", quality=88)
    kind = "jpeg" if photographic else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _face(face: FittedFace) -> dict[str, Any]:
    pictures = face.pictures()
    H, W = face.record.image_size
    alpha = face.record.theta[6:]
    order = np.argsort(-np.abs(alpha), kind="stable")[:MODES_SHOWN]
    return {
        "name": face.name,
        "width": W,
        "height": H,
        "error": face.record.error,
        "normalised_error": 100 * face.normalised_error,
        "angles": face.angles,
        "scale": face.scale,
        "landmark_set": face.record.landmark_set,
        "landmarks_used": face.landmarks_used,
        "landmark_count": len(face.annotation.points),
        "seen": 100 * float(face.mask.mean()),
        "modes": [(face.record.mode_names[k], float(alpha[k])) for k in order],
        "pictures": {name: data_uri(pixels) for name, pixels in pictures.items()},
    }
