"""No two texts of a figure overlap, none leaves the page, none is under 6 pt: by matplotlib's own boxes."""

import itertools
from unittest.mock import Mock

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from densezero.features.choices import FigureStyle
from densezero.features.figure.heat import HeatRow, draw_heat, plan_heat
from densezero.features.figure.layout import Section, plan_figure
from densezero.features.figure.panels import Panel, draw_figure
from densezero.features.sources import Source, caption_columns
from tests.figure_texts import check_texts, watch_figures

SHORT = ("tipsv2-b14", "tipsv2-l14", "nano", "tips-s14")
LONG = (
    "open_clip:ViT-SO400M-16-SigLIP2-512/webli", "timm:vit_giant_patch14_reg4_dinov2.lvd142m",
    "/data/weights/of-a-long-experiment_2026-11/checkpoint_000012000", "open_clip:EVA02-E-14-plus/laion2b_s9b_b144k",
)  # fmt: skip
WORDS = {
    "short": ("sky", "sea", "boat", "grass"),
    "long": ("a photograph of a sailing ship on a rough sea at night", "Donaudampfschifffahrtsgesellschaftskapitän",
             "grass, trees and everything else that grows", "снег на крышах старого города"),
}  # fmt: skip
RATIOS = (0.66, 1.5, 1.0, 0.3)


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.setattr("densezero.features.figure.panels.axes_at", Mock())  # pictures take long and hold no text
    return watch_figures(monkeypatch, "densezero.features.figure.panels.draw_pages")


def pictures(count):
    ratios = [RATIOS[place % len(RATIOS)] for place in range(count)]
    return ratios, [np.full((max(1, round(40 * ratio)), 40, 3), 90, np.uint8) for ratio in ratios]


@pytest.mark.parametrize("width_mm", [60, 85, 180])
@pytest.mark.parametrize("names", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("cell", ["fit", "square", "height"])
def test_comparisons_of_encoders(figures, width_mm, names, cell):
    for images, encoders in itertools.product((1, 2, 12), (1, 2, 3, 4)):
        title = "" if images % 2 else "Patch features of several encoders on the same photographs, with colours aligned"
        style = FigureStyle(width_mm, title, cell=cell)
        captions = caption_columns([Source(name, "patch") for name in names[:encoders]], ("pca",))
        ratios, rgb = pictures(images)
        plan = plan_figure([Section(tuple(captions), tuple(ratios))], style)
        draw_figure(plan, [[[Panel(one)] * (encoders + 1) for one in rgb]], "png")
        assert sum(len(page.rows) for page in plan.pages) == images
    assert len(figures) >= 12


@pytest.mark.parametrize("width_mm", [60, 85, 180])
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("each", [False, True])
def test_heat_maps(figures, width_mm, words, each):
    for images, maps in itertools.product((1, 3, 12), (1, 2, 4)):
        style = FigureStyle(width_mm, "Similarity" if maps == 2 else "", font_pt=6 if maps == 4 else 7)
        ratios, rgb = pictures(images)
        plan = plan_heat(ratios, WORDS[words][:maps], style, each=each)
        values = [np.linspace(-0.4213, 0.3987, one.shape[0] * 40, dtype=np.float32).reshape(-1, 40) for one in rgb]
        draw_heat(plan, [HeatRow(one, (value,) * maps) for one, value in zip(rgb, values, strict=True)], each=each)
    assert len(figures) >= 9


def test_an_overlap_would_be_seen():
    figure = Figure(figsize=(2, 1), dpi=300)
    FigureCanvasAgg(figure)
    figure.text(0.5, 0.5, "one text", ha="center")
    check_texts(figure)
    figure.text(0.6, 0.5, "another", ha="center")
    with pytest.raises(AssertionError):
        check_texts(figure)
    cut = Figure(figsize=(2, 1), dpi=300)
    FigureCanvasAgg(cut)
    cut.text(0.9, 0.5, "beyond the page")
    with pytest.raises(AssertionError):
        check_texts(cut)
