"""Where the anthropometric landmarks of the average face lie.

Convention:
    Model frame, millimetres: x to the image's right, y up, z towards the viewer. y = 0 at subnasale;
    z = 0 at the tragion while the face is built (`surface` moves the origin forward at the end).
    Paired landmarks are given on the side x > 0.
"""

from __future__ import annotations

import math

from .proportions import mean

# Frankfurt horizontal: tragion is level with orbitale, about 20 mm below the pupils (Farkas 1994).
TRAGION_HEIGHT = ORBITALE_HEIGHT = 26.0
TRAGION_HALF_BREADTH = mean("bitragion_breadth") / 2
ZYGION_HALF_BREADTH = mean("bizygomatic_breadth") / 2
GONION_HALF_BREADTH = mean("bigonial_breadth") / 2

NASION_HEIGHT = mean("nose_height")
GNATHION_HEIGHT = NASION_HEIGHT - mean("face_height")
TRICHION_HEIGHT = NASION_HEIGHT + mean("forehead_height")
GLABELLA_HEIGHT = NASION_HEIGHT + 12.0
# The pupils lie a little below the deepest point of the nasal root.
EYE_HEIGHT = NASION_HEIGHT - 4.5
BROW_HEIGHT = EYE_HEIGHT + 20.0
STOMION_HEIGHT = -mean("upper_lip_height")
SUBLABIALE_HEIGHT = STOMION_HEIGHT - mean("lower_lip_height")
POGONION_HEIGHT = (SUBLABIALE_HEIGHT + GNATHION_HEIGHT) / 2

ENDOCANTHION = mean("intercanthal_width") / 2
EXOCANTHION = mean("biocular_width") / 2
PUPIL = mean("interpupillary_distance") / 2
ALARE = mean("nose_breadth") / 2
CHEILION = mean("mouth_width") / 2

# Gonion: level with the lower lip, a little before the tragion.
GONION_HEIGHT, GONION_DEPTH = STOMION_HEIGHT - 9.0, 7.0


def sagittal_depth(distance: float, height: float) -> float:
    """z of a midline point at this height whose straight distance from the tragion is given."""
    return math.sqrt(distance**2 - TRAGION_HALF_BREADTH**2 - (height - TRAGION_HEIGHT) ** 2)


NASION_DEPTH = sagittal_depth(mean("upper_face_depth"), NASION_HEIGHT)
SUBNASALE_DEPTH = sagittal_depth(mean("middle_face_depth"), 0.0)
GNATHION_DEPTH = sagittal_depth(mean("lower_face_depth"), GNATHION_HEIGHT)
# Pronasale lies above subnasale by about half the nose's protrusion (nasolabial angle near 105 degrees).
PRONASALE_HEIGHT = 0.48 * mean("nose_protrusion")
PRONASALE_DEPTH = SUBNASALE_DEPTH + math.sqrt(mean("nose_protrusion") ** 2 - PRONASALE_HEIGHT**2)
