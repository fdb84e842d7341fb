"""The pixels of any Pillow image as 8-bit RGB, turned upright."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from densezero.errors import InputError

_EIGHT_BIT_MODES: Final = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_ODD_MODES: Final = {"F": "floating-point numbers", "I": "32-bit or signed numbers", "LAB": "CIE Lab colours"}
_TIFF_BITS_PER_SAMPLE: Final = 258
_TIFF_PHOTOMETRIC: Final = 262
_TIFF_WHITE_IS_ZERO: Final = 0


class _Turn(NamedTuple):
    """Axes exchanged first, then rows and columns reversed."""

    exchange: bool
    reverse_rows: bool
    reverse_columns: bool


_UPRIGHT: Final = {  # by the value of the EXIF tag Orientation (EXIF 2.32, section 4.6.4)
    1: _Turn(False, False, False),
    2: _Turn(False, False, True),
    3: _Turn(False, True, True),
    4: _Turn(False, True, False),
    5: _Turn(True, False, False),
    6: _Turn(True, False, True),
    7: _Turn(True, True, True),
    8: _Turn(True, True, False),
}


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Bring a loaded image to 8-bit RGB: deep grey scaled, transparency laid over white.

    Args:
        image: a loaded Pillow image.

    Returns:
        (H, W, 3) levels in [0, 255].

    Raises:
        InputError: the pixels have no agreed black and white (floating point, 32-bit) or are of an unusual kind.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):  # "I": Pillow before 11
        return _scale_deep_grey(image)
    if image.mode not in _EIGHT_BIT_MODES:
        kind = _ODD_MODES.get(image.mode, f"of Pillow's mode {image.mode!r}")
        raise InputError(
            f"expected pixels of 8 or 16 bits in grey, RGB, CMYK or a palette, but these are {kind}; "
            "scale them to 8 bits and save the image as PNG or JPEG"
        )
    if image.has_transparency_data:
        return _lay_over_white(image)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))  # converting to the same mode copies


def turn_upright(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn pixels as a viewer would show them.

    Args:
        rgb: (H, W, 3) pixels as stored.
        orientation: EXIF Orientation, 1 to 8; any other value leaves the pixels as they are.

    Returns:
        (H, W, 3) or, where the turn is by a quarter, (W, H, 3); contiguous.
    """
    turn = _UPRIGHT.get(orientation, _UPRIGHT[1])
    turned = rgb.transpose(1, 0, 2) if turn.exchange else rgb
    turned = turned[::-1] if turn.reverse_rows else turned
    turned = turned[:, ::-1] if turn.reverse_columns else turned
    return np.ascontiguousarray(turned)


def read_orientation(image: Image.Image) -> int:
    """Read the EXIF Orientation of a loaded image.

    Args:
        image: a loaded image; Pillow turns a TIFF while it loads and then forgets the tag.

    Returns:
        The tag's value, or 1 (upright) where there is none or the EXIF block is broken, as viewers do.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # garbage in EXIF raises half a dozen types, and the pixels are sound all the same
        return 1
    return value if isinstance(value, int) else 1


def _scale_deep_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Scale grey of more than 8 bits by hand: Pillow's own conversion clips at 255."""
    tiff = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = int(tiff.get(_TIFF_BITS_PER_SAMPLE, (16,))[0])
    white = 2**bits - 1
    levels = np.minimum(np.asarray(image), white).astype(np.uint32)  # (H, W)
    grey = ((levels * 255 + white // 2) // white).astype(np.uint8)
    if tiff.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:  # Pillow turns these round in 8 bits only
        grey = 255 - grey
    if "transparency" in image.info:
        grey[levels == image.info["transparency"]] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)


def _lay_over_white(image: Image.Image) -> NDArray[np.uint8]:
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # Pillow cuts 16-bit RGB to 8 and leaves the key as it was
        image.info["transparency"] = tuple(level >> 8 for level in key)
    straight = image.convert("LA") if image.mode == "La" else image  # Pillow has no way from La to RGBA
    rgba = straight.convert("RGBA")
    page = Image.new("RGB", rgba.size, "white")
    page.paste(rgba, mask=rgba)
    return np.array(page)
