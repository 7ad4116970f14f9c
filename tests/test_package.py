"""What is shipped: the libraries' dependencies, the registered operators, what an import loads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import stn3dmm_cuda
from stn3dmm_cuda import _library

PACKAGE = Path(stn3dmm_cuda.__file__).parent
SCHEMAS = PACKAGE.parent / "csrc" / "library.cpp"
LIBRARIES = sorted(PACKAGE.glob("_*.so"))

OPERATORS = [
    "pose", "pose_backward", "axis_angle_to_matrix", "axis_angle_to_matrix_backward", "vertices", "vertices_backward",
    "project", "project_backward", "grid", "grid_backward", "sample", "sample_backward", "visibility",
    "visibility_backward", "rasterize", "rasterize_backward", "warp", "warp_backward", "texture_difference",
    "texture_difference_backward", "texture_asymmetry", "texture_asymmetry_backward",
]  # fmt: skip


def output_of(tool: str, *arguments: str) -> str:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} (binutils) is not installed")
    return subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda path: path.name)
def test_package_libraries_need_no_python(library: Path) -> None:
    """Nothing that a CPU-only PyTorch, or another Python, lacks."""
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "-d", str(library)))
    assert any("libtorch" in name for name in needed)
    unwanted = [name for name in needed if re.match(r"libtorch_python|libpython|libc10_cuda|libcuda", name)]
    assert unwanted == []
    if library.name.startswith("_cpu"):
        assert [name for name in needed if "cuda" in name] == []


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda path: path.name)
def test_package_libraries_use_the_stable_interface_alone(library: Path) -> None:
    """No symbol of the Python C API, and of PyTorch only the C functions of its stable ABI."""
    lines = output_of("nm", "-D", "--undefined-only", "-C", str(library)).splitlines()
    symbols = [line.split(maxsplit=1)[1] for line in lines]
    assert any(symbol.startswith("aoti_torch_") for symbol in symbols)
    assert [s for s in symbols if re.match(r"_?Py[A-Z_]|pybind11", s)] == []
    assert [s for s in symbols if re.match(r"(at|c10|torch)::", s)] == []


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda path: path.name)
def test_package_libraries_export_nothing_of_their_own(library: Path) -> None:
    lines = output_of("nm", "-D", "--defined-only", "-C", str(library)).splitlines()
    assert [line for line in lines if " stn::" in line] == []


def test_package_schemas_are_the_listed_ones() -> None:
    """A new operator must be added to the list above, and so to the tests below."""
    names = {
        str(schema).split("::")[1].split("(")[0]
        for schema in torch._C._jit_get_all_schemas()
        if "stn3dmm::" in str(schema)
    }
    assert names == {*OPERATORS, "cpu_instruction_set", *(["cuda_build"] if _library.CUDA_LOADED else [])}


@pytest.mark.parametrize("operator", OPERATORS)
def test_package_operators_have_every_kernel(operator: str) -> None:
    name = f"stn3dmm::{operator}"
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    assert has_kernel(name, "CPU")
    assert has_kernel(name, "Autograd") or has_kernel(name, "AutogradCPU")
    entry = torch._library.simple_registry.singleton.find(name)
    assert entry.fake_impl.kernel is not None or has_kernel(name, "Meta")
    if _library.CUDA_LOADED:
        assert has_kernel(name, "CUDA")


@pytest.mark.parametrize("operator", [name for name in OPERATORS if not name.endswith("_backward")])
def test_package_operators_have_an_autocast_rule(operator: str) -> None:
    for key in ("AutocastCPU", "AutocastCUDA"):
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"stn3dmm::{operator}", key)


@pytest.mark.parametrize("operator", OPERATORS)
def test_package_schemas_promise_no_alias_and_no_mutation(operator: str) -> None:
    schema = getattr(torch.ops.stn3dmm, operator).default._schema
    assert all(a.alias_info is None for a in (*schema.arguments, *schema.returns))


def test_package_operators_stand_in_the_readable_schemas() -> None:
    if not SCHEMAS.is_file():
        pytest.skip(f"{SCHEMAS} is not here: the package is installed without its source")
    defined = re.findall(r'library\.def\(\s*"(\w+)\(', SCHEMAS.read_text())
    assert sorted(defined) == sorted([*OPERATORS, "cpu_instruction_set"])


def test_package_needs_torch_alone() -> None:
    """The operators load nothing that only the applications need."""
    extras = ("scipy", "PIL", "skimage", "rich", "typer", "jinja2", "stn3dmm", "pytest")
    code = f"import sys, stn3dmm_cuda; print([name for name in {extras} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_package_has_no_cuda_without_a_cuda_pytorch() -> None:
    if torch.version.cuda is not None and torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert stn3dmm_cuda.has_cuda() is False


@pytest.mark.parametrize("fault", ["missing", "broken"])
def test_package_says_what_to_do_about_a_bad_library(fault: str, tmp_path: Path) -> None:
    copy = tmp_path / "stn3dmm_cuda"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    if fault == "broken":
        (copy / "_cpu.abi3.so").write_bytes(b"no library")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import stn3dmm_cuda"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: stn3dmm_cuda: the operator library"), last
    assert "pip install ." in last


@pytest.mark.parametrize("state", ["missing", "broken"])
def test_package_imports_without_its_cuda_library(state: str, tmp_path: Path) -> None:
    """In silence, but with the reason at hand; the CPU library is as good as ever."""
    copy = tmp_path / "stn3dmm_cuda"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("_cuda.*", "__pycache__"))
    if state == "broken":
        (copy / "_cuda.abi3.so").write_bytes(b"no library")
    code = """
import sys, torch
sys.path.insert(0, sys.argv[1])
torch.version.cuda = "13.0"
import stn3dmm_cuda
from stn3dmm_cuda import _library
print([_library.CUDA_LOADED, _library.cuda_built(), stn3dmm_cuda.has_cuda(), _library.cuda_build()])
print(_library.CUDA_ERROR or "")
print(_library.why_no_cuda()[0])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    facts, error, reason = done.stdout.splitlines()
    assert facts == f"[False, {state == 'broken'}, False, None]"
    assert ("_cuda.abi3.so" in error) == (state == "broken")
    assert reason.startswith("the CUDA library of stn3dmm_cuda cannot" if error else "stn3dmm_cuda was built without")


def test_package_is_found_above_a_clone_of_its_name(tmp_path: Path) -> None:
    """The folder of a clone is a namespace package to whoever starts Python above it."""
    (tmp_path / "stn3dmm_cuda").mkdir()
    code = "import stn3dmm_cuda; print(stn3dmm_cuda.pose.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("pose\n", "")


def test_package_exports_what_it_says() -> None:
    assert all(hasattr(stn3dmm_cuda, name) for name in stn3dmm_cuda.__all__)
    assert set(stn3dmm_cuda.reference.__all__) <= set(stn3dmm_cuda.__all__)
    assert all(hasattr(_library, name) for name in _library.__all__)
