"""`stn3dmm prepare`: any morphable model in, a model on a texture grid out, with a report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from stn3dmm.cli.console import progress, say, say_json, say_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stn3dmm.morphable_mesh import MorphableMesh
    from stn3dmm.morphable_model import MorphableModel
    from stn3dmm.prepare import PrepareReport
    from stn3dmm.prepare.uv_embedding import Choice

OWN = "own"  # the value of --uv that means the mesh's texture coordinates
LARGEST_SIDE = 4096  # a model of 40 modes on a grid of this size takes 8 GB
STEPS = (
    "reading",
    "flattening",
    "locating the grid's vertices",
    "resampling",
    "measuring",
)  # the last four: prepare_model's


def prepare(
    source: Annotated[Path, typer.Argument(help="The model's file or folder, as docs/formats.md lists them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model to write, NAME.npz.")] = Path("model.npz"),
    expression: Annotated[
        Path | None, typer.Option("--expression", "-e", help="The file of expressions, if the model keeps them apart.")
    ] = None,
    size: Annotated[str, typer.Option(help="Vertices along each side of the grid, or ROWSxCOLUMNS.")] = "112",
    identity: Annotated[int, typer.Option(help="Identity modes to take, as far as there are so many.")] = 30,
    expressions: Annotated[int, typer.Option(help="Expression modes to take, as far as there are so many.")] = 10,
    weights: Annotated[
        str,
        typer.Option(
            help="Of the flattening: cotangent, mean-value, clamped, or auto: cotangent, and mean-value if it flips "
            "triangles."
        ),
    ] = "auto",
    uv: Annotated[
        str | None,
        typer.Option(
            help="Use this map instead of flattening: a file of UV coordinates, one pair a vertex (.mat, as "
            f"BFM_UV.mat, or .npy), or {OWN!r}: the mesh's texture coordinates."
        ),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option("--landmarks", "-l", help="Vertices of landmarks (.anl, .txt or JSON); published ones without."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="The part of the mesh, for models that name parts: full, narrow.")
    ] = None,
    authors_expressions: Annotated[
        bool,
        typer.Option(
            "--authors-expressions",
            help="BFM 2009: modes of expression as in the authors' model.mat, not times their standard deviations, and "
            "no mean expression.",
        ),
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", "-r", help="Folder for report.html, report.json and pictures.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Flatten a morphable model on its own mesh to the square and resample it on a texture grid.

    Writes a .npz that every --model and stn3dmm.load_model read. Holes are filled and marked not valid.

    Example: stn3dmm prepare FaceXModel --output ict.npz --report ict-report

    BFM 2009: stn3dmm prepare 01_MorphableModel.mat --expression Model_Expression.mat --uv BFM_UV.mat
    """
    grid_shape = _grid_shape(size)
    for name, count in (("--identity", identity), ("--expressions", expressions)):
        if count < 0:
            raise ValueError(f"{name} must be 0 or more modes; got {count}.")
    choice = _checked_weights(weights, uv)
    uv_file = None if uv in (None, OWN) else Path(str(uv))
    _check_output(output, report, [path for path in (source, expression, landmarks, uv_file) if path is not None])

    from stn3dmm.formats import read_mesh
    from stn3dmm.prepare.model import naming, prepare_model

    try:
        with progress(len(STEPS), "Preparing:") as step:
            step(STEPS[0])
            mesh = read_mesh(
                source,
                expression=expression,
                landmarks=landmarks,
                part=part,
                authors_expressions=authors_expressions,
            )
            coordinates = _coordinates(mesh, source, uv)
            with naming(source):
                model, result = prepare_model(
                    mesh.with_modes(identity, expressions), grid_shape, weights=choice, uv=coordinates, progress=step
                )
        files = _write(output, report, mesh, model, result)
    except MemoryError as error:
        raise ValueError(f"{source}: out of memory at --size {size}; take a smaller grid or fewer modes.") from error
    if as_json:
        say_json(_record(model, result) | {"files": [str(file) for file in files]})
        return
    from stn3dmm.prepare.page import summary

    say_table(model.source, summary(mesh, model, result))
    for note in result.notes:
        say(f"Note: {note}")
    say(f"-> {files[0]}" + (f", and {len(files) - 1} files in {report}; open {files[1]}" if report else ""))


