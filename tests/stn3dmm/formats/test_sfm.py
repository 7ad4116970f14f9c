"""The Surrey Face Model: bytes packed by hand, the real file, and every kind of damage."""

from __future__ import annotations

import re
import struct
import tracemalloc

import numpy as np
import pytest
from stn3dmm.formats import read_mesh, sfm

from .mesh_files import FACE, SFM_BASIS, SFM_TRIANGLES, blendshape_bytes, sfm_bytes


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "shape.bin"
    path.write_bytes(sfm_bytes())
    return path


@pytest.fixture
def shapes(tmp_path):
    path = tmp_path / "expressions.bin"
    path.write_bytes(blendshape_bytes())
    return path


def test_by_hand(model, shapes):
    mesh = read_mesh(model, expression=shapes)
    assert mesh.mean == pytest.approx(10 * FACE)
    assert mesh.triangles.tolist() == [list(triangle) for triangle in SFM_TRIANGLES]
    # The square roots of the eigenvalues 4 and 0.25 are the standard deviations.
    assert mesh.basis[0] == pytest.approx(2 * SFM_BASIS[:, 0].reshape(7, 3))
    assert mesh.basis[1] == pytest.approx(0.5 * SFM_BASIS[:, 1].reshape(7, 3))
    # Half of a blendshape is one standard deviation.
    assert mesh.basis[3] == pytest.approx(np.full((7, 3), 1.0))
    assert mesh.mode_names == ("identity/1", "identity/2", "expression/anger", "expression/surprise")
    assert mesh.uv is not None
    assert mesh.uv[3] == pytest.approx([0.375, 1 - 0.1875])  # v counts down in the file
    assert mesh.landmarks == {}  # published for another mesh
    assert "non-commercial" in mesh.licence


def test_without_texture_coordinates_and_expressions(tmp_path):
    path = tmp_path / "shape.bin"
    path.write_bytes(sfm_bytes(version=0, uv=[]))
    mesh = read_mesh(path)
    assert mesh.uv is None
    assert mesh.mode_count == 2


def test_real_model(real_data):
    folder = real_data / "sfm"
    mesh = read_mesh(folder / "sfm_shape_3448.bin", expression=folder / "expression_blendshapes_3448.bin")
    assert (mesh.vertex_count, len(mesh.triangles), mesh.mode_count) == (3448, 6736, 69)
    assert mesh.mode_names[63:] == tuple(
        f"expression/{name}" for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    )
    assert mesh.mean[114] == pytest.approx([-0.2875261, -2.0202992, 3.3372524])  # the tip of the nose
    # An orthonormal basis times the standard deviation 237.70227.
    assert np.linalg.norm(mesh.basis[0].astype(np.float64)) == pytest.approx(237.70227, rel=1e-5)
    assert np.abs(mesh.basis[68]).max() == pytest.approx(29.07783 / 2, rel=1e-5)
    assert np.corrcoef(mesh.uv[:, 1], mesh.mean[:, 1])[0, 1] > 0.99
    assert np.corrcoef(mesh.uv[:, 0], mesh.mean[:, 0])[0, 1] > 0.98


def test_real_landmarks_equal_the_published_mapping(real_data):
    published = dict(
        re.findall(r"^ *(\d+) = +(\d+)", (real_data / "sfm" / "ibug_to_sfm.txt").read_text(), re.MULTILINE)
    )
    assert len(published) == 50
    assert [int(published.get(str(k + 1), -1)) for k in range(68)] == list(sfm.IBUG68_INDICES)
    mesh = read_mesh(real_data / "sfm" / "sfm_shape_3448.bin")
    points = mesh.mean[mesh.landmarks["ibug68"]]
    assert points[30, 2] == pytest.approx(mesh.mean[:, 2].max(), abs=0.1)  # the tip of the nose is foremost
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
    assert points[8, 1] < points[57, 1] < points[33, 1] < points[27, 1]
    assert (mesh.landmarks["aflw21"] >= 0).sum() == 15
    assert mesh.landmarks["aflw21"][20] == mesh.landmarks["ibug68"][8]


def test_every_truncation_is_one_sentence(model, shapes):
    """Wherever the file is cut off, the reader says so, and whatever is appended too."""
    for path, read in ((model, sfm.read), (shapes, lambda path: sfm.read(model, expression=path))):
        content = path.read_bytes()
        other = path.with_suffix(".cut")
        for length in range(len(content)):
            other.write_bytes(content[:length])
            with pytest.raises(ValueError, match=re.escape(str(other))) as caught:
                read(other)
            assert "\n" not in str(caught.value)
        other.write_bytes(content + b"\0")
        with pytest.raises(ValueError, match="1 bytes are left at the end"):
            read(other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected 4 bytes of the version at byte 0, 0 are left"),
        (sfm_bytes(version=7), "version 7 of the eos model; known are 0 and 1"),
        (sfm_bytes(basis=SFM_BASIS[:18]), r"got \(21, 1\), \(18, 2\) and \(2, 1\)"),
        (sfm_bytes(basis=SFM_BASIS[:, :1]), r"got \(21, 1\), \(21, 1\) and \(2, 1\)"),
        (struct.pack("<Iii", 1, -3, 1), r"the mean shape cannot be \(-3, 1\)"),
        (sfm_bytes(eigenvalues=[[4.0], [-1.0]]), "must not be negative"),
        (sfm_bytes(triangles=[(0, 1, 4), (1, 2, 7)]), "triangles must lie in 0..6"),
        (sfm_bytes(triangles=[]), "expected vertices and triangles; got 7 and 0"),
        (sfm_bytes(uv=[(0, 0)] * 3), "texture coordinates for 7 vertices or none; got 3"),
        (sfm_bytes(mean=np.full((21, 1), np.nan)), "mean holds NaN"),
        (sfm_bytes(basis=np.full((21, 2), np.inf)), "basis holds NaN or infinity"),
    ],
)
def test_rejects(tmp_path, content, message):
    path = tmp_path / "shape.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        sfm.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (blendshape_bytes({"anger": np.ones((18, 1))}), r"'anger' must be \(21, 1\) as the mean; got \(18, 1\)"),
        (blendshape_bytes().replace(b"\x08\0\0\0\0\0\0\0surprise", b"\5\0\0\0\0\0\0\0anger"), "'anger' comes twice"),
        (
            struct.pack("<QQ", 1, 300) + b"x" * 300,
            "not a file of eos's blendshapes .*: blendshape 1 has a name of 300 bytes",
        ),
        (blendshape_bytes({"a": np.full((21, 1), np.nan)}), "'a' holds NaN"),
    ],
)
def test_rejects_blendshapes(model, tmp_path, content, message):
    path = tmp_path / "expressions.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        sfm.read(model, expression=path)


@pytest.mark.parametrize("size", [(2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (3 * 2**28, 1)])
def test_huge_counts_allocate_nothing(tmp_path, size):
    path = tmp_path / "shape.bin"
    path.write_bytes(struct.pack("<Iii", 1, *size) + b"\0" * 64)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="cut off"):
            sfm.read(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_missing_files(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.bin: no such file"):
        sfm.read(model, expression=tmp_path / "none.bin")
    with pytest.raises(FileNotFoundError, match="no such file"):
        sfm.read(tmp_path / "none.bin")
