"""Converts any Pillow image to upright 8-bit RGB."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from densezero.errors import InputError

_EIGHT_BIT_MODES: Final = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_ODD_MODES: Final = {"F": "floating-point numbers", "I": "32-bit or signed numbers", "LAB": "CIE Lab colours"}
_DARK: Final = 1 << 13  # 12 bits in a file of 16, and less
_TIFF_SAMPLES: Final = 277
_TIFF_EXTRA_SAMPLES: Final = 338
_STRIP_PX: Final = 1 << 18  # a strip fits into the cache of a processor
_TIFF_BITS_PER_SAMPLE: Final = 258
_TIFF_PHOTOMETRIC: Final = 262
_TIFF_WHITE_IS_ZERO: Final = 0


class _Rotation(NamedTuple):
    """A quarter turn or a mirroring: the axes are exchanged first, then rows and columns are reversed."""

    exchange: bool
    reverse_rows: bool
    reverse_columns: bool


_UPRIGHT: Final = {  # by the value of the EXIF tag Orientation (EXIF 2.32, section 4.6.4)
    1: _Rotation(False, False, False),
    2: _Rotation(False, False, True),
    3: _Rotation(False, True, True),
    4: _Rotation(False, True, False),
    5: _Rotation(True, False, False),
    6: _Rotation(True, False, True),
    7: _Rotation(True, True, True),
    8: _Rotation(True, True, False),
}


def to_rgb(image: Image.Image, tell: Callable[[str], object] = lambda _: None) -> NDArray[np.uint8]:
    """Convert a loaded image to 8-bit RGB. Grey of more than 8 bits is scaled, transparency is blended with white.

    Args:
        image: a loaded Pillow image.
        tell: hears what a user should know of the conversion.

    Returns:
        (H, W, 3) levels in [0, 255].

    Raises:
        InputError: black and white are not defined for such pixels (floating point, 32-bit), or their mode is unusual.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):  # "I": Pillow before 11
        return _scale_deep_grey(image, tell)
    if image.mode not in _EIGHT_BIT_MODES:
        kind = _ODD_MODES.get(image.mode, f"of Pillow's mode {image.mode!r}")
        raise InputError(
            f"expected pixels of 8 or 16 bits in grey, RGB, CMYK or a palette, but these are {kind}; "
            "scale them to 8 bits and save the image as PNG or JPEG"
        )
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        is_alpha = image.mode in ("RGBA", "LA") and _TIFF_EXTRA_SAMPLES in image.tag_v2
        if image.tag_v2.get(_TIFF_SAMPLES, 1) in (2, 4) and not is_alpha and image.mode in ("RGB", "RGBA", "L", "LA"):
            tell("has a last band that is not marked as transparency, such as infra-red; it is left out")
            return _to_array(image.convert("RGB"))
        if is_alpha and np.asarray(image.getchannel("A")).min() < 255:
            tell(
                "has a last band that is marked as transparency and is laid over white; if it is none, such as "
                "infra-red, set the TIFF's tag ExtraSamples to 0"
            )
    if image.has_transparency_data:
        return _blend_with_white(image)
    return _to_array(image if image.mode == "RGB" else image.convert("RGB"))  # converting to the same mode copies


def rotate_upright(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Rotate or mirror an image as its EXIF Orientation says.

    Args:
        rgb: (H, W, 3) pixels as stored in the file.
        orientation: EXIF Orientation, 1 to 8; other values do not change the image.

    Returns:
        (H, W, 3), or (W, H, 3) if the axes are exchanged; contiguous.
    """
    rotation = _UPRIGHT.get(orientation, _UPRIGHT[1])
    rotated = rgb.transpose(1, 0, 2) if rotation.exchange else rgb
    rotated = rotated[::-1] if rotation.reverse_rows else rotated
    rotated = rotated[:, ::-1] if rotation.reverse_columns else rotated
    return np.ascontiguousarray(rotated)


def read_orientation(image: Image.Image) -> int:
    """Read the EXIF Orientation of a loaded image.

    Args:
        image: a loaded image. Pillow rotates a TIFF while it loads the pixels, and removes the tag.

    Returns:
        The value of the tag; 1 (upright) if it is missing or the EXIF block is broken, as in image viewers.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block raises many types of errors, and does not affect the pixels
        return 1
    return value if isinstance(value, int) else 1


def _scale_deep_grey(image: Image.Image, tell: Callable[[str], object]) -> NDArray[np.uint8]:
    """Scale grey of more than 8 bits to 8. Pillow's own conversion clips at 255."""
    tiff = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = int(tiff.get(_TIFF_BITS_PER_SAMPLE, (16,))[0])
    white = 2**bits - 1
    levels = np.minimum(np.asarray(image), white).astype(np.uint32)  # (H, W)
    if bits == 16 and 0 < (most := int(levels.max())) < _DARK:
        tell(f"has levels up to {most:,} of {white:,} and comes out dark; if it should not, scale its levels first")
    grey = ((levels * 255 + white // 2) // white).astype(np.uint8)
    if tiff.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:  # Pillow inverts such pixels only if they have 8 bits
        grey = 255 - grey
    if "transparency" in image.info:
        grey[levels == image.info["transparency"]] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)


def _blend_with_white(image: Image.Image) -> NDArray[np.uint8]:
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # Pillow reduces 16-bit RGB to 8 bits, but not the key
        image.info["transparency"] = tuple(level >> 8 for level in key)
    straight = image.convert("LA") if image.mode == "La" else image  # Pillow cannot convert La to RGBA
    rgba = straight.convert("RGBA")
    page = Image.new("RGB", rgba.size, "white")
    page.paste(rgba, mask=rgba)
    return _to_array(page)


def _to_array(image: Image.Image) -> NDArray[np.uint8]:
    """Copy the pixels of an RGB image, strip by strip.

    ``np.array(image)`` makes two more copies of all pixels on the way, and other threads wait meanwhile.
    """
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    strip = Image.new("RGB", (width, min(height, max(1, _STRIP_PX // width))))
    for top in range(0, height, strip.height):
        strip.paste(image, (0, -top))
        pixels[top : top + strip.height] = np.asarray(strip)[: height - top]
    return pixels
