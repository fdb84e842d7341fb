import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from densezero.errors import InputError, ProtocolError
from densezero.images import Box, ResizePlan, plan_resize

GOLDEN = Path(__file__).parent.parent / "golden" / "short_side_448.json"
ROWS = [tuple(row) for row in json.loads(GOLDEN.read_text())]


def mmcv_input_hw(image_hw, short_side_px, cap_px):
    """mmcv.rescale_size with an integer scale pair, written from its documentation, in doubles as there."""
    factor = min(cap_px / max(image_hw), short_side_px / min(image_hw))
    return tuple(int(side * float(factor) + 0.5) for side in image_hw)


@pytest.mark.parametrize(("image_h", "image_w", "input_h", "input_w"), ROWS)
def test_sizes_at_short_side_448_equal_the_reference(image_h, image_w, input_h, input_w):
    assert plan_resize((image_h, image_w), 448).input_hw == (input_h, input_w)


def test_the_long_side_drops_its_fraction_or_rounds_it():
    # 480 × 640 at 333: the long side is exactly 444; 480 × 641 gives 444.69
    assert plan_resize((480, 640), 333).input_hw == (333, 444)
    assert plan_resize((480, 641), 333).input_hw == (333, 444)
    assert plan_resize((480, 641), 333, rounding="nearest").input_hw == (333, 445)


def test_a_cap_that_binds_shortens_both_sides():
    assert plan_resize((1000, 4000), 1024, long_side_cap_px=2048).input_hw == (512, 2048)
    assert plan_resize((4000, 1000), 1024, long_side_cap_px=2048).input_hw == (2048, 512)


def test_a_cap_that_does_not_bind_changes_nothing():
    assert plan_resize((375, 500), 448, long_side_cap_px=2048) == plan_resize((375, 500), 448)


def test_the_nearest_rounding_equals_mmcv_on_many_sizes():
    draw = random.Random(0)
    sizes = [(draw.randint(1, 3000), draw.randint(1, 3000)) for _ in range(5000)]
    for image_hw in [*sizes, (480, 645), (480, 675), (1, 1), (13, 2000), (2000, 13)]:
        for short_side_px in (336, 448, 560):
            plan = plan_resize(image_hw, short_side_px, long_side_cap_px=2048, rounding="nearest")
            expected = mmcv_input_hw(image_hw, short_side_px, 2048)
            assert plan.input_hw == tuple(max(1, side) for side in expected), image_hw


def test_half_a_pixel_that_doubles_lose_is_lost_like_in_mmcv():
    # 645 × 336 / 480 is 451.5 exactly, and 451.49999999999994 in doubles
    assert plan_resize((480, 645), 336, long_side_cap_px=2048, rounding="nearest").input_hw == (336, 451)


@pytest.mark.parametrize(
    ("image_hw", "input_hw"),
    [((1, 1), (448, 448)), ((13, 2000), (448, 68923)), ((2000, 13), (68923, 448)), ((1, 448), (448, 200704))],
)
def test_extreme_shapes_get_valid_plans(image_hw, input_hw):
    assert plan_resize(image_hw, 448).input_hw == input_hw


@pytest.mark.parametrize("rounding", ["down", "nearest"])
def test_no_side_falls_below_one_pixel(rounding):
    plan = plan_resize((1, 100_000), 448, long_side_cap_px=2048, rounding=rounding)
    assert plan.input_hw == (1, 2048)


def test_the_short_side_is_exact_without_a_cap_whatever_the_image():
    draw = random.Random(1)
    for _ in range(2000):
        image_hw = (draw.randint(1, 4000), draw.randint(1, 4000))
        for rounding in ("down", "nearest"):
            assert min(plan_resize(image_hw, 448, rounding=rounding).input_hw) == 448


def test_a_turned_image_gets_the_turned_plan():
    draw = random.Random(2)
    for _ in range(500):
        height, width = draw.randint(1, 4000), draw.randint(1, 4000)
        assert (
            plan_resize((height, width), 336, 2048).input_hw == plan_resize((width, height), 336, 2048).input_hw[::-1]
        )


def test_scales_are_exact_fractions():
    plan = ResizePlan((300, 900), (448, 1344))
    assert plan.scale_y == Fraction(448, 300) == plan.scale_x


def test_the_inverse_of_the_inverse_is_the_plan():
    plan = plan_resize((375, 500), 448)
    assert plan.inverse().input_hw == (375, 500)
    assert plan.inverse().inverse() == plan
    assert plan.scale_y * plan.inverse().scale_y == 1


def test_a_box_maps_back_to_the_image_pixels_that_it_touches():
    # two input pixels to one image pixel: rows 3..8 lie on image rows 1..4, columns 0..1 on column 0
    plan = ResizePlan((10, 20), (20, 40))
    assert plan.box_in_image(Box(3, 0, 8, 1)) == Box(1, 0, 4, 1)


def test_the_whole_input_maps_to_the_whole_image():
    for image_hw in ((1, 1), (13, 2000), (375, 500), (3000, 4000)):
        plan = plan_resize(image_hw, 448)
        assert plan.box_in_image(Box(0, 0, *plan.input_hw)) == Box(0, 0, *image_hw)


def test_a_box_there_and_back_covers_itself_and_little_more():
    draw = random.Random(3)
    for _ in range(2000):
        plan = ResizePlan((draw.randint(1, 300), draw.randint(1, 300)), (draw.randint(1, 300), draw.randint(1, 300)))
        height, width = plan.image_hw
        top, left = draw.randrange(height), draw.randrange(width)
        box = Box(top, left, draw.randint(top + 1, height), draw.randint(left + 1, width))
        back = plan.box_in_image(plan.inverse().box_in_image(box))
        slack_y, slack_x = 1 + 1 / plan.scale_y, 1 + 1 / plan.scale_x  # one pixel of either image at most
        assert 0 <= box.top - back.top <= slack_y
        assert 0 <= back.bottom - box.bottom <= slack_y
        assert 0 <= box.left - back.left <= slack_x
        assert 0 <= back.right - box.right <= slack_x


def test_a_box_keeps_its_pixels_when_the_input_is_a_whole_multiple():
    plan = ResizePlan((7, 9), (21, 18))
    for top in range(7):
        for left in range(9):
            box = Box(top, left, 7, 9)
            assert plan.box_in_image(plan.inverse().box_in_image(box)) == box


def test_a_box_beyond_the_input_is_refused():
    with pytest.raises(InputError, match="within 20 × 40"):
        ResizePlan((10, 20), (20, 40)).box_in_image(Box(0, 0, 21, 1))


@pytest.mark.parametrize("sides", [(0, 0, 0, 1), (0, 0, 1, 0), (-1, 0, 1, 1), (2, 0, 1, 1)])
def test_a_box_without_pixels_is_refused(sides):
    with pytest.raises(InputError, match="at least one pixel"):
        Box(*sides)


@pytest.mark.parametrize("image_hw", [(0, 5), (5, 0), (-1, 5)])
def test_an_image_without_pixels_is_refused(image_hw):
    with pytest.raises(InputError, match="image_hw"):
        plan_resize(image_hw, 448)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"short_side_px": 0}, "short_side_px"),
        ({"short_side_px": 448, "long_side_cap_px": 0}, "long_side_cap_px"),
        ({"short_side_px": 448, "rounding": "up"}, "down, nearest"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings, named):
    with pytest.raises(ProtocolError, match=named):
        plan_resize((10, 10), **settings)
