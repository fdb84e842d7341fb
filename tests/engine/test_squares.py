"""Squares of an image, each blended of channels of its own: as the whole image of all channels, to the last bit."""

import pytest
import torch

from densezero.engine import window_boxes
from densezero.engine.contenders import Contest
from densezero.engine.corners import Axis
from densezero.engine.scores import BlendedScores, GridScores
from densezero.engine.squares import SIDE, SomeSquares, squares_along
from densezero.engine.upsample import Span


def random_grids(windows, words, gh, gw):
    return 0.2 * torch.randn(windows, words, gh, gw, generator=torch.Generator().manual_seed(0))


def blended(softmax, stride=28):
    windows = window_boxes(75, 96, 56, stride)
    return BlendedScores(random_grids(len(windows), 9, 8, 8), windows, (75, 96), softmax)


MAPS = {
    "grid": lambda: GridScores(random_grids(1, 9, 9, 12)[0]),
    "softmax": lambda: blended(softmax=True),
    "cosine": lambda: blended(softmax=False),
    "many windows": lambda: blended(softmax=True, stride=10),
}


@pytest.mark.parametrize("hw", [(97, 130), (5, 7), (64, 1), (300, 41), (75, 96), (75, 130)])
@pytest.mark.parametrize("name", MAPS)
def test_squares_equal_the_resized_map_to_the_last_bit(name, hw):
    scores = MAPS[name]()
    _, groups = Contest(scores, hw).outcome()
    assert groups
    for squares, channels in groups:
        found = scores.in_squares(squares, channels)
        for row, column, some, square in zip(squares.rows, squares.columns, channels, found, strict=True):
            top, left = int(row) * SIDE, int(column) * SIDE
            spans = Span(top, min(top + SIDE, hw[0])), Span(left, min(left + SIDE, hw[1]))
            expected = scores.resized(*spans, hw)[some]
            assert torch.equal(square[:, : expected.shape[1], : expected.shape[2]], expected)


@pytest.mark.parametrize("hw", [(97, 130), (5, 7), (64, 1), (30, 41), (75, 130)])
@pytest.mark.parametrize("name", MAPS)
def test_single_pixels_equal_the_resized_map_to_the_last_bit(name, hw):
    scores = MAPS[name]()
    down, across = scores.axes(hw)
    axes = squares_along(down, 1), squares_along(across, 1)
    rows, columns = (places.flatten() for places in torch.meshgrid(*map(torch.arange, hw), indexing="ij"))
    channels = torch.arange(9).expand(len(rows), 9)
    found = scores.in_squares(SomeSquares(axes, rows, columns), channels)
    assert torch.equal(found[:, :, 0, 0].T.view(9, *hw), scores.resized(Span(0, hw[0]), Span(0, hw[1]), hw))


def test_squares_worked_out_by_hand():
    # A map of 20 pixels at twice its size: its pixel m lies at 2 m + 0.5. Its window reaches from pixel 10 on.
    squares = squares_along((Axis(2, 10, 10, 20, 40),))
    assert squares.pixels[:, 0].tolist() == [0, 16, 32]
    assert squares.pixels[2].tolist() == [*range(32, 40), *[39] * 8]
    assert squares.map_pixels[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert squares.map_pixels[1].tolist() == [7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    assert squares.resize is not None
    assert squares.resize.share[0, :4].tolist() == [0, 0.25, 0.75, 0.25]
    (window,) = squares.windows
    assert window.inside[1].tolist() == [False] * 3 + [True] * 7
    assert window.places[1].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]


def test_the_patches_of_squares_worked_out_by_hand():
    # Patches of 4 pixels: pixel p lies at patch p / 4 - 0.375. Pixel 15 hangs on patches 3 and 4, and so does pixel 16.
    (window,) = squares_along((Axis(5, 0, 20, 20, 20),)).windows
    marks = torch.eye(5, dtype=torch.bool)  # one patch is marked in each column
    assert window.anywhere(marks, 0).tolist() == [[True, True, True, True, True], [False, False, False, True, True]]
    # Here a window begins at pixel 16, so that the first square does not reach it.
    (window,) = squares_along((Axis(1, 16, 4, 20, 20),)).windows
    assert window.anywhere(torch.ones(1, 1, dtype=torch.bool), 0).tolist() == [[False], [True]]


@pytest.mark.parametrize("axis", [Axis(8, 0, 56, 96, 130), Axis(8, 40, 56, 96, 41), Axis(9, 0, 300, 300, 300)])
def test_a_square_is_marked_where_a_patch_of_one_of_its_pixels_is(axis):
    (window,) = squares_along((axis,)).windows
    marks = torch.eye(axis.patches, dtype=torch.bool)
    found = window.anywhere(marks, 0)
    step = axis.map_px / axis.image_px
    for pixel in range(axis.image_px):
        at = min(max((pixel + 0.5) * step - 0.5, 0), axis.map_px - 1) - axis.begin  # of the window's pixels
        if 0 <= at <= axis.length - 1:
            patch = min(max((at + 0.5) * axis.patches / axis.length - 0.5, 0), axis.patches - 1)
            assert found[pixel // SIDE, round(patch)]


def test_a_map_of_the_image_s_size_is_not_resized():
    assert squares_along((Axis(4, 0, 56, 56, 56),)).resize is None
