"""Any shapes, dtypes and devices: the documented result, or an error that names the operator; never a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

import stn3dmm_cuda
from stn3dmm_cuda import _library

from .backends import Backend

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.bool]
# Mostly what fits: an operator of four arguments would otherwise never be reached.
dtypes = st.sampled_from([torch.float32] * 20 + DTYPES)
sizes = st.integers(0, 3)

# Letters are sizes drawn once a call, numbers themselves.
PATTERNS: dict[str, dict[str, str]] = {
    "pose": {"theta": "BD"},
    "axis_angle_to_matrix": {"r": "B3"},
    "vertices": {"alpha": "BK", "mean": "N3", "basis": "KN3"},
    "project": {"vertices": "BN3", "rotation": "B33", "translation": "B2", "scale": "B"},
    "grid": {"points": "BN3"},
    "sample": {"image": "BCHW", "points": "BN3"},
    "visibility": {"points": "BN3", "faces": "F3"},
    "rasterize": {"points": "BN3", "faces": "F3"},
    "warp": {"image": "BCHW", "theta": "BD", "mean": "N3", "basis": "KN3", "landmarks": "L", "valid": "N"},
    "symmetry_loss": {"texture": "BCHW", "mask": "B1HW"},
    "siamese_loss": {"texture_a": "BCHW", "mask_a": "B1HW", "texture_b": "BCHW", "mask_b": "B1HW"},
}
OTHER_DTYPES = {"faces": torch.int64, "landmarks": torch.int64, "valid": torch.bool}
RESULTS: dict[str, Callable[[dict[str, int]], list[tuple[int, ...]]]] = {
    "pose": lambda s: [(s["B"], 3, 3), (s["B"], 2), (s["B"],), (s["B"], s["D"] - 6)],
    "axis_angle_to_matrix": lambda s: [(s["B"], 3, 3)],
    "vertices": lambda s: [(s["B"], s["N"], 3)],
    "project": lambda s: [(s["B"], s["N"], 3)],
    "grid": lambda s: [(s["B"], 1, s["N"], 2)],
    "sample": lambda s: [(s["B"], s["C"], s["N"])],
    "visibility": lambda s: [(s["B"], s["N"])],
    "rasterize": lambda s: [(s["B"], 4, 5), (s["B"], 4, 5, 3), (s["B"], 4, 5)],
    "warp": lambda s: [(s["B"], s["C"], 1, s["N"]), (s["B"], 1, 1, s["N"]), (s["B"], s["L"], 2)],
    "symmetry_loss": lambda s: [()],
    "siamese_loss": lambda s: [()],
}


@st.composite
def calls(draw: st.DrawFn, operator: str) -> tuple[dict[str, torch.Tensor], dict[str, int], bool]:
    """Arguments, the sizes they were made for, and whether none was spoilt."""
    known = {letter: draw(sizes) for letter in "BCHWNKFL"} | {str(digit): digit for digit in range(4)}
    known["D"] = 6 + known["K"]
    arguments, sound = {}, True
    spoilt = draw(st.sampled_from([None, *PATTERNS[operator]]))
    for name, pattern in PATTERNS[operator].items():
        shape = [known[letter] for letter in pattern]
        dtype = OTHER_DTYPES.get(name, torch.float32)
        if name == spoilt:
            wrong_shape, wrong_dtype = draw(st.lists(st.integers(0, 8), max_size=5)), draw(dtypes)
            sound = sound and wrong_shape == shape and wrong_dtype == dtype
            shape, dtype = wrong_shape, wrong_dtype
        arguments[name] = torch.ones(shape, dtype=dtype)
    return arguments, known, sound and ("W" not in "".join(PATTERNS[operator].values()) or known["H"] * known["W"] > 0)


def run(operators: Any, operator: str, arguments: dict[str, torch.Tensor], N: int) -> list[torch.Tensor]:
    options: dict[str, Any] = {}
    if operator in ("grid", "warp"):
        options["grid_shape"] = (1, N)
    if operator in ("grid", "rasterize"):
        options["image_size"] = (4, 5)
    result = getattr(operators, operator)(**arguments, **options)
    return [result] if isinstance(result, torch.Tensor) else list(result)


@pytest.mark.parametrize("operator", list(PATTERNS))
@settings(max_examples=150)
@given(data=st.data())
def test_operators_return_what_is_documented_or_reject(backend: Backend, operator: str, data: st.DataObject) -> None:
    arguments, known, sound = data.draw(calls(operator))
    moved = {name: argument.to(backend.device) for name, argument in arguments.items()}
    complaint = ""
    try:
        results = run(backend.operators, operator, moved, known["N"])
    except (ValueError, TypeError) as error:
        complaint = str(error)
    if complaint:
        assert not sound, complaint
        assert complaint.startswith(f"{operator}: ")
        assert any(name in complaint for name in (*arguments, "grid_shape")), complaint
    elif sound:
        assert [tuple(result.shape) for result in results] == RESULTS[operator](known)


@pytest.mark.parametrize("operator", list(PATTERNS))
@settings(max_examples=50)
@given(data=st.data())
def test_operators_agree_with_their_fake_kernels(backend: Backend, operator: str, data: st.DataObject) -> None:
    """On the meta device: the same shapes and dtypes, or an error here and there."""
    arguments, known, _ = data.draw(calls(operator))
    outcomes = []
    for device in (backend.device, torch.device("meta")):
        moved = {name: argument.to(device) for name, argument in arguments.items()}
        try:
            outcomes.append([(tuple(r.shape), r.dtype) for r in run(backend.operators, operator, moved, known["N"])])
        except (ValueError, TypeError):
            outcomes.append([])
    assert outcomes[0] == outcomes[1]


def fake_arguments(operator: str, devices: dict[str, str], elsewhere: str) -> dict[str, torch.Tensor]:
    """Under FakeTensorMode, which has CUDA tensors on every machine."""
    known = {letter: 2 for letter in "BCHWNKFL"} | {str(digit): digit for digit in range(4)} | {"D": 8}
    return {
        name: torch.ones(
            [known[letter] for letter in pattern],
            dtype=OTHER_DTYPES.get(name),
            device=devices.get(name, elsewhere),
        )
        for name, pattern in PATTERNS[operator].items()
    }


# Why the CUDA library is not loaded: PyTorch's CUDA version, the error, and the sentence that a user gets.
ABSENCES = {
    "cpu_pytorch": (None, None, r"PyTorch \S+ is built without CUDA\. Move them .* install a CUDA build of PyTorch\.$"),
    "not_built": (
        "12.8",
        None,
        r"stn3dmm_cuda was built without its CUDA library\. Move them .*STN3DMM_WITH_CUDA=1\.$",
    ),
    "not_loaded": (
        "12.8",
        "no symbol",
        r"the CUDA library of stn3dmm_cuda cannot be loaded \(no symbol\)\. Move them .*\.$",
    ),
}


@pytest.mark.parametrize("operator", list(PATTERNS))
@pytest.mark.parametrize("absence", list(ABSENCES))
def test_operators_reject_cuda_tensors_without_cuda_kernels(
    monkeypatch: pytest.MonkeyPatch, operator: str, absence: str
) -> None:
    """The reason and the remedy in one line."""
    cuda, error, sentence = ABSENCES[absence]
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(_library, "CUDA_LOADED", False)
    monkeypatch.setattr(_library, "CUDA_ERROR", error)
    with FakeTensorMode():
        arguments = fake_arguments(operator, {}, "cuda")
        with pytest.raises(RuntimeError, match=rf"^{operator}: the tensors are on cuda:0, but {sentence}"):
            run(stn3dmm_cuda, operator, arguments, 2)


@pytest.mark.parametrize("operator", [name for name, pattern in PATTERNS.items() if len(pattern) > 1])
@pytest.mark.parametrize("elsewhere", ["cpu", "cuda:1"])
def test_operators_reject_tensors_on_different_devices(
    monkeypatch: pytest.MonkeyPatch, operator: str, elsewhere: str
) -> None:
    monkeypatch.setattr(_library, "CUDA_LOADED", True)
    first = next(iter(PATTERNS[operator]))
    with FakeTensorMode():
        arguments = fake_arguments(operator, {first: "cuda:0"}, elsewhere)
        sentence = rf"^{operator}: (\w+) must be on (cuda:0|{elsewhere}) as \w+ is; got (?!\2)\S+\. Use \1\.to\("
        with pytest.raises(ValueError, match=sentence):
            run(stn3dmm_cuda, operator, arguments, 2)


@pytest.mark.parametrize("operator", ["vertices", "project", "sample", "warp"])
def test_operators_reject_mixed_dtypes_under_autocast(backend: Backend, operator: str) -> None:
    """Autocast leaves float64 alone, so that mixtures with it remain: they are as wrong as without autocast."""
    known = {letter: 2 for letter in "BCHWNKFL"} | {str(digit): digit for digit in range(4)} | {"D": 8}
    arguments = {
        name: torch.ones([known[letter] for letter in pattern], dtype=OTHER_DTYPES.get(name), device=backend.device)
        for name, pattern in PATTERNS[operator].items()
    }
    first = next(iter(arguments))
    arguments[first] = arguments[first].double()
    with (
        torch.autocast(backend.device.type, dtype=torch.bfloat16),
        pytest.raises(TypeError, match=f"{operator}: .* must be torch.float"),
    ):
        run(backend.operators, operator, arguments, 2)
