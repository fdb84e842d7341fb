"""Checks the texts of figures by matplotlib's own boxes: none overlaps another, leaves the page, or is under 6 pt."""

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from densezero.features.figure import sheet


def watch_figures(monkeypatch, place):
    """Check every figure that is drawn from now on by the function at ``place``, and collect them all."""
    drawn = []

    def keep(pages, form="png", dpi=72):
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcParams.update(sheet._STYLE)
            matplotlib.rcParams["font.family"] = list(sheet._families())
            for page in pages:
                figure = Figure(figsize=(page.width_in, page.height_in), dpi=300)
                FigureCanvasAgg(figure)
                page.paint(figure)
                check_texts(figure)
                drawn.append(figure)
        return [b""] * len(pages)

    monkeypatch.setattr(place, keep)
    return drawn


def check_texts(figure):
    renderer = figure.canvas.get_renderer()
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if is_drawn(text)]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    assert boxes
    page = figure.bbox
    for text, box in boxes:
        assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1, (text, box)
        assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1, (text, box)
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        tall = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert wide <= 1 or tall <= 1, (one, other)
    assert min(text.get_fontsize() for text in texts) >= 6


def is_drawn(text):
    """Axes that are switched off draw their own texts, and neither ticks nor labels."""
    on = text.axes is None or text.axes.axison or text in text.axes.texts
    return on and text.get_visible() and bool(text.get_text().strip())
