"""OBJ and PLY: one's own meshes, with and without modes, and every kind of damage."""

from __future__ import annotations

import re

import numpy as np
import pytest
from stn3dmm.formats import read_mesh

from .mesh_files import FACE, POLYGONS, own_model, write_obj, write_ply

# The quad 6 5 1 0 is 18 wide below and above: both diagonals are as long, and the first is taken.
TRIANGLES = [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [6, 5, 1], [6, 1, 0]]


@pytest.mark.parametrize("suffix", ["obj", "ply", "binary.ply"])
def test_a_file_alone_by_hand(tmp_path, suffix):
    path = tmp_path / f"face.{suffix}"
    if suffix == "obj":
        write_obj(path, FACE, POLYGONS)
    else:
        polygons = tuple(map(tuple, TRIANGLES)) if "binary" in suffix else POLYGONS
        write_ply(path, FACE, polygons, binary="binary" in suffix)
    mesh = read_mesh(path)
    assert mesh.mean == pytest.approx(10 * FACE)  # 24 units high: 240 mm
    assert sorted(sorted(t) for t in mesh.triangles.tolist()) == sorted(sorted(t) for t in TRIANGLES)
    assert (mesh.mode_count, mesh.landmarks, mesh.uv) == (0, {}, None)


def test_a_folder_by_hand(tmp_path):
    mesh = read_mesh(own_model(tmp_path / "own"))
    assert mesh.mode_names == ("identity/shape2", "identity/shape10", "expression/smile")  # 2 before 10
    for mode, move in zip(mesh.basis, ((0, 0, 20), (0, 0, 100), (0, 2, 0)), strict=True):
        assert mode == pytest.approx(np.broadcast_to(move, mode.shape), abs=1e-4)


def test_modes_come_in_natural_order(tmp_path):
    names = ["jaw", "jaw2", "jaw10", "kiss", "mouthClosed", "smile", "smile_left_and_right", "z1a2", "z1a10", "z2"]
    for name in reversed(names):
        write_obj(tmp_path / "own" / "expression" / f"{name}.obj", FACE + 1, POLYGONS)
    write_obj(tmp_path / "own" / "mean.obj", FACE, POLYGONS)
    assert read_mesh(tmp_path / "own").mode_names == tuple(f"expression/{name}" for name in names)


def test_rejects_two_means(tmp_path):
    folder = own_model(tmp_path / "own")
    write_ply(folder / "mean.ply", FACE, POLYGONS)
    with pytest.raises(
        ValueError, match=r"own: two files for the mean face, mean\.obj and mean\.ply; rename or remove"
    ):
        read_mesh(folder)


def test_expressions_from_elsewhere(tmp_path):
    path = write_obj(tmp_path / "face.obj", FACE, POLYGONS)
    for name in ("jaw", "smile"):
        write_obj(tmp_path / "shapes" / f"{name}.obj", FACE + 1, POLYGONS)
    assert read_mesh(path, expression=tmp_path / "shapes").mode_names == ("expression/jaw", "expression/smile")
    mesh = read_mesh(path, expression=tmp_path / "shapes" / "jaw.obj")
    assert mesh.basis == pytest.approx(np.full((1, 7, 3), 5.0))


@pytest.mark.parametrize("unit", [1e-3, 0.01, 1.0, 10.0, 1e4])
def test_any_unit_becomes_millimetres(tmp_path, unit):
    mesh = read_mesh(write_obj(tmp_path / "face.obj", unit * FACE, POLYGONS))
    assert mesh.mean == pytest.approx(10 * FACE, rel=1e-5)


