"""Pictures of meshes: colours, textures, light, normals, depth and edges, all through `stn3dmm_cuda.rasterize`.

The data's way: points -> fragments (`stn3dmm_cuda.rasterize`) -> values of the pixels (`interpolate`,
`grid_coordinates`, `wireframe`) -> `overlay` on a photograph. `render` and `render_texture` go all of it, with edges
smoothed by supersampling.

Convention:
    Points are pixels with depth, as `stn3dmm_cuda.project` gives them: x right, y down, a larger depth is nearer.
    Normals and the directions of lights are in the view frame: x right, y up, z towards the viewer. A `Rendering` is
    premultiplied: its image is already weighted with its coverage.
"""

from .light import Lights, normals, shade
from .pictures import Rendering, magnify, overlay, reduce, render, render_texture
from .values import grid_coordinates, interpolate, wireframe

__all__ = [
    "Lights",
    "Rendering",
    "grid_coordinates",
    "interpolate",
    "magnify",
    "normals",
    "overlay",
    "reduce",
    "render",
    "render_texture",
    "shade",
    "wireframe",
]
