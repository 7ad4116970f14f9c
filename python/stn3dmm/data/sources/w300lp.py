"""300W-LP and AFLW2000-3D: photographs of 450 x 450 pixels with ``.mat`` labels beside them."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stn3dmm.data.sources.photographs import Damage, Labels, PhotographFaces, existing_folder, numbered, photographs_in
from stn3dmm.formats.labels import read_mat
from stn3dmm.formats.matlab import read_matlab

WHAT = "photographs with .mat labels of 300W-LP or AFLW2000-3D beside them"
# AFW_134212_1_4: the fourth view, turned by rendering, of face 1 of a photograph. AFLW2000-3D's names do not match.
TRIED = 20  # labels that are read when the data set is opened, until one is sound
VIEW = re.compile(r"(?P<face>.+_\d+)_\d+")


class LabelledPhotographs(PhotographFaces):
    """A folder of 300W-LP or AFLW2000-3D; labels are read with their photographs, for there are 122,450.

    The box is that of the landmarks; ``roi`` is not it: it refers to the photograph before it was cut to 450 x 450.
    Yaw is that of Pose_Para, turned round. The views of 300W-LP that were rendered from one face have one identity.

    Args:
        folder: read with its sub-folders (AFW/, AFW_Flip/, ...); photographs without labels are left out.
        landmark_set: "ibug68" (pt3d_68, else pt2d) or "aflw21" (pt2d of AFLW2000-3D); None: ibug68.
        on_damage: "skip" or "stop", for photographs without labels.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it has no such photographs, the first labels that can be read are of another set.
    """

    def __init__(
        self, folder: str | os.PathLike[str], landmark_set: str | None = "ibug68", on_damage: str = "skip"
    ) -> None:
        place = existing_folder(folder, WHAT)
        self._landmark_set = landmark_set or "ibug68"
        found = photographs_in(place)
        damage = Damage(on_damage)
        self._photographs: list[str] = []
        for photograph in found:
            if photograph.with_suffix(".mat").is_file():
                self._photographs.append(os.fspath(photograph))
            else:
                damage.add(f"{photograph}: no labels {photograph.stem}.mat beside it.")
        damage.report(len(self._photographs), place, WHAT)
        self.left_out = damage.messages
        self._identities = numbered([_face_of(Path(photograph)) for photograph in self._photographs])
        self._check_first(place, Damage(on_damage))

    def _check_first(self, place: Path, damage: Damage) -> None:
        """Labels of another set, or of another kind, should not be found one by one while training."""
        for index in range(min(TRIED, len(self))):
            with damage.noted():
                self.labels(index)
                return
        damage.report(0, place, WHAT)

    def __len__(self) -> int:
        return len(self._photographs)

    @property
    def landmark_set(self) -> str:
        """ "ibug68" or "aflw21", as asked for."""
        return self._landmark_set

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) the rendered views of one face of 300W-LP share a number; -1 for AFLW2000-3D."""
        return self._identities

    def labels(self, index: int) -> Labels:
        """Landmarks and yaw of a face."""
        photograph = Path(self._photographs[index])
        file = photograph.with_suffix(".mat")
        annotation = read_mat(file, self._landmark_set)
        labels = Labels(
            photograph=photograph,
            name=os.fspath(photograph),
            landmarks=annotation.points,
            visible=annotation.visible,
            identity=int(self._identities[index]),
            yaw=_yaw(file),
        )
        labels.check()
        return labels


def _yaw(file: Path) -> float | None:
    """Degrees, positive: the nose points to the image's right. Theirs is positive to the left."""
    pose = read_matlab(file, WHAT, ["Pose_Para"]).get("Pose_Para")
    if pose is None or pose.size < 2 or not np.isfinite(pose).all():
        return None
    return -math.degrees(float(pose.reshape(-1)[1]))


def _face_of(photograph: Path) -> str:
    """The same for the views that were rendered from one face, "" for others. AFW_Flip/ holds mirrored faces."""
    view = VIEW.fullmatch(photograph.stem)
    return os.fspath(photograph.parent / view["face"]) if view else ""