def _grid_shape(size: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", size.strip().lower())
    P, Q = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if min(P, Q) < 2 or max(P, Q) > LARGEST_SIDE:
        raise ValueError(
            f"--size must be a number from 2 to {LARGEST_SIDE}, or two as in 112x96 (rows x columns); got {size!r}."
        )
    return P, Q


def _checked_weights(weights: str, uv: str | None) -> Choice:
    from stn3dmm.prepare.uv_embedding import Choice

    if weights not in get_args(Choice):
        raise ValueError(f"--weights must be one of {', '.join(get_args(Choice))}; got {weights!r}.")
    if uv is not None and weights != "auto":
        raise ValueError("--weights are for a map that is computed, and --uv gives one; leave out one of them.")
    return cast("Choice", weights)


def _check_output(output: Path, report: Path | None, inputs: list[Path]) -> None:
    """What can be told before the work begins."""
    from stn3dmm.files import check_kept, check_target

    if output.suffix.lower() != ".npz":
        raise ValueError(f"--output must be a .npz file; got {str(output)!r}.")
    files = [output, *([report / "report.html", report / "report.json"] if report is not None else [])]
    for file in files:
        check_target(file)
    check_kept(files, inputs)


def _coordinates(mesh: MorphableMesh, source: Path, uv: str | None) -> npt.NDArray[np.float64] | None:
    from stn3dmm.formats.uv_coordinates import read_uv

    if uv is None:
        return None
    if uv != OWN:
        return read_uv(uv, mesh.vertex_count)
    if mesh.uv is None:
        lack = "has no texture coordinates"
        if mesh.has_seam:
            lack = "has texture coordinates with a seam, where a vertex has two pairs, or one has none"
        raise ValueError(f"{source}: --uv {OWN}, but this mesh {lack}; leave --uv out to have them computed.")
    return mesh.uv


def _write(
    output: Path, folder: Path | None, mesh: MorphableMesh, model: MorphableModel, report: PrepareReport
) -> list[Path]:
    """The model, and with a folder the page, the numbers and the pictures there: all of them or none."""
    from stn3dmm.files import atomic_paths
    from stn3dmm.formats.images import write_png
    from stn3dmm.prepare.page import render_prepare_report
    from stn3dmm.prepare.pictures import OCCASIONAL, picture_names, pictures

    drawn = []
    if folder is not None:
        with progress(len(picture_names(mesh, model, report)), "Drawing:") as step:
            drawn = list(pictures(mesh, model, report, step))
    files = [output]
    stale: list[Path] = []
    if folder is not None:
        if (folder / "report.json").is_file():  # of an earlier run, which may have had pictures that this one lacks
            stale = [folder / f"{name}.png" for name in set(OCCASIONAL) - {each.name for each in drawn}]
        files += [folder / "report.html", folder / "report.json", *(folder / f"{each.name}.png" for each in drawn)]
    with progress(1, "Writing:") as step, atomic_paths(files) as temporaries:
        step(output.name)
        model.save(temporaries[0])
        if folder is not None:
            temporaries[1].write_text(render_prepare_report(mesh, model, report, drawn), encoding="utf-8")
            temporaries[2].write_text(json.dumps(_record(model, report), indent=1, allow_nan=False), encoding="utf-8")
        for picture, temporary in zip(drawn, temporaries[3:], strict=True):
            write_png(temporary, picture.pixels)
    for picture_file in stale:
        picture_file.unlink(missing_ok=True)
    return files


def _record(model: MorphableModel, report: PrepareReport) -> dict[str, Any]:
    """What came out, for programs."""
    return {
        "source": model.source,
        "licence": model.licence,
        "mode_names": list(model.mode_names),
        "landmark_vertices": {name: index.tolist() for name, index in model.landmarks.items()},
        "report": report.as_dict(),
    }
