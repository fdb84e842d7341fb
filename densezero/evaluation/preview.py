"""A picture of what a model in training makes of some images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.catalog import load_encoder
from densezero.engine import Segmenter, find_protocol
from densezero.features.choices import FigureStyle
from densezero.features.figure.layout import Section, plan_figure
from densezero.features.figure.panels import Panel, draw_figure
from densezero.output.overlay import draw_overlay


def draw_masks(model: Path, images: Sequence[NDArray[np.uint8]], words: Sequence[str]) -> bytes:
    """Draw the masks of a model beside each image, (H, W, 3) each: the content of a PNG file."""
    segmenter = Segmenter(load_encoder(str(model), "cpu"), list(words), find_protocol("tips-simple"))
    rows = [[Panel(rgb), Panel(draw_overlay(rgb, segmenter.segment(rgb).labels, segmenter.classes))] for rgb in images]
    ratios = tuple(rgb.shape[0] / rgb.shape[1] for rgb in images)
    plan = plan_figure([Section(("image", "masks"), ratios)], FigureStyle(130, dpi=200))
    return draw_figure(plan, [rows], "png")[0]
