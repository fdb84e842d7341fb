"""Runs of pixels: a window's scores there lie between those at the run's ends."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from densezero.engine.corners import Axis
from densezero.engine.runs import runs_along
from densezero.engine.squares import SIDE
from densezero.engine.upsample import Span, axis_blend

# Patches, begin, length, pixels of the map, pixels of the image.
AXES = [
    (Axis(8, 0, 56, 75, 97), Axis(8, 19, 56, 75, 97)),  # two windows, enlarged
    (Axis(8, 0, 56, 75, 40), Axis(8, 19, 56, 75, 40)),  # made smaller
    (Axis(4, 0, 56, 56, 56),),  # as large as the map
    (Axis(5, 0, 90, 90, 90),),  # hung on the patches in one step
    (Axis(1, 0, 14, 14, 31),),
    (Axis(9, 0, 6, 6, 11),),  # more patches than pixels
]


def at_ends(ends, patches):
    """(R, 2) scores at the first and the last map pixel of each run."""
    return ends.blend(patches[ends.patches, None], 0).view(-1, 2)


@pytest.mark.parametrize("axes", AXES)
def test_runs_cover_every_pixel_once_and_begin_in_every_square(axes):
    runs = runs_along(axes)
    assert (runs.spans[0].start, runs.spans[-1].end) == (0, axes[0].image_px)
    assert all(last.end == first.start for last, first in itertools.pairwise(runs.spans))
    assert all(1 <= span.end - span.start <= SIDE for span in runs.spans)
    assert [runs.spans[begin].start for begin in runs.begins[:-1]] == list(range(0, axes[0].image_px, SIDE))


@pytest.mark.parametrize("axes", AXES)
def test_shorter_runs_are_the_same_cut_once_more(axes):
    long, short = runs_along(axes), runs_along(axes, 8)
    assert all(span.end - span.start <= 8 for span in short.spans)
    starts = {span.start for span in long.spans} | set(range(0, axes[0].image_px, 8))
    assert [span.start for span in short.spans] == sorted(starts)
    assert [short.spans[begin].start for begin in short.begins[:-1]] == list(range(0, axes[0].image_px, SIDE))


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("seed", range(3))
def test_the_map_under_a_run_lies_between_its_ends_in_every_window(axes, seed):
    for index, axis in enumerate(axes):
        patches = torch.randn(axis.patches, generator=torch.Generator().manual_seed(seed + index))
        window = F.interpolate(patches[None, None], size=axis.length, mode="linear", align_corners=False)[0, 0]
        resize = axis_blend(Span(0, axis.image_px), axis.map_px, axis.image_px)
        for part in runs_along(axes).parts(2):
            ends = part.windows[index]
            for span, reached, values in zip(part.spans, ends.reached, at_ends(ends, patches), strict=True):
                hung_on = resize.low[span.start : span.end].tolist() + resize.high[span.start : span.end].tolist()
                inside = [place - axis.begin for place in hung_on if 0 <= place - axis.begin < axis.length]
                if axis.map_px == axis.image_px:
                    inside = [place - axis.begin for place in range(*span)]
                assert reached == bool(inside)
                if reached:
                    under = window[inside]
                    assert values.min() - 1e-6 <= under.min() and under.max() <= values.max() + 1e-6


def test_runs_worked_out_by_hand():
    # Four patches over 40 pixels: their centres lie at 4.5, 14.5, 24.5 and 34.5; squares begin at 0, 16 and 32.
    runs = runs_along((Axis(4, 0, 40, 40, 40),))
    assert [span.start for span in runs.spans] == [0, 15, 16, 25, 32, 35]
    assert runs.begins == [0, 2, 4, 6]
    found = at_ends(runs.windows[0], torch.tensor([0.0, 10, 20, 30]))
    torch.testing.assert_close(found[:3], torch.tensor([[0, 9.5], [10.5, 10.5], [11.5, 19.5]]))


def test_pixels_on_both_sides_of_a_patch_centre_make_a_run():
    # Two pixels of the image for each of the map, whose patch centres lie at 1.5 and 5.5.
    runs = runs_along((Axis(2, 0, 8, 8, 16),))
    assert runs.spans == [Span(0, 11), Span(11, 13), Span(13, 16)]  # pixels 11 and 12 hang on the map's 5 and 6


def test_parts_hang_on_their_own_patches():
    runs = runs_along((Axis(4, 0, 40, 40, 40),))
    patches = torch.tensor([0.0, 10, 20, 30])
    parts = runs.parts(1)
    assert [part.windows[0].patches for part in parts] == [slice(0, 3), slice(1, 4), slice(2, 4)]
    assert [part.first for part in parts] == [0, 1, 2]
    whole = at_ends(runs.windows[0], patches)
    torch.testing.assert_close(torch.cat([at_ends(part.windows[0], patches) for part in parts]), whole)


def test_beside_a_window_nothing_is_reached():
    runs = runs_along((Axis(2, 20, 20, 40, 80),))
    reached = dict(zip((span.start for span in runs.spans), runs.windows[0].reached, strict=True))
    assert not reached[0]
    assert all(reached[start] for start in reached if start >= 39)
