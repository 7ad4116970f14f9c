"""Blendshapes as modes of a morphable model."""

from __future__ import annotations

# A blendshape is drawn to be used with weights between 0 (neutral) and 1 (the whole expression) and has no standard
# deviation. A mode has one, and alpha ~ N(0, 1). With 0.5 the whole expression lies two standard deviations out.
STANDARD_DEVIATION = 0.5  # of a blendshape's weight