def test_triangles_that_face_inwards_are_turned(tmp_path):
    turned = tuple(polygon[::-1] for polygon in POLYGONS)
    mesh = read_mesh(write_obj(tmp_path / "face.obj", FACE, turned))
    a, b, c = (mesh.mean[mesh.triangles[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float)
    inwards = ((0, 1, 2), (0, 3, 1), (0, 2, 3), (1, 3, 2))
    closed = read_mesh(write_obj(tmp_path / "closed.obj", corners, inwards))
    a, b, c = (closed.mean[closed.triangles[:, k]].astype(float) for k in range(3))
    assert np.einsum("fi,fi->", a, np.cross(b, c)) > 0  # six times the volume


def test_quads_are_split_along_the_shorter_diagonal(tmp_path):
    kite = np.array([[0, -2, 0], [1, 0, 0], [0, 2, 0], [-1, 0, 0]], dtype=float)
    for first in range(4):
        polygon = tuple((first + k) % 4 for k in range(4))
        mesh = read_mesh(write_obj(tmp_path / "kite.obj", kite, (polygon,)))
        assert {frozenset(t.tolist()) for t in mesh.triangles} == {frozenset({0, 1, 3}), frozenset({1, 2, 3})}


def test_texture_coordinates(tmp_path):
    uv = FACE[:, :2] / 40 + 0.5
    mesh = read_mesh(write_obj(tmp_path / "face.obj", FACE, POLYGONS, uv=uv))
    assert mesh.uv == pytest.approx(uv)
    assert not mesh.has_seam
    # One corner of vertex 4 elsewhere: a seam, and no coordinates of the vertices.
    text = (tmp_path / "face.obj").read_text().replace("5/5\n", "5/1\n", 1)
    (tmp_path / "seam.obj").write_text(text)
    seam = read_mesh(tmp_path / "seam.obj")
    assert (seam.uv, seam.has_seam) == (None, True)
    assert seam.vertex_count == 7  # vertices are not split
    ply = write_ply(tmp_path / "face.ply", FACE, POLYGONS).read_text()
    rows = ply.replace("property double z", "property double z\nproperty double s\nproperty double t").splitlines()
    start = rows.index("end_header") + 1
    rows[start : start + 7] = [f"{row} {u!r} {v!r}" for row, (u, v) in zip(rows[start:], uv.tolist(), strict=False)]
    (tmp_path / "face.ply").write_text("\n".join(rows) + "\n")
    assert read_mesh(tmp_path / "face.ply").uv == pytest.approx(uv)


def test_a_texture_seam_of_ply_splits_no_vertex(tmp_path):
    text = write_ply(tmp_path / "face.ply", FACE[:4], ((0, 1, 2), (0, 2, 3))).read_text()
    text = text.replace("indices\n", "indices\nproperty list uchar float texcoord\n")
    text = text.replace("3 0 1 2\n", "3 0 1 2 6 0 0 1 0 1 1\n")
    for corner, seam in (("0 0", False), ("0.5 0", True)):
        (tmp_path / "face.ply").write_text(text.replace("3 0 2 3\n", f"3 0 2 3 6 {corner} 1 1 0 1\n"))
        mesh = read_mesh(tmp_path / "face.ply")
        assert mesh.vertex_count == 4
        assert (mesh.uv is None, mesh.has_seam) == (seam, seam)


def test_obj_statements(tmp_path):
    """Relative indices, normals, weights, colours, tabs, continued lines, Windows line ends, unused vertices."""
    text = (
        "# made by hand\r\nmtllib a.mtl\r\no face\r\nv\t0 0 0 1.0\r\nv 1 0 0 0.5 0.5 0.5\r\nv 0 1 0\r\n"
        "vn 0 0 1\r\nf -3//1 -2//1 \\\r\n-1//1\r\nv 1 1 0\r\nusemtl skin\r\ns off\r\nf 2//1 4//1 3//1\r\nv 0 0 9\r\n"
    )
    (tmp_path / "face.obj").write_bytes(text.replace("\\\r\n", "\\\n").encode())
    mesh = read_mesh(tmp_path / "face.obj")
    assert mesh.triangles.tolist() == [[0, 1, 2], [1, 3, 2]]
    assert mesh.vertex_count == 5


def test_larger_and_collapsed_polygons(tmp_path):
    vertices = np.array([[0, 0, 0], [2, 0, 0], [3, 1, 0], [1, 3, 0], [-1, 1, 0]], dtype=float)
    mesh = read_mesh(write_obj(tmp_path / "a.obj", vertices, ((0, 1, 2, 3, 4), (0, 0, 1))))
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]
    ply = read_mesh(write_ply(tmp_path / "a.ply", vertices, ((0, 1, 2, 3, 4),)))
    assert ply.triangles.tolist() == mesh.triangles.tolist()


def test_real_mesh(real_data):
    """The whole of the ICT neutral mesh, with texture seams and several materials, keeps its vertices."""
    path = real_data / "ict" / "generic_neutral_mesh.obj"
    mesh = read_mesh(path)
    assert (mesh.vertex_count, len(mesh.triangles)) == (26719, 2 * 26384 - 548)
    last = [line for line in path.read_text().splitlines() if line.startswith("v ")][-1]
    assert mesh.mean[-1] == pytest.approx([10 * float(x) for x in last.split()[1:]], rel=1e-6)
    assert mesh.uv is None


OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
PLY = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
PLY_FACES = "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (OBJ, "expected a surface; got 3 vertices and 0 polygons"),
        ("f 1 2 3\n", r"line 1: expected f and at least 3 corners on 0 vertices"),
        (OBJ + "f 1 2 4\n", "line 4: expected f and at least 3 corners on 3 vertices.*got 'f 1 2 4'"),
        (OBJ + "f 0 1 2\n", "line 4"),
        (OBJ + "f 1 2\n", "line 4"),
        (OBJ + "f -1 -2 -4\n", "line 4"),
        (OBJ + "f 1/1 2/1 3/1\n", "0 texture coordinates"),
        (OBJ + "f 1 2 x\n", "line 4"),
        (OBJ + "f 1 2 " + "9" * 5000 + "\n", "line 4"),
        (OBJ + "f 1 2 1.5\n", "line 4"),
        ("v 0 0\n" + OBJ + "f 1 2 3\n", "line 1: expected v and 3 numbers; got 'v 0 0'"),
        ("v 0 0 zero\n" + OBJ + "f 1 2 3\n", "line 1: expected v and 3 numbers"),
        (OBJ.replace("1 0 0", "nan 0 0") + "f 1 2 3\n", "a vertex is NaN or infinite"),
        (OBJ.replace("1 0 0", "1e999 0 0") + "f 1 2 3\n", "a vertex is NaN or infinite"),
        ("v 5 5 5\n" * 3 + "f 1 2 3\n", "its largest extent is 0"),
        (OBJ + "f 1 1 2\n", "every polygon has a corner twice"),
        (PLY + PLY_FACES, "at least 3 vertex indices"),
        (PLY + PLY_FACES + "3 0 1 3\n", "a polygon has the vertex 3; there are 3"),
        (PLY + PLY_FACES + "3 0 1 -1\n", "a polygon has the vertex"),
        (PLY + PLY_FACES.replace("0 1 0", "0 nan 0") + "3 0 1 2\n", "a vertex is NaN or infinite"),
        (PLY + PLY_FACES + "2 0 1\n", "at least 3 vertex indices"),
        (PLY + "end_header\n0 0 0\n1 0 0\n0 1 0\n", "expected a surface; got 3 vertices and 0 polygons"),
        (PLY.replace("3", "3000000000") + PLY_FACES + "3 0 1 2\n", "at least 3 vertex indices"),
        (PLY.replace("ascii", "binary_little_endian") + PLY_FACES, "not a readable PLY file: damaged, cut off, or"),
        ("ply\nend_header\n", "not a readable PLY file"),
        ("ply\n", "not a readable PLY file"),
        ("ply\nformat ascii 1.0\n", "not a readable PLY file"),
    ],
)
def test_rejects(tmp_path, content, message):
    path = tmp_path / "face"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rejects_another_topology(tmp_path):
    folder = own_model(tmp_path / "own")
    for vertices, polygons in ((FACE[:6], POLYGONS[:4]), (FACE, POLYGONS[:4]), (FACE, (*POLYGONS[1:], POLYGONS[0]))):
        write_obj(folder / "identity" / "shape2.obj", vertices, polygons)
        with pytest.raises(ValueError, match=re.escape("shape2.obj: not the topology of") + ".*mean.obj"):
            read_mesh(folder)


