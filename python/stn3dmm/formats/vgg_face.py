"""The weights of VGG-Face (Parkhi, Vedaldi, Zisserman: Deep Face Recognition, BMVC 2015), as people have them.

VGG-Face is VGG-16: thirteen 3 x 3 convolutions in five blocks and the fully connected fc6, fc7 and fc8. fc8, which
tells 2,622 persons apart, is not read. The layout is recognised by what the file holds, never by its name:

MatConvNet (vgg-face.mat, MATLAB 5): a cell array `layers` of structs with a name and {filters, biases}, called
    `weights`, or `filters` and `biases` in older files; at the top or in a struct `net`. Filters are
    (height, width, in, out), fc6 being a convolution of 7 x 7. Channels red, green, blue; the mean colour is
    `averageImage` in `meta.normalization` or `normalization`, a colour or an image.
    Source: the converted model of MatConvNet and its examples/vggfaces/cnn_vgg_faces.m.
PyTorch, `conv1_1.weight` ... `fc7.bias` (vgg_face_dag.pth, converted from MatConvNet): red, green, blue.
    Source: Albanie's pytorch-models.
PyTorch, `conv_1_1.weight` ... (converted from the Torch 7 release VGG_FACE.t7), also with `features.` and `fc.` before
    the names: blue, green, red; the first convolution's channels are swapped here.
    Source: repositories prlz77/vgg-face.pytorch, chi0tzp/PyVGGFace.
PyTorch, `features.0.weight` ... `classifier.3.bias` (torchvision's VGG-16): taken as red, green, blue and, as all
    others, as made for colours in 0..255 less VGG-Face's mean. With 1,000 classes it is ImageNet's network and refused.

Where a file carries no mean colour, as those of PyTorch, that of the release is used. fc6 reads its 7 x 7 grid in the
order channel, row, column in PyTorch and row, column, channel in MatConvNet.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stn3dmm.files import existing_file
from stn3dmm.formats.matlab import read_matlab
from stn3dmm.formats.matlab_structures import cells, member, text
from stn3dmm.formats.state_dict import check_shapes, read_state_dict

WHAT = "the weights of VGG-Face (MatConvNet's vgg-face.mat or a state dict of PyTorch)"
BLOCKS = (2, 2, 3, 3, 3)  # convolutions
WIDTHS = (64, 128, 256, 512, 512)  # channels of each block
HIDDEN = 4096  # length of fc6 and fc7
GRID = 7  # rows and columns that fc6 reads
MEAN_COLOUR = (129.186279296875, 104.76238250732422, 93.59396362304688)  # red, green, blue in 0..255
IMAGENET_CLASSES = 1000

CONVOLUTIONS = tuple(f"conv{block}_{k}" for block, count in enumerate(BLOCKS, 1) for k in range(1, count + 1))
CONNECTED = ("fc6", "fc7")

_NAMED = re.compile(r"(?:^|\.)(?:conv(_?)([1-5])_([1-3])|fc_?([678]))(?:-conv)?\.(weight|bias)$")
_NUMBERED = re.compile(r"(?:^|\.)(features|classifier)\.(\d+)\.(weight|bias)$")


@dataclasses.dataclass(frozen=True, eq=False)
class VggFaceWeights:
    """Weights in PyTorch's layout, for colours in red, green, blue."""

    state: dict[str, torch.Tensor]  # "conv1_1.weight" (64, 3, 3, 3) ... "fc7.bias" (4096,), float32
    mean: torch.Tensor  # (3,) float32, red, green, blue in 0..255
    layout: str  # what the file was recognised as


def weight_shapes(widths: tuple[int, ...] = WIDTHS, hidden: int = HIDDEN) -> dict[str, tuple[int, ...]]:
    """The shape of each weight and bias, by name.

    Example:
        >>> weight_shapes()["fc6.weight"]
        (4096, 25088)
    """
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for name in CONVOLUTIONS:
        width = widths[int(name[4]) - 1]
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (width, channels, 3, 3), (width,)
        channels = width
    for name, length in zip(CONNECTED, (channels * GRID**2, hidden), strict=True):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (hidden, length), (hidden,)
    return shapes


def read_vgg_face(
    path: str | os.PathLike[str], widths: tuple[int, ...] = WIDTHS, hidden: int = HIDDEN
) -> VggFaceWeights:
    """Reads the weights of VGG-Face from a file of any of the layouts above.

    Args:
        path: the file.
        widths: channels of the five blocks; others than the release's for networks of the same form.
        hidden: length of fc6 and fc7.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or something else; it names the weights that are missing or misshapen.
    """
    file = existing_file(path, WHAT)
    with file.open("rb") as stream:
        matlab = stream.read(6) == b"MATLAB"
    state, mean, layout = _from_matconvnet(file) if matlab else _from_pytorch(file)
    shapes = weight_shapes(widths, hidden)
    for name, side in (("fc6.weight", GRID), ("fc7.weight", 1)):  # as the convolutions that they are
        if name in state and state[name].shape[2:] == (side, side):
            state[name] = state[name].flatten(1)
    check_shapes(state, shapes, file, f"VGG-Face (read as {layout})")
    return VggFaceWeights({name: state[name].float().contiguous() for name in shapes}, mean, layout)


