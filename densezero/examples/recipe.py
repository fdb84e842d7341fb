"""The part of a protocol that decides the features of an image. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from densezero.images.geometry import ResizePlan, Rounding
    from densezero.images.windows import Window


@dataclass(frozen=True)
class Recipe:
    """Sizes, windows and read-out, as ``Protocol`` explains them."""

    short_side_px: int
    long_side_cap_px: int
    rounding: Rounding
    window_px: int | None
    stride_px: int
    readout: str

    def plan(self, image_hw: tuple[int, int]) -> ResizePlan:
        """Plan the model input (h, w) of an image of (H, W)."""
        from densezero.images.geometry import plan_resize

        return plan_resize(image_hw, self.short_side_px, self.long_side_cap_px, self.rounding)

    def windows(self, input_hw: tuple[int, int]) -> list[Window]:
        """Cut a model input of (h, w) into windows; without ``window_px`` it is one window."""
        from densezero.images.windows import Window, window_boxes

        if self.window_px is None:
            return [Window(0, 0, *input_hw)]
        return window_boxes(*input_hw, self.window_px, self.stride_px)
