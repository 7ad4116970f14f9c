"""Training data: labelled images for localisers."""
