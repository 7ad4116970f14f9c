"""Networks that look at a photograph and say where the morphable model lies in it.

A `Localiser` is a trunk, which makes features of an image, and a `ThetaHead`, which makes theta of them. Three trunks
are at hand (`LocaliserConfig.name`), and `wrap` takes any other network.
"""

from stn3dmm.localiser.compact import CompactTrunk
from stn3dmm.localiser.config import LocaliserConfig
from stn3dmm.localiser.head import ThetaHead, mean_face_theta
from stn3dmm.localiser.network import Localiser, build_localiser, wrap
from stn3dmm.localiser.pretrained import TorchvisionTrunk
from stn3dmm.localiser.vgg_face import VggFaceTrunk

__all__ = [
    "CompactTrunk",
    "Localiser",
    "LocaliserConfig",
    "ThetaHead",
    "TorchvisionTrunk",
    "VggFaceTrunk",
    "build_localiser",
    "mean_face_theta",
    "wrap",
]
