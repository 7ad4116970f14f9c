"""Small models in the exact layouts of the Basel family and FLAME, written by h5py, SciPy and hand-packed bytes."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import scipy.io
import scipy.spatial

Array = npt.NDArray[Any]

ROWS, COLUMNS = 9, 11
V = ROWS * COLUMNS
K_IDENTITY, K_EXPRESSION = 4, 3
# Row by row from the image's top left: chin, nose tip, eyes; the other landmarks anywhere.
AXIS_LANDMARKS = {8: 8 * COLUMNS + 5, 30: 4 * COLUMNS + 5, 36: 2 * COLUMNS + 2, 45: 2 * COLUMNS + 8}


def face() -> Array:
    """(V, 3) mm: a bulge, x right, y up, z forward."""
    y, x = np.meshgrid(np.linspace(80, -80, ROWS), np.linspace(-70, 70, COLUMNS), indexing="ij")
    return np.stack([x, y, 100 - x**2 / 90 - y**2 / 160], axis=-1).reshape(V, 3)


def triangles() -> Array:
    """(F, 3) from 0, counter-clockwise seen from the front."""
    corner = (np.arange(ROWS - 1)[:, None] * COLUMNS + np.arange(COLUMNS - 1)).reshape(-1)
    right, below, across = corner + 1, corner + COLUMNS, corner + COLUMNS + 1
    return np.concatenate([np.stack([corner, below, right], 1), np.stack([across, right, below], 1)])


def landmarks() -> Array:
    """(68,) vertices from 0."""
    return np.array([AXIS_LANDMARKS.get(k, (7 * k) % V) for k in range(68)])


def identity_modes() -> Array:
    """(K, V, 3) mm per standard deviation."""
    return np.random.default_rng(1).normal(size=(K_IDENTITY, V, 3))


def expression_modes() -> Array:
    """(K, V, 3) mm per standard deviation."""
    return np.random.default_rng(2).normal(size=(K_EXPRESSION, V, 3))


def columns(modes: Array) -> Array:
    """(K, V, 3) as the columns of (3 V, K)."""
    return modes.reshape(len(modes), -1).T


IDENTITY_DEVIATIONS = np.array([4.0, 3.0, 2.0, 0.5])
EXPRESSION_DEVIATIONS = np.array([2.0, 1.0, 0.25])


def deep3d_content() -> dict[str, Array]:
    """As transferBFM09 saves it: decimetres, whole numbers as float32 from 1."""
    return {
        "meanshape": (face() / 100).reshape(1, -1).astype(np.float32),
        "meantex": np.full((1, 3 * V), 128, dtype=np.float32),
        "idBase": columns(identity_modes() / 100),
        "exBase": columns(expression_modes() / 100),
        "texBase": np.zeros((3 * V, K_IDENTITY)),
        "tri": (triangles() + 1).astype(np.float32),
        "point_buf": np.ones((V, 8), dtype=np.float32),
        "keypoints": (landmarks() + 1).astype(np.float32)[None],
        "skinmask": np.ones((1, V), dtype=np.float32),
    }


def write_bfm_h5(path: Path, *, expressions: bool = True, named: bool = True) -> Path:
    """Groups and types as in model2017-1_bfm_nomouth.h5: float32, triangles and reference points in rows."""
    with h5py.File(path, "w") as file:
        parts = {"shape": (face(), identity_modes(), IDENTITY_DEVIATIONS)}
        if expressions:
            parts["expression"] = (np.full((V, 3), 0.5), expression_modes(), EXPRESSION_DEVIATIONS)
        for group, (mean, modes, deviations) in parts.items():
            model = file.create_group(f"{group}/model")
            model["mean"] = mean.reshape(-1).astype(np.float32)
            model["pcaBasis"] = (columns(modes) / deviations).astype(np.float32)
            model["pcaVariance"] = (deviations**2).astype(np.float32)
            model["noiseVariance"] = np.float32(0)
            file[f"{group}/representer/points"] = (face() + 0.25).T.astype(np.float32)
            file[f"{group}/representer/cells"] = triangles().T.astype(np.uint32)
        if named:
            file["metadata/landmarks/json"] = json.dumps(h5_landmarks())
    return path


H5_VERTICES = {
    "center.chin.tip": AXIS_LANDMARKS[8],
    "center.nose.tip": AXIS_LANDMARKS[30],
    "right.eye.corner_outer": AXIS_LANDMARKS[36],
    "left.eye.corner_outer": AXIS_LANDMARKS[45],
    "right.lips.corner": 6 * COLUMNS + 3,
}


def h5_landmarks() -> list[dict[str, Any]]:
    """On vertices of the reference mesh; the ear has been cut off."""
    reference = face() + 0.25
    entries = [{"id": name, "coordinates": reference[vertex].tolist()} for name, vertex in H5_VERTICES.items()]
    return [*entries, {"id": "right.ear.lobule.tip", "coordinates": [-120.0, 0.0, -20.0]}]


def tddfa_v2_content() -> dict[str, Array]:
    """As in bfm_noneck_v3.pkl: micrometres, float32, x y z rows of the landmarks."""
    return {
        "u": (face() * 1000).reshape(-1, 1).astype(np.float32),
        "w_shp": (columns(identity_modes()) / 1000).astype(np.float32),
        "w_exp": (columns(expression_modes()) * 1000).astype(np.float32),
        "keypoints": (3 * landmarks()[:, None] + np.arange(3)).reshape(-1).astype(np.int64),
    }


def triangle_pickle() -> bytes:
    """As in tri.pkl: (3, F) int32 stored column by column, clockwise, protocol 4."""
    rows = np.asfortranarray(triangles()[:, ::-1].T.astype(np.int32))
    assert rows.flags.f_contiguous
    return pickle.dumps(rows, protocol=4)


class Python2:
    """Writes pickles as Python 2 did: its str is bytes, its modules have their old names."""

    def __init__(self, protocol: int) -> None:
        self.protocol = protocol

    def text(self, content: bytes) -> bytes:
        if self.protocol == 0:
            return b"S" + repr(content)[1:].encode() + b"\n"
        return b"T" + struct.pack("<i", len(content)) + content

    def integer(self, value: int) -> bytes:
        return b"I%d\n" % value if self.protocol == 0 else b"J" + struct.pack("<i", value)

    def array(self, value: Array) -> bytes:
        order = b"I01\n" if value.flags.f_contiguous and value.ndim > 1 else b"I00\n"
        shape = b"(" + b"".join(self.integer(size) for size in value.shape) + b"t"
        dtype = (
            b"cnumpy\ndtype\n(" + self.text(value.dtype.str[1:].encode()) + self.integer(0) + self.integer(1) + b"tR("
            + self.integer(3) + self.text(b"<") + b"NNN" + self.integer(-1) * 2 + self.integer(0) + b"tb"
        )  # fmt: skip
        return (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + self.integer(0) + b"t" + self.text(b"b")
            + b"tR(" + self.integer(1) + shape + dtype + order + self.text(value.tobytes("A")) + b"tb"
        )  # fmt: skip

    def instance(self, module: bytes, name: bytes, state: dict[bytes, bytes]) -> bytes:
        made = b"c" + module + b"\n" + name + b"\n"
        if self.protocol == 2:
            made += b")\x81"
        else:
            made = b"ccopy_reg\n_reconstructor\n(" + made + b"c__builtin__\nobject\nNtR"
        return made + self.dictionary(state) + b"b"

    def chumpy(self, value: Array) -> bytes:
        """A chumpy.Ch with what its __getstate__ leaves in place."""
        empty_set = b"c__builtin__\nset\n((ltR"
        dependencies = self.dictionary({b"deps": empty_set, b"value": b"N", b"out_of_date": b"I01\n"})
        return self.instance(
            b"chumpy.ch",
            b"Ch",
            {
                b"_dirty_vars": empty_set,
                b"_itr": b"N",
                b"_depends_on_deps": self.dictionary({b"dr_cache": dependencies}),
                b"x": self.array(value),
                b"_make_dense": b"I00\n",
            },
        )

    def sparse(self, value: Array) -> bytes:
        matrix = scipy.sparse.csc_matrix(value)
        return self.instance(
            b"scipy.sparse.csc",
            b"csc_matrix",
            {
                b"format": self.text(b"csc"),
                b"_shape": b"(" + b"".join(self.integer(size) for size in matrix.shape) + b"t",
                b"data": self.array(matrix.data),
                b"indices": self.array(matrix.indices),
                b"indptr": self.array(matrix.indptr),
                b"maxprint": self.integer(50),
            },
        )

    def dictionary(self, items: dict[bytes, bytes]) -> bytes:
        return b"(d" + b"".join(self.text(key) + value + b"s" for key, value in items.items())

    def pickle(self, items: dict[bytes, bytes]) -> bytes:
        head = b"\x80\x02}q\x01(" if self.protocol == 2 else b"(dp0\n" if self.protocol == 0 else b"}q\x01("
        if self.protocol == 0:
            return head + b"".join(self.text(key) + value + b"s" for key, value in items.items()) + b"."
        return head + b"".join(self.text(key) + value for key, value in items.items()) + b"u."


def flame_arrays(identities: int = 300) -> dict[str, Array]:
    """The arrays of FLAME on the small face: metres, modes behind, 300 identities before the expressions."""
    modes = np.zeros((identities + K_EXPRESSION, V, 3))
    modes[:K_IDENTITY], modes[identities:] = identity_modes(), expression_modes()
    return {
        "v_template": face() / 1000,
        "shapedirs": np.ascontiguousarray(modes.transpose(1, 2, 0)) / 1000,
        "f": triangles().astype(np.uint32),
        "weights": np.ones((V, 5)) / 5,
        "posedirs": np.zeros((V, 3, 36)),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.int64),
    }


def flame_pickle(protocol: int = 2, identities: int = 300) -> bytes:
    """generic_model.pkl: shapedirs and posedirs are chumpy's, J_regressor is a sparse matrix."""
    writer, arrays = Python2(protocol), flame_arrays(identities)
    wrapped = ("shapedirs", "posedirs")
    items = {
        name.encode(): writer.chumpy(value) if name in wrapped else writer.array(value)
        for name, value in arrays.items()
    }
    items |= {b"J_regressor": writer.sparse(np.eye(5, V)), b"bs_style": writer.text(b"lbs")}
    return writer.pickle(items)
