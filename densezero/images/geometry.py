"""Sizes and boxes of an image and of its model input, in integers, in both directions."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, get_args

from densezero.errors import InputError, ProtocolError

Rounding = Literal["down", "nearest"]
_ROUNDINGS: Final[tuple[str, ...]] = get_args(Rounding)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels: rows ``top`` to ``bottom``, columns ``left`` to ``right``; the ends are excluded."""

    top: int
    left: int
    bottom: int
    right: int

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom and 0 <= self.left < self.right):
            raise InputError(
                f"expected a box of at least one pixel with no negative side, but got {self}; check the order"
            )


@dataclass(frozen=True, slots=True)
class ResizePlan:
    """The size of an image and the size of its model input.

    Attributes:
        image_hw: (H, W) of the image, pixels, each at least 1.
        input_hw: (h, w) of the model input, pixels, each at least 1.
    """

    image_hw: tuple[int, int]
    input_hw: tuple[int, int]

    def __post_init__(self) -> None:
        _check_hw("image_hw", self.image_hw)
        _check_hw("input_hw", self.input_hw)

    @property
    def scale_y(self) -> Fraction:
        """Rows of the input per row of the image, exact."""
        return Fraction(self.input_hw[0], self.image_hw[0])

    @property
    def scale_x(self) -> Fraction:
        """Columns of the input per column of the image, exact."""
        return Fraction(self.input_hw[1], self.image_hw[1])

    def inverse(self) -> "ResizePlan":
        """Return the plan from the model input back to the image."""
        return ResizePlan(image_hw=self.input_hw, input_hw=self.image_hw)

    def box_in_image(self, box: Box) -> Box:
        """Find the smallest box of whole image pixels that covers a box of the model input.

        The other direction is ``plan.inverse().box_in_image(box)``. Both directions together give a box that covers the
        first one.

        Args:
            box: pixels of the input, within (h, w).

        Returns:
            Pixels of the image, within (H, W).

        Raises:
            InputError: the box extends beyond the input.
        """
        (image_h, image_w), (input_h, input_w) = self.image_hw, self.input_hw
        if box.bottom > input_h or box.right > input_w:
            raise InputError(f"expected a box within {input_h} × {input_w} pixels, but got {box}; cut it to that size")
        return Box(
            top=box.top * image_h // input_h,
            left=box.left * image_w // input_w,
            bottom=-(-box.bottom * image_h // input_h),
            right=-(-box.right * image_w // input_w),
        )


def plan_resize(
    image_hw: tuple[int, int],
    short_side_px: int,
    long_side_cap_px: int | None = None,
    rounding: Rounding = "down",
) -> ResizePlan:
    """Plan a resize that keeps the aspect ratio and gives the short side a certain length.

    ``"down"`` drops fractions of a pixel, in exact integers, as the TIPSv2 notebook does. ``"nearest"`` rounds as
    ``Resize(scale=(cap, short), keep_ratio=True)`` of mmcv does, the convention of the training-free papers.

    Args:
        image_hw: (H, W) of the image, pixels, each at least 1.
        short_side_px: short side of the input, pixels, at least 1.
        long_side_cap_px: greatest long side, pixels. If it applies, the short side is shorter than ``short_side_px``.
        rounding: how fractions of a pixel are rounded.

    Returns:
        The plan; every side is at least 1 pixel.

    Raises:
        InputError: an image side below 1.
        ProtocolError: a side or cap below 1, or an unknown rounding.

    Example:
        >>> plan_resize((512, 683), short_side_px=448).input_hw
        (448, 597)
    """
    _check_hw("image_hw", image_hw)
    _check_settings(short_side_px, long_side_cap_px, rounding)
    height, width = image_hw
    target, side = short_side_px, min(image_hw)  # the factor is target / side
    if long_side_cap_px is not None and long_side_cap_px * min(image_hw) < short_side_px * max(image_hw):
        target, side = long_side_cap_px, max(image_hw)
    if rounding == "down":
        input_hw = (height * target // side, width * target // side)
    else:
        factor = target / side  # doubles, as in mmcv: 480 × 645 at 336 has 451 columns there, though 451.5 is exact
        input_hw = (int(height * factor + 0.5), int(width * factor + 0.5))
    return ResizePlan(image_hw=image_hw, input_hw=(max(1, input_hw[0]), max(1, input_hw[1])))


def _check_hw(name: str, hw: tuple[int, int]) -> None:
    if len(hw) != 2 or min(hw) < 1:
        raise InputError(f"expected {name} as (height, width) of at least 1 pixel each, but got {hw}; check the order")


def _check_settings(short_side_px: int, long_side_cap_px: int | None, rounding: str) -> None:
    if short_side_px < 1:
        raise ProtocolError(f"expected short_side_px of at least 1, but got {short_side_px}; try 448")
    if long_side_cap_px is not None and long_side_cap_px < 1:
        raise ProtocolError(f"expected long_side_cap_px of at least 1 or None, but got {long_side_cap_px}; try 2048")
    if rounding not in _ROUNDINGS:
        raise ProtocolError(f"expected rounding to be one of {', '.join(_ROUNDINGS)}, but got {rounding!r}")
