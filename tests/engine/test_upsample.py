import pytest
import torch
import torch.nn.functional as F

from densezero.engine.upsample import Span, axis_blend, blend

# Source rows and columns, target rows and columns.
RESIZES = [
    (4, 6, 9, 15),
    (9, 15, 4, 6),
    (1, 1, 7, 5),
    (1, 5, 5, 1),
    (13, 3, 448, 11),
    (448, 11, 13, 3),
    (1, 4, 5, 4),
    (5, 4, 1, 4),
    (8, 8, 8, 8),
    (32, 43, 700, 2),
    (448, 2, 1, 9),
]


def whole_by_torch(source, hw):
    return F.interpolate(source[None], size=hw, mode="bilinear", align_corners=False)[0]


def whole_by_blend(source, hw):
    return part_by_blend(source, hw, Span(0, hw[0]), Span(0, hw[1]))


def part_by_blend(source, hw, rows, columns):
    down, across = axis_blend(rows, source.shape[1], hw[0]), axis_blend(columns, source.shape[2], hw[1])
    return blend(source[:, slice(*down.span), slice(*across.span)], down, across)


def random_source(rows, columns):
    return torch.randn(3, rows, columns, generator=torch.Generator().manual_seed(rows + columns))


def test_two_rows_made_four_worked_out_by_hand():
    # Centres of the target rows lie at -0.25, 0.25, 0.75 and 1.25 of the source; the first is pulled to 0.
    plan = axis_blend(Span(0, 4), sources=2, targets=4)
    assert plan.low.tolist() == [0, 0, 0, 1]
    assert plan.high.tolist() == [1, 1, 1, 1]
    assert plan.share.tolist() == [0, 0.25, 0.75, 0.25]


def test_rows_blended_by_hand():
    source = torch.tensor([[[10.0], [20.0]]])
    assert whole_by_blend(source, (4, 1)).flatten().tolist() == [10, 12.5, 17.5, 20]


def test_four_rows_made_two_take_the_middle_pairs():
    # Centres at 0.5 and 2.5: no antialias, so each takes the mean of two rows.
    assert whole_by_blend(torch.tensor([[[0.0], [4.0], [10.0], [20.0]]]), (2, 1)).flatten().tolist() == [2, 15]


def test_the_span_holds_the_source_rows_that_are_needed_and_no_more():
    assert axis_blend(Span(0, 4), 2, 4).span == (0, 2)
    assert axis_blend(Span(2, 4), sources=8, targets=4).span == (4, 8)
    assert axis_blend(Span(2, 3), sources=99, targets=100).span == (1, 3)
    assert axis_blend(Span(2, 3), sources=100, targets=100).span == (2, 3)


@pytest.mark.parametrize(("rows", "columns", "height", "width"), RESIZES)
def test_the_whole_equals_torch(rows, columns, height, width):
    source = random_source(rows, columns)
    ours, theirs = whole_by_blend(source, (height, width)), whole_by_torch(source, (height, width))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.parametrize("side", [1, 2, 5])
@pytest.mark.parametrize(("rows", "columns", "height", "width"), RESIZES)
def test_parts_equal_the_whole_to_the_last_bit(rows, columns, height, width, side):
    source, hw = random_source(rows, columns), (height, width)
    whole = whole_by_blend(source, hw)
    for top in range(0, height, max(side, height // 5)):
        for left in range(0, width, max(side, width // 5)):
            down, across = Span(top, min(top + side, height)), Span(left, min(left + side, width))
            part = part_by_blend(source, hw, down, across)
            assert torch.equal(part, whole[:, slice(*down), slice(*across)])


@pytest.mark.parametrize(("rows", "height"), [(4, 4), (4, 9), (448, 13), (13, 448), (1, 5), (7, 3001)])
def test_shares_lie_between_nought_and_one_and_rows_inside_the_source(rows, height):
    plan = axis_blend(Span(0, height), rows, height)
    assert float(plan.share.min()) >= 0
    assert float(plan.share.max()) <= 1
    assert plan.span.start + int(plan.low.min()) >= 0
    assert plan.span.start + int(plan.high.max()) <= rows - 1


def test_blending_leaves_the_source_as_it_was():
    source = random_source(4, 6)
    before = source.clone()
    whole_by_blend(source, (9, 6))
    whole_by_blend(source, (4, 6))
    assert torch.equal(source, before)


def test_a_constant_stays_constant():
    made = whole_by_blend(torch.full((2, 5, 7), 0.3), (61, 13))
    torch.testing.assert_close(made, torch.full((2, 61, 13), 0.3), rtol=0, atol=1e-7)
