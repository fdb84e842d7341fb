"""From image files to model input: find files, read them, plan sizes in integers, resize.

Images are upright uint8 arrays (H, W, 3) in RGB. Sizes are (height, width).
"""

from densezero.images.find import FoundImage, describe_passed_over, find_images, find_listed, natural_key
from densezero.images.formats import FORMATS, IMAGE_SUFFIXES, ImageFormat
from densezero.images.geometry import Box, ResizePlan, Rounding, plan_resize
from densezero.images.opening import MAX_PIXELS
from densezero.images.read import decode_rgb, read_rgb
from densezero.images.resize import resize_rgb, to_pixels
from densezero.images.windows import Window, window_boxes

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Box",
    "FoundImage",
    "ImageFormat",
    "ResizePlan",
    "Rounding",
    "Window",
    "decode_rgb",
    "describe_passed_over",
    "find_images",
    "find_listed",
    "natural_key",
    "plan_resize",
    "read_rgb",
    "resize_rgb",
    "to_pixels",
    "window_boxes",
]
