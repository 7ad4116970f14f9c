"""Synthetic faces: the embedded model with procedural textures, light, backgrounds and occluders, and the truth.

`config` says what they may be like; `people` draws who is seen and how, `complexion` paints the texture on the
`regions` of the face, `body` adds hair, neck, shoulders and glasses, `lighting` the light; `scene` renders all of it
through one `atlas` of colours, `scenery` puts it before a background and behind occluders, `camera` takes the picture;
`faces` is the data set, `sheet` pictures of it. All random numbers come from `draws`.
"""

from .config import SyntheticConfig
from .faces import SyntheticFaces, SyntheticSamples

__all__ = ["SyntheticConfig", "SyntheticFaces", "SyntheticSamples"]
