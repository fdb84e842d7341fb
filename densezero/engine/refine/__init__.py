"""Refinement: scores follow the edges of the image. Pure functions on tensors; the papers define their numbers."""

from densezero.engine.refine.grid import grid_solve
from densezero.engine.refine.pixel_adaptive import pamr

__all__ = ["grid_solve", "pamr"]