def test_rejects_expressions_that_are_none(tmp_path):
    path = write_obj(tmp_path / "face.obj", FACE, POLYGONS)
    with pytest.raises(FileNotFoundError, match="no such file or folder; expected shapes of expressions"):
        read_mesh(path, expression=tmp_path / "none")
    (tmp_path / "shapes").mkdir()
    with pytest.raises(ValueError, match="no OBJ or PLY file in this folder"):
        read_mesh(path, expression=tmp_path / "shapes")
    (tmp_path / "shapes" / "a.obj").write_text("something else")
    with pytest.raises(ValueError, match=r"a\.obj: expected an OBJ or PLY mesh; it begins with b'something else'"):
        read_mesh(path, expression=tmp_path / "shapes")


def test_rejects_two_shapes_of_one_name(tmp_path):
    folder = own_model(tmp_path / "own")
    smile = write_obj(tmp_path / "smile.obj", FACE + 1, POLYGONS)
    with pytest.raises(ValueError, match=r"smile\.obj: the mode expression/smile .*own/expression/smile\.obj.*rename"):
        read_mesh(folder, expression=smile)
    write_ply(folder / "identity" / "shape2.ply", FACE, POLYGONS)
    with pytest.raises(ValueError, match=r"identity/shape2\.(obj|ply): the mode identity/shape2 .*rename"):
        read_mesh(folder)


def test_the_wrong_index_of_ply_is_named(tmp_path):
    (tmp_path / "face.ply").write_text(PLY + PLY_FACES + "3 0 1 -1\n")
    with pytest.raises(ValueError, match="a polygon has the vertex -1; there are 3"):
        read_mesh(tmp_path / "face.ply")


def test_obj_with_a_byte_order_mark_and_indented_lines(tmp_path):
    path = write_obj(tmp_path / "face.obj", FACE, POLYGONS)
    plain = read_mesh(path)
    path.write_bytes(b"\xef\xbb\xbf" + b"".join(b" \t" + line + b"\n" for line in path.read_bytes().splitlines()))
    mesh = read_mesh(path)
    assert mesh.mean.tolist() == plain.mean.tolist()
    assert mesh.triangles.tolist() == plain.triangles.tolist()


def test_obj_statements_of_the_standard_are_known(tmp_path):
    others = (
        "usemap a", "maplib a.map", "mg 1 0.5", "ctech cparm 1", "stech cspace 1", "con 1 0 1 2 2 0 1 1", "trim 0 1 1",
        "hole 0 1 1", "scrv 0 1 1", "sp 1", "parm u 0 1", "curv2 1 2", "bmat u 1", "step 1 1", "c_interp on",
        "d_interp on", "trace_obj a.obj", "call a.obj", "csh ls",
    )  # fmt: skip
    path = write_obj(tmp_path / "face.obj", FACE, POLYGONS)
    plain = read_mesh(path)
    path.write_text("\n".join(others) + "\n" + path.read_text())
    assert read_mesh(path).mean.tolist() == plain.mean.tolist()
