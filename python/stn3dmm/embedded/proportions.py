"""Numbers that approximate published averages of the adult face: distances between landmarks, and their spread.

The few other numbers about people stand where they are used: the breadths of the sections in `head`, the eyeball
and how far it stands out in `features`, heights in `anatomy`.

Sources:
    Farkas 1994: L. G. Farkas (ed.), Anthropometry of the Head and Face, 2nd edition, Raven Press, 1994.
    Farkas 2005: L. G. Farkas et al., International anthropometric study of facial morphology in various
        ethnic groups/races, Journal of Craniofacial Surgery 16(4), 2005.
    NIOSH 2005: Z. Zhuang, B. Bradtmiller, Head-and-face anthropometric survey of U.S. respirator users,
        Journal of Occupational and Environmental Hygiene 2(11), 2005.
    ANSUR 1988: C. C. Gordon et al., 1988 Anthropometric Survey of U.S. Army Personnel, NATICK/TR-89/044, 1989.

Means are midway between the male and the female mean; standard deviations pool the two sexes, the
difference of their means included. Both are rounded, to 0.5 mm above 10 mm and to 0.1 mm below: populations differ
by more than that. They approximate the sources and are not quotations: the rows have not been checked against
the printed tables one by one. The depths from the tragion are Farkas's within a few millimetres, settled so that a tape
around the finished face has the length of NIOSH's bitragion arcs; nothing else uses the arcs.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A distance or an arc between anthropometric landmarks of adults."""

    symbol: str  # Farkas's landmark symbols
    mean: float  # mm
    deviation: float  # mm, one standard deviation
    source: str


MEASUREMENTS: dict[str, Measurement] = {
    "bizygomatic_breadth": Measurement("zy-zy", 139.5, 8.0, "NIOSH 2005"),
    "bigonial_breadth": Measurement("go-go", 115.0, 11.0, "NIOSH 2005"),
    "bitragion_breadth": Measurement("t-t", 139.0, 7.5, "ANSUR 1988"),
    "minimum_frontal_breadth": Measurement("ft-ft", 104.0, 5.5, "NIOSH 2005"),
    "forehead_height": Measurement("tr-n", 65.0, 7.0, "Farkas 2005"),
    "face_height": Measurement("n-gn", 118.0, 8.0, "NIOSH 2005"),
    "upper_face_depth": Measurement("t-n", 120.0, 5.5, "Farkas 1994; NIOSH 2005"),
    "middle_face_depth": Measurement("t-sn", 126.0, 6.0, "Farkas 1994; NIOSH 2005"),
    "lower_face_depth": Measurement("t-gn", 144.0, 8.0, "Farkas 1994; NIOSH 2005"),
    "intercanthal_width": Measurement("en-en", 32.5, 2.6, "Farkas 2005"),
    "biocular_width": Measurement("ex-ex", 89.5, 3.6, "Farkas 2005"),
    "interpupillary_distance": Measurement("p-p", 63.0, 3.8, "NIOSH 2005"),
    "eye_fissure_height": Measurement("ps-pi", 10.6, 1.1, "Farkas 1994"),
    "nose_height": Measurement("n-sn", 50.0, 4.5, "NIOSH 2005"),
    "nose_breadth": Measurement("al-al", 35.0, 4.4, "NIOSH 2005"),
    "nose_protrusion": Measurement("sn-prn", 20.5, 2.8, "NIOSH 2005"),
    "upper_lip_height": Measurement("sn-sto", 21.0, 2.3, "Farkas 1994"),
    "upper_vermilion_height": Measurement("ls-sto", 8.4, 1.4, "Farkas 1994"),
    "lower_vermilion_height": Measurement("sto-li", 9.4, 1.5, "Farkas 1994"),
    "lower_lip_height": Measurement("sto-sl", 18.5, 2.1, "Farkas 1994"),
    "mouth_width": Measurement("ch-ch", 51.0, 4.2, "Farkas 2005; NIOSH 2005"),
    "philtrum_width": Measurement("cph-cph", 11.0, 1.7, "Farkas 1994"),
    "ear_length": Measurement("sa-sba", 60.5, 4.2, "Farkas 1994"),
    "ear_width": Measurement("pra-pa", 34.5, 2.6, "Farkas 1994"),
    "bitragion_frontal_arc": Measurement("t-g-t", 296.0, 15.5, "NIOSH 2005"),
    "bitragion_subnasale_arc": Measurement("t-sn-t", 286.0, 15.5, "NIOSH 2005"),
    "bitragion_chin_arc": Measurement("t-pg-t", 317.5, 20.5, "NIOSH 2005"),
}


def mean(name: str) -> float:
    """The mean of a measurement, millimetres.

    >>> mean("nose_height")
    50.0
    """
    return MEASUREMENTS[name].mean


def deviation(name: str) -> float:
    """One standard deviation of a measurement, millimetres."""
    return MEASUREMENTS[name].deviation
