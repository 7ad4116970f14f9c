"""`stn3dmm export`: a model or a fit in, a mesh that other programs open out."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stn3dmm.cli.console import MODEL_HELP, chosen_model, say, say_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from stn3dmm.fit_file import FitRecord
    from stn3dmm.morphable_model import MorphableModel


def export(
    source: Annotated[
        Path | None, typer.Argument(help="A fit, or a model, of which the mean face is written; else --model's.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="NAME.glb, NAME.obj or NAME.ply.")] = Path("face.glb"),
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    image: Annotated[
        Path | None, typer.Option("--image", "-i", help="The fitted photograph: flattened, it becomes the texture.")
    ] = None,
    texture: Annotated[
        Path | None, typer.Option("--texture", "-t", help="A flattened face, as flatten and average write it.")
    ] = None,
    mode: Annotated[
        list[str] | None, typer.Option("--mode", help="NAME=SIGMAS moves the face along a mode; repeatable.")
    ] = None,
    posed: Annotated[bool, typer.Option("--posed", help="Turned as in the photograph, not frontal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write a face as GLB (metres, opens in any viewer), OBJ or PLY (millimetres), with its texture.

    What the photograph does not show is filled from the mirrored side, else with the mean colour.

    Example: stn3dmm export results/portrait_fit.json --image portrait.jpg -o portrait.glb
    """
    from stn3dmm.files import check_kept
    from stn3dmm.mesh_export import export_mesh, exported_files

    if image is not None and texture is not None:
        raise ValueError("--image and --texture both name the texture; give one of them.")
    read = [path for path in (source, image, texture, model) if path is not None]
    check_kept(exported_files(output, textured=image is not None or texture is not None), read)
    record = _fit(source)
    if record is None:
        if source is not None and model is not None:
            raise ValueError(f"{source} is no fit, and --model names a model too; give one of them.")
        if image is not None or posed:
            raise ValueError("--image and --posed need a fit; make one with 'stn3dmm fit' and name it first.")
    morphable_model = chosen_model(model if record is not None or source is None else source)
    if record is not None:
        record.check_model(morphable_model)
    files = export_mesh(
        output,
        morphable_model,
        _coefficients(morphable_model, record, mode or []),
        texture=_texture(morphable_model, record, image, texture),
        rotation=_rotation(record) if record is not None and posed else None,
    )
    notes = []
    if record is not None and image is not None and Path(record.image).name != image.name:
        notes.append(f"{source} was made on {record.image}, and {image.name} gave the texture.")
    if as_json:
        say_json({"model": morphable_model.source, "files": [str(file) for file in files], "notes": notes})
        return
    say(f"{'Mean face' if record is None else record.image} -> {', '.join(map(str, files))}")
    for note in notes:
        say(f"Note: {note}")


def _fit(source: Path | None) -> FitRecord | None:
    from stn3dmm.fit_file import is_fit, load_fit

    if source is not None and not source.exists():
        raise FileNotFoundError(
            f"{source}: no such file or folder; expected a fit that 'stn3dmm fit' wrote, or a morphable model."
        )
    return load_fit(source) if source is not None and is_fit(source) else None


def _coefficients(model: MorphableModel, record: FitRecord | None, moves: list[str]) -> npt.NDArray[np.float64]:
    """alpha (K,): the fit's, or the mean face's, moved along the named modes."""
    import numpy as np

    alpha = np.zeros(model.mode_count) if record is None else record.theta[6:].copy()
    for move in moves:
        name, _, text = move.rpartition("=")
        if name not in model.mode_names:
            known = f"a mode of this model ({', '.join(model.mode_names[:4])}, ...)"
            if similar := _similar(name or text, model.mode_names):
                known += f", perhaps {similar}"
            raise ValueError(f"--mode must be NAME=SIGMAS with {known}; got {move!r}.")
        try:
            alpha[model.mode_names.index(name)] += float(text)
        except ValueError:
            raise ValueError(f"--mode {name} needs a number of standard deviations; got {text!r}.") from None
    return alpha


def _similar(name: str, known: tuple[str, ...]) -> str | None:
    """The mode whose name, with or without its kind, is most like this one."""
    full_names = {full.partition("/")[2]: full for full in reversed(known)} | {full: full for full in known}
    found = difflib.get_close_matches(name, full_names, n=1)
    return full_names[found[0]] if found else None


def _texture(
    model: MorphableModel, record: FitRecord | None, image: Path | None, texture: Path | None
) -> torch.Tensor | None:
    """(3, P, Q) in 0..1, or None without --image and --texture."""
    from stn3dmm.average import average_textures
    from stn3dmm.fitted_face import flatten_record
    from stn3dmm.flattening import as_batch
    from stn3dmm.formats.images import read_image

    if image is not None and record is not None:
        return average_textures(*flatten_record(read_image(image), image.name, model, record)).texture
    if texture is None:
        return None
    pixels = read_image(texture)
    if pixels.shape[:2] != model.grid_shape:
        P, Q = model.grid_shape
        H, W = pixels.shape[:2]
        raise ValueError(f"{texture}: {W} x {H} pixels; a flattened face of this model has {Q} x {P}.")
    return as_batch(pixels)[0]


def _rotation(record: FitRecord) -> npt.NDArray[np.float64]:
    import torch

    from stn3dmm_cuda import axis_angle_to_matrix

    matrix: npt.NDArray[np.float64] = axis_angle_to_matrix(torch.from_numpy(record.theta[None, :3].copy()))[0].numpy()
    return matrix