Read = tuple[dict[str, torch.Tensor], torch.Tensor, str]


def _from_matconvnet(file: Path) -> Read:
    names = ("layers", "net", "meta", "normalization")
    content = read_matlab(file, WHAT, (), structures=names)
    layers = cells(content.get("layers", member(content.get("net"), "layers")))
    state = {}
    for layer in layers:
        name = text(member(layer, "name"))
        pair = cells(member(layer, "weights")) or [member(layer, "filters"), member(layer, "biases")]
        if name not in (*CONVOLUTIONS, *CONNECTED) or len(pair) != 2:
            continue
        if not all(isinstance(part, np.ndarray) and part.dtype.kind == "f" and part.ndim <= 4 for part in pair):
            raise ValueError(f"{file}: layer {name} of the network must hold filters and biases, of class single.")
        filters, biases = pair
        four = filters.reshape(filters.shape + (1,) * (4 - filters.ndim))  # MATLAB drops trailing sizes of 1
        state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(four.transpose(3, 2, 0, 1), np.float32))
        state[f"{name}.bias"] = torch.from_numpy(np.ascontiguousarray(biases.reshape(-1), np.float32))
    return state, _average_colour(content, file), "MatConvNet"


def _average_colour(content: Mapping[str, Any], file: Path) -> torch.Tensor:
    """The mean colour (3,) of a colour or an image (H, W, 3); the release's where the file has none."""
    for owner, path in (
        ("meta", ("normalization",)),
        ("normalization", ()),
        ("net", ("meta", "normalization")),
        ("net", ("normalization",)),
    ):
        average = member(content.get(owner), *path, "averageImage")
        if average is None or not getattr(average, "size", 0):
            continue
        if not isinstance(average, np.ndarray) or average.dtype.kind not in "fiu" or average.size % 3:
            raise ValueError(f"{file}: normalization.averageImage must be a colour or an image (H, W, 3).")
        colours = average.reshape(-1, 3) if average.ndim == 3 else average.reshape(1, -1)
        if colours.shape[1] != 3 or not np.isfinite(colours).all():
            raise ValueError(
                f"{file}: normalization.averageImage must be a colour or an image (H, W, 3) of finite numbers; got "
                f"{average.shape}."
            )
        return torch.from_numpy(colours.mean(axis=0, dtype=np.float64).astype(np.float32))
    return torch.tensor(MEAN_COLOUR)


def _from_pytorch(file: Path) -> Read:
    tensors = read_state_dict(file, WHAT)
    state, layout = _named(tensors), "PyTorch, conv1_1 ... fc7"
    if not state:
        state, layout = _numbered(tensors, file), "PyTorch, features.N and classifier.N"
    if any(match and match[1] for match in map(_NAMED.search, tensors)):
        layout = "PyTorch, conv_1_1 ... fc7, channels blue, green, red"
        if "conv1_1.weight" in state:
            state["conv1_1.weight"] = state["conv1_1.weight"].flip(1)
    # Files of `VggFaceTrunk` itself have the mean.
    means = [tensor for key, tensor in tensors.items() if key.split(".")[-1] == "mean" and tensor.shape == (3,)]
    return state, means[0].float() if means else torch.tensor(MEAN_COLOUR), layout


def _named(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state = {}
    for key, tensor in tensors.items():
        match = _NAMED.search(key)
        if match:
            _, block, k, connected, part = match.groups()
            state[f"fc{connected}.{part}" if connected else f"conv{block}_{k}.{part}"] = tensor
    return state


def _numbered(tensors: Mapping[str, torch.Tensor], file: Path) -> dict[str, torch.Tensor]:
    """The layers of torchvision's VGG-16, in their order."""
    numbers: dict[str, set[int]] = {"features": set(), "classifier": set()}
    found = {}
    for key, tensor in tensors.items():
        match = _NUMBERED.search(key)
        if match:
            part, number, kind = match[1], int(match[2]), match[3]
            numbers[part].add(number)
            found[part, number, kind] = tensor
    state: dict[str, torch.Tensor] = {}
    for part, names in (("features", CONVOLUTIONS), ("classifier", (*CONNECTED, "fc8"))):
        if len(numbers[part]) > len(names):
            raise ValueError(
                f"{file}: not VGG-Face: {part} has {len(numbers[part])} layers with weights, expected {len(names)}; "
                "VGG-16 with batch normalisation is another network."
            )
        for name, number in zip(names, sorted(numbers[part]), strict=False):
            kinds = [kind for kind in ("weight", "bias") if (part, number, kind) in found]
            state |= {f"{name}.{kind}": found[part, number, kind] for kind in kinds}
    if "fc8.weight" in state and len(state["fc8.weight"]) == IMAGENET_CLASSES:
        raise ValueError(
            f"{file}: not VGG-Face but a VGG-16 of ImageNet ({IMAGENET_CLASSES} classes), which wants other colours; "
            "use the localiser 'torchvision:vgg16' with it."
        )
    return state
