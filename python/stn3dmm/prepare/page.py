"""The report of `stn3dmm prepare`: a table of what was read and what came out, and a page with pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.morphable_model import MorphableModel
from stn3dmm.report import data_uri, render_page

from .distortion import PERCENTILES
from .pictures import Picture
from .report import PrepareReport


def summary(mesh: MorphableMesh, model: MorphableModel, report: PrepareReport) -> list[tuple[str, str]]:
    """Names and values of what was read and what came out, for people.

    Args:
        mesh: as it was read, before modes were left out.
        model, report: what `prepare_model` made of it.
    """
    P, Q = model.grid_shape
    percentiles = ", ".join(map(str, PERCENTILES))
    rows = [
        ("read", f"{mesh.vertex_count:,} vertices, {len(mesh.triangles):,} triangles, {_modes(mesh.mode_names)}"),
        ("written", f"{P} x {Q} = {P * Q:,} vertices, {2 * (P - 1) * (Q - 1):,} triangles, {_modes(model.mode_names)}"),
        ("holes", _holes(report)),
        ("not valid", _invalid(report, P * Q)),
        ("weights", report.weights + (f", {report.split_edges} edges split" if report.split_edges else "")),
        ("flipped triangles", ", ".join(f"{count} ({kind})" for kind, count in report.flips.items())),
        ("angles", _distortion(report.distortion.angle, "larger stretch / smaller", percentiles)),
        ("areas", _distortion(report.distortion.area, "share of the map / of the surface", percentiles)),
        ("symmetry error", _symmetry(report)),
    ]
    rows += [(f"landmarks {name}", _moved(distance)) for name, distance in report.landmarks.items()]
    return [*rows, ("licence", model.licence)] if model.licence else rows


def render_prepare_report(
    mesh: MorphableMesh, model: MorphableModel, report: PrepareReport, pictures: list[Picture]
) -> str:
    """The page as HTML text, pictures embedded: no other file, no network. ``mesh`` is as for `summary`."""
    shown: list[dict[str, Any]] = [
        {
            "name": picture.name.replace("_", " "),
            "caption": picture.caption,
            "width": picture.pixels.shape[1],
            "uri": data_uri(picture.pixels),
        }
        for picture in pictures
    ]
    return render_page(
        "prepare.html",
        title="A morphable model on a texture grid",
        model=model,
        report=report,
        summary=summary(mesh, model, report),
        pictures=shown,
    )


def _modes(names: tuple[str, ...]) -> str:
    identity = sum(name.startswith("identity/") for name in names)
    return f"{identity} identity and {len(names) - identity} expression modes"


def _holes(report: PrepareReport) -> str:
    if not report.holes:
        return "none"
    each = ", ".join(f"{hole.boundary_vertices} vertices ({hole.perimeter:.0f} mm)" for hole in report.holes)
    return f"{len(report.holes)}, {'rims' if len(report.holes) > 1 else 'rim'} of {each}"


def _invalid(report: PrepareReport, vertices: int) -> str:
    where = f": {report.uncovered:,} outside the map, {report.invalid - report.uncovered:,} in holes"
    return f"{report.invalid:,} of {vertices:,} vertices{where if report.uncovered else ''}"


def _distortion(values: tuple[float, float, float], what: str, percentiles: str) -> str:
    return f"{', '.join(f'{value:.2f}' for value in values)} at {percentiles} % of the surface ({what}; 1 = kept)"


def _symmetry(report: PrepareReport) -> str:
    error = np.format_float_positional(report.shape_symmetry_error, precision=2, fractional=False, trim="-")
    shape = f"mean shape {error} mm"
    return f"map {report.uv_symmetry_error:.1g}, {shape}" if report.symmetric else f"map not symmetric, {shape}"


def _moved(distance: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    known = distance[np.isfinite(distance)]
    if len(known) == 0:
        return f"none of {len(distance)}"
    moved = f"moved {known.mean():.1f} mm on average, {known.max():.1f} mm at most"
    return f"{len(known)} of {len(distance)}, {moved}"
