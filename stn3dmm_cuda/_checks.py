"""The shared vocabulary of argument checks: every message names operator, argument, expectation, fact and remedy."""

from __future__ import annotations

import math

import torch

from . import _library
from ._registration import AUTOCAST_DEVICES

COORDINATES = frozenset((torch.float32, torch.float64))
HALF_IMAGES = (torch.float16, torch.bfloat16)


def tensors(operator: str, **arguments: torch.Tensor) -> None:
    """Every argument is a tensor, all on one device, which the operators can run on."""
    first = next(iter(arguments))
    for name, tensor in arguments.items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(
                f"{operator}: {name} must be a torch.Tensor; got {type(tensor).__name__}. Use torch.as_tensor({name})."
            )
        device = arguments[first].device
        if tensor.device != device:
            raise ValueError(
                f"{operator}: {name} must be on {device} as {first} is; got {tensor.device}. "
                f"Use {name}.to({first}.device)."
            )
    device = arguments[first].device
    if device.type == "cuda" and not _library.CUDA_LOADED:
        reason, remedy = _library.why_no_cuda()
        raise RuntimeError(
            f"{operator}: the tensors are on {device}, but {reason}. Move them with .cpu(), or {remedy}."
        )


def coordinates(operator: str, **arguments: torch.Tensor) -> None:
    """`tensors`, and all in one dtype, float32 or float64, as they are or as autocast makes them."""
    tensors(operator, **arguments)
    first = next(iter(arguments))
    dtypes = {tensor.dtype for tensor in arguments.values()}
    if len(dtypes) == 1 and dtypes.issubset(COORDINATES):
        return
    for name, tensor in arguments.items():
        if not tensor.is_floating_point():
            raise TypeError(f"{operator}: {name} must be floating; got {tensor.dtype}. Use {name}.float().")
        if _cast(tensor) not in COORDINATES:
            raise TypeError(f"{operator}: {name} must be float32 or float64; got {tensor.dtype}. Use {name}.float().")
        if _cast(tensor) != _cast(arguments[first]):
            raise TypeError(
                f"{operator}: {name} must be {arguments[first].dtype} as {first} is; got {tensor.dtype}. "
                f"Use {name}.to({first}.dtype)."
            )


def _cast(tensor: torch.Tensor) -> torch.dtype:
    """The dtype in which an operator sees the tensor: under autocast float32, but for float64, which it leaves."""
    kind = tensor.device.type
    if kind in AUTOCAST_DEVICES and torch.is_autocast_enabled(kind) and tensor.dtype != torch.float64:
        return torch.float32
    return tensor.dtype


def image(operator: str, image: torch.Tensor, name: str, like: torch.Tensor) -> None:
    """An image (B, C, H, W) whose dtype goes with the coordinates `like`, called `name`."""
    tensors(operator, image=image, **{name: like})
    if image.ndim != 4 or image.shape[2] == 0 or image.shape[3] == 0:
        raise ValueError(
            f"{operator}: image must be (B, C, H, W) with at least one pixel; got {_tuple(image)}. "
            "Add a batch dimension with image[None] if it has none."
        )
    if not image.is_floating_point():
        raise TypeError(f"{operator}: image must be floating; got {image.dtype}. Use image.float() / 255.")
    if image.dtype == like.dtype:
        return
    if _cast(image) != _cast(like) and not (image.dtype in HALF_IMAGES and _cast(like) == torch.float32):
        raise TypeError(
            f"{operator}: image must be {like.dtype} as {name} is (or float16 or bfloat16 with float32 {name}); "
            f"got {image.dtype}. Use image.to({name}.dtype)."
        )


def shape(
    operator: str, name: str, tensor: torch.Tensor, pattern: str, expected: tuple[int | None, ...], like: str = ""
) -> None:
    """The tensor has the expected sizes, None being free; pattern is how the documentation writes them."""
    if tensor.ndim == len(expected) and all(
        want is None or got == want for got, want in zip(tensor.shape, expected, strict=True)
    ):
        return
    names = [part.strip() for part in pattern.strip("()").split(",") if part.strip()]
    known = [f"{n} = {want}" for n, want in zip(names, expected, strict=True) if want is not None and not n.isdigit()]
    sizes = f" with {', '.join(dict.fromkeys(known))}" if known else ""
    origin = f" as in {like}" if like and known else ""
    remedy = f" Add a batch dimension with {name}[None]." if tensor.ndim == len(expected) - 1 else ""
    raise ValueError(f"{operator}: {name} must be {pattern}{sizes}{origin}; got {_tuple(tensor)}.{remedy}")


def points(operator: str, tensor: torch.Tensor) -> None:
    """Points (B, N, 2) or (B, N, 3)."""
    if tensor.ndim != 3 or tensor.shape[2] not in (2, 3):
        raise ValueError(
            f"{operator}: points must be (B, N, 2) or (B, N, 3); got {_tuple(tensor)}. "
            "Add a batch dimension with points[None] if it has none."
        )


def faces(operator: str, points: torch.Tensor, faces: torch.Tensor) -> None:
    """Faces (F, 3), or (B, F, 3) for points (B, N, 3), of integers."""
    tensors(operator, points=points, faces=faces)
    if faces.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"{operator}: faces must be int32 or int64; got {faces.dtype}. Use faces.long().")
    B = points.shape[0]
    per_image = faces.ndim == 3 and faces.shape[0] == B
    if not (faces.ndim == 2 or per_image) or faces.shape[-1] != 3:
        raise ValueError(
            f"{operator}: faces must be (F, 3) or (B, F, 3) with B = {B} as in points; got {_tuple(faces)}."
        )


def grid_shape(operator: str, value: tuple[int, int], N: int) -> tuple[int, int]:
    """(P, Q) with P Q = N."""
    P, Q = pair(operator, "grid_shape", value)
    if P * Q != N:
        raise ValueError(f"{operator}: grid_shape must be (P, Q) with P Q = N = {N}; got {(P, Q)}.")
    return P, Q


def pair(operator: str, name: str, value: tuple[int, int]) -> tuple[int, int]:
    """Two sizes of 0 or more."""
    if not isinstance(value, (tuple, list, torch.Size)) or len(value) != 2:
        raise ValueError(f"{operator}: {name} must be two sizes (rows, columns); got {value!r}.")
    first, second = value
    if not (isinstance(first, (int, torch.SymInt)) and isinstance(second, (int, torch.SymInt))):
        raise TypeError(f"{operator}: {name} must be two integers (rows, columns); got {value!r}.")
    if first < 0 or second < 0:
        raise ValueError(f"{operator}: {name} must hold sizes of 0 or more; got {(first, second)}.")
    return first, second


def choice(operator: str, name: str, value: str, choices: tuple[str, ...]) -> None:
    """One of some words."""
    if value not in choices:
        raise ValueError(f"{operator}: {name} must be one of {', '.join(map(repr, choices))}; got {value!r}.")


def finite(operator: str, **arguments: float) -> None:
    """Numbers that are neither NaN nor infinite."""
    for name, value in arguments.items():
        if not isinstance(value, (int, float)):
            raise TypeError(f"{operator}: {name} must be a number of pixels; got {value!r}.")
        if not math.isfinite(value):
            raise ValueError(f"{operator}: {name} must be a finite number of pixels; got {value}.")


def positive(operator: str, **arguments: float) -> None:
    """Numbers above 0."""
    for name, value in arguments.items():
        if not value > 0:
            raise ValueError(f"{operator}: {name} must be more than 0 pixels; got {value}.")


def _tuple(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
