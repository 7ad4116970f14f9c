"""AFLW's 21 and iBUG's 68 landmarks: positions on the formulas, then the nearest grid vertices.

Only the side x > 0 (the image's right) and the midline are placed; the other side is the column flip. With an
even number of columns the midline's landmarks take the column right of the middle, Q // 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import anatomy as at
from .ear import EAR_LOBE
from .head import head_surface
from .outlines import EYE_HALF_WIDTH, EYE_MIDDLE, brow_line, eye_outline, lip_outline
from .proportions import mean
from .shapes import Array
from .surface import FaceSurface

Index = npt.NDArray[np.int64]
# Half of the rows between the lips belongs to either lip; its edge is what iBUG calls the inner lip.
LIP_EDGE = 1.2  # mm


def mirrored(index: Index, columns: int) -> Index:
    """The vertices on the other side of a grid with this number of columns."""
    return np.asarray(index // columns * columns + columns - 1 - index % columns)


def _nearest(face: FaceSurface, points: Array, columns: slice) -> Index:
    """The vertices within the columns that are nearest to points (L, 2) in front view or (L, 3)."""
    P, Q = face.x.shape
    index = np.arange(P * Q).reshape(P, Q)[:, columns].ravel()
    vertices = np.stack([face.x, face.y, face.z], axis=-1)[:, columns].reshape(-1, 3)[:, : points.shape[1]]
    return np.asarray(index[np.square(vertices - points[:, None]).sum(-1).argmin(axis=1)])


def paired(face: FaceSurface, points: list[tuple[float, ...]]) -> Index:
    """Vertices for points (x > 0, y) or (x > 0, y, z) on the image's right."""
    return _nearest(face, np.array(points, dtype=float), slice((face.x.shape[1] + 1) // 2, None))


def midline(face: FaceSurface, heights: list[float]) -> Index:
    """Vertices in the middle column at these heights."""
    column = face.x.shape[1] // 2
    return _nearest(face, np.array([(face.x[0, column], y) for y in heights]), slice(column, column + 1))


def brow_points(count: int) -> list[tuple[float, ...]]:
    """Points along the middle of an eyebrow, from its inner to its outer end."""
    x = np.linspace(16.0, 55.0, count)
    return list(zip(x.tolist(), (brow_line(x) + 1.0).tolist(), strict=True))


def eye_points() -> list[tuple[float, ...]]:
    """Inner corner, upper lid (inner, outer), outer corner, lower lid (outer, inner)."""
    x = EYE_MIDDLE + EYE_HALF_WIDTH * np.array([-1.0, -0.36, 0.36, 1.0, 0.36, -0.36])
    axis, upper, lower = eye_outline(x)
    y = np.stack([axis, upper, upper, axis, lower, lower])[range(6), range(6)]
    return list(zip(x.tolist(), y.tolist(), strict=True))


def jaw_points(count: int) -> list[tuple[float, ...]]:
    """Points at equal distances along the face's border, from the chin to before the top of the ear."""
    psi = np.linspace(0.0, 1.30, 200)
    mandible = head_surface(np.full(200, at.GNATHION_HEIGHT + 3), psi)
    ramus = head_surface(np.linspace(at.GNATHION_HEIGHT + 14, at.EYE_HEIGHT - 7, 100), np.full(100, 1.44))
    border = np.concatenate([mandible, ramus])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(border, axis=0), axis=1))])
    wanted = np.linspace(0, length[-1], count)
    return [tuple(np.interp(wanted[i], length, border[:, k]) for k in range(3)) for i in range(count)]


def ibug68(face: FaceSurface) -> Index:
    """iBUG's 68 landmarks in their usual order."""
    Q = face.x.shape[1]
    jaw, brow, eye = paired(face, jaw_points(9)[1:]), paired(face, brow_points(5)), paired(face, eye_points())
    ridge = np.linspace(at.EYE_HEIGHT - 1, at.PRONASALE_HEIGHT, 4).tolist()
    base = paired(face, [(6.0, 0.5), (12.0, 1.5)])
    x = np.array([0.0, mean("philtrum_width") / 2, 0.6 * at.CHEILION, at.CHEILION, 0.3 * at.CHEILION])
    line, upper, lower = lip_outline(x)
    outer = paired(face, [(x[1], upper[1]), (x[2], upper[2]), (x[3], line[3]), (x[2], lower[2]), (x[4], lower[4])])
    inset = 0.87 * at.CHEILION
    corner = float(lip_outline(np.array(inset))[0])
    inner = paired(face, [(x[4], line[4] + LIP_EDGE), (inset, corner), (x[4], line[4] - LIP_EDGE)])
    middle = midline(
        face, [at.GNATHION_HEIGHT, -0.5, upper[0], lower[0], float(line[0]) + LIP_EDGE, float(line[0]) - LIP_EDGE]
    )

    def left(index: Index) -> Index:
        return mirrored(index, Q)

    return np.concatenate(
        [
            left(jaw[::-1]), middle[:1], jaw,
            left(brow[::-1]), brow,
            midline(face, ridge), left(base[::-1]), middle[1:2], base,
            left(eye[[3, 2, 1, 0, 5, 4]]), eye,
            left(outer[[2, 1, 0]]), middle[2:3], outer[:5], middle[3:4], left(outer[[4, 3]]),
            left(inner[[1, 0]]), middle[4:5], inner, middle[5:6], left(inner[2:]),
        ]
    )  # fmt: skip


def aflw21(face: FaceSurface) -> Index:
    """AFLW's 21 landmarks in their usual order, from the image's left to its right."""
    brow = paired(face, brow_points(3))
    axis = eye_outline(np.array([EYE_MIDDLE]))[0]
    eye = paired(face, [eye_points()[0], (EYE_MIDDLE, float(axis[0])), eye_points()[3]])
    ear = paired(face, [EAR_LOBE])
    wing = paired(face, [(at.ALARE - 0.5, 3.5)])
    corner = paired(face, [(at.CHEILION, float(lip_outline(np.array(at.CHEILION))[0]))])
    tip, mouth, chin = midline(face, [at.PRONASALE_HEIGHT, at.STOMION_HEIGHT, at.GNATHION_HEIGHT])
    Q = face.x.shape[1]

    def left(index: Index) -> Index:
        return mirrored(index, Q)

    parts = [
        left(brow[::-1]), brow, left(eye[::-1]), eye,
        left(ear), left(wing), [tip], wing, ear,
        left(corner), [mouth], corner, [chin],
    ]  # fmt: skip
    return np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
