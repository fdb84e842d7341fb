"""The texts of a report's figures: bars, confusion matrix, gallery."""

import itertools

import numpy as np
import pytest

from densezero.evaluation.figure import draw_class_bars, draw_confusion
from densezero.evaluation.gallery import GalleryImage, draw_gallery
from densezero.evaluation.report import score_counts
from tests.evaluation.reports import make_report
from tests.figure_texts import watch_figures

SHORT = ("sky", "sea", "boat", "wall", "bed")
LONG = (
    "swivel chair with armrests and a headrest", "Donaudampfschifffahrtsgesellschaftskapitän", "traffic light",
    "chest of drawers, chest, bureau, dresser", "снег на крышах старого города",
)  # fmt: skip
HWS = ((48, 64), (64, 48), (10, 120), (120, 10))


@pytest.fixture
def figures(monkeypatch):
    return watch_figures(monkeypatch, "densezero.features.figure.sheet.draw_pages")


def report_of(count, names, highest=100):
    """A report of classes that are never, sometimes and always right, the last one absent."""
    chance = np.random.default_rng(count)
    rights = np.linspace(0, highest, count)
    confusion = np.diag(np.round(rights * 10).astype(np.int64)) + chance.integers(0, 40, (count, count))
    confusion[-1], confusion[:, -1] = 0, 0
    scores, per_class = score_counts(confusion, [f"{names[i % len(names)]} {i}" for i in range(count)])
    model = "open_clip:ViT-SO400M-16-SigLIP2-512/webli" if names is LONG else "nano"
    return make_report(model=model, scores=scores, per_class=per_class, confusion=confusion.tolist())


@pytest.mark.parametrize("count", [2, 3, 11, 21, 40, 81, 150])
@pytest.mark.parametrize("names", [SHORT, LONG], ids=["short", "long"])
def test_bars_and_confusion(figures, count, names):
    draw_class_bars(report_of(count, names))
    draw_confusion(report_of(count, names))
    assert len(figures) == 2


@pytest.mark.parametrize("highest", [0, 2, 6, 30])
def test_bars_on_every_scale(figures, highest):
    draw_class_bars(report_of(30, SHORT, highest))
    assert len(figures) == 1


@pytest.mark.parametrize("names", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("classes", [1, 4, 60])
def test_the_gallery(figures, names, classes):
    words = [f"{names[i % len(names)]} {i}" for i in range(classes)]
    colours = np.full((classes, 3), 99, np.uint8)
    rows = []
    for (place, hw), note in itertools.product(enumerate(HWS), ("", "the report has 12.34 %")):
        labels = np.arange(hw[0] * hw[1]).reshape(hw) % classes
        truth = np.where(labels == place, 255, labels)
        name = f"a folder with a long name/{names[place]}/photograph number {place}.jpg"
        rows.append(
            GalleryImage(
                name, f"worst {place}", np.zeros((*hw, 3), np.uint8), truth, labels, np.full(classes, 50.0), 50, note
            )
        )
    for count in (1, len(rows)):
        draw_gallery(rows[:count], words, colours, "nano on ade20k, tips-slide, 2000 images")
    assert len(figures) == 2
