"""Resizes images for the model with Pillow's bicubic filter, as the published protocols do."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import InputError
from densezero.images.geometry import ResizePlan


def resize_rgb(rgb: NDArray[np.uint8], hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image with Pillow's bicubic filter, which has antialias where it makes an image smaller.

    Args:
        rgb: (H, W, 3) levels in [0, 255].
        hw: height and width of the result, each at least 1 pixel.

    Returns:
        (h, w, 3) levels in [0, 255]; an equal copy if the size is the same.

    Raises:
        InputError: the array is not an 8-bit RGB image with pixels, or a side is below 1.
    """
    _check_rgb(rgb)
    height, width = hw
    if height < 1 or width < 1:
        raise InputError(f"expected a size of at least 1 × 1 pixel, but got {height} × {width}; check the plan")
    return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def to_pixels(rgb: NDArray[np.uint8], plan: ResizePlan) -> NDArray[np.float32]:
    """Make the model input of an image: resized, channels first, a batch of one.

    Args:
        rgb: (H, W, 3) levels in [0, 255], of the size ``plan.image_hw``.
        plan: the sizes of the image and of the model input.

    Returns:
        (1, 3, h, w) in [0, 1], contiguous.

    Raises:
        InputError: the array is not an 8-bit RGB image, or does not have the size of the plan.
    """
    _check_rgb(rgb)
    if rgb.shape[:2] != plan.image_hw:
        raise InputError(
            f"expected an image of {plan.image_hw}, as planned, but got {rgb.shape[:2]}; make a plan for this size"
        )
    resized = resize_rgb(rgb, plan.input_hw)  # (h, w, 3)
    pixels = np.empty((1, 3, *plan.input_hw), dtype=np.float32)
    np.divide(resized.transpose(2, 0, 1)[None], np.float32(255), out=pixels)
    return pixels


def _check_rgb(rgb: NDArray[np.uint8]) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise InputError(
            f"expected an image as uint8 of shape (H, W, 3), but got {rgb.dtype} of shape {rgb.shape}; "
            "read the file with read_rgb, or convert the array"
        )
