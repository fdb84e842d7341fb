"""Opens image files. A file that is not an image is refused by its header; every failure has a clear message."""

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from densezero.errors import InputError
from densezero.images.formats import FORMAT_NAMES, SIGNATURE_BYTES, describe_content, recognise_format
from densezero.images.pillow_settings import strict_and_quiet
from densezero.images.png_chunks import pixel_chunks

MAX_PIXELS: Final = 200_000_000
"""The most pixels of an image that is decoded; Pillow needs 800 MB for them."""

# Used directly: Image.open applies its own global limit to sizes, and tries about forty formats.
_HEADER_READERS: Final[dict[str, Callable[[BinaryIO], ImageFile.ImageFile]]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "AVIF": AvifImageFile,
}


@contextmanager
def opened_image(path: str | Path) -> Iterator[ImageFile.ImageFile]:
    """Open an image of a known format and read its header. Errors inside the block get a clear message too.

    Args:
        path: the image file.

    Yields:
        The image, of at most ``MAX_PIXELS`` pixels, before its pixels are decoded.

    Raises:
        InputError: the file is not a usable image, or the block cannot decode it. The message names the file.
    """
    with opened_file(path) as stream, _opened_stream(stream) as image:
        yield image


@contextmanager
def opened_content(content: bytes, name: str) -> Iterator[ImageFile.ImageFile]:
    """Open the bytes of an image file, such as a member of an archive, as ``opened_image`` opens a file.

    Args:
        content: the whole file.
        name: what messages call it.

    Yields:
        The image, of at most ``MAX_PIXELS`` pixels, before its pixels are decoded.

    Raises:
        InputError: the bytes are not a usable image, or the block cannot decode it. The message begins with ``name``.
    """
    try:
        if not content:
            raise InputError("expected an image file, but it is empty (0 bytes); copy it again or leave it out")
        with strict_and_quiet(), _opened_stream(BytesIO(content)) as image:
            yield image
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


@contextmanager
def _opened_stream(stream: BinaryIO) -> Iterator[ImageFile.ImageFile]:
    head = stream.read(SIGNATURE_BYTES)
    kind = recognise_format(head)
    if kind is None:
        raise InputError(
            f"expected an image ({FORMAT_NAMES}), but the content of the file is {describe_content(head)}; "
            "convert it to PNG or JPEG, or leave it out"
        )
    stream.seek(0)
    with explain_failure(kind.name):
        image = _read_header(kind.name, stream)
        check_pixels(image.width, image.height)
        yield image


@contextmanager
def opened_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for Pillow, and add its path to the message of an ``InputError`` inside the block.

    Raises:
        InputError: the path is missing, is not a file, is empty, or cannot be read.
    """
    path = Path(path)
    try:
        with _open_file(path) as stream, strict_and_quiet():
            yield stream
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_header(format_name: str, stream: BinaryIO) -> ImageFile.ImageFile:
    if format_name == "HEIC":
        from pillow_heif.as_plugin import HeifImageFile  # an extra

        heic: ImageFile.ImageFile = HeifImageFile(stream)
        return heic
    return _HEADER_READERS[format_name](pixel_chunks(stream) if format_name == "PNG" else stream)


def check_pixels(width: int, height: int) -> None:
    """Refuse a size without pixels, or with more than ``MAX_PIXELS``."""
    if width < 1 or height < 1:
        raise InputError(f"expected at least one pixel, but the image is {width} × {height}; save it again")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"expected at most {MAX_PIXELS:,} pixels, but the header says {width:,} × {height:,} = {width * height:,}; "
            "make it smaller or cut it into tiles; `densezero segment --native` takes larger TIFF files"
        )


@contextmanager
def explain_failure(format_name: str) -> Iterator[None]:
    """Turn any error of a decoder into an ``InputError``."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"expected fewer pixels ({error}); make it smaller or cut it into tiles") from error
    except Exception as error:  # damaged files make Pillow raise OSError, SyntaxError, struct.error, KeyError, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"expected a whole {format_name} image, but it cannot be decoded ({reason}): it is cut short, damaged or "
            "of a rare kind; copy it again, save it again from an image viewer, or leave it out"
        ) from error


def _open_file(path: Path) -> BinaryIO:
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            raise InputError("expected an image file, but this is a folder; give a file in it")
        if not stat.S_ISREG(state.st_mode):
            raise InputError("expected an image file, but this is a device or pipe; copy its content to a file")
        if state.st_size == 0:
            raise InputError("expected an image file, but it is empty (0 bytes); copy it again or leave it out")
        return path.open("rb")
    except FileNotFoundError as error:
        raise InputError("expected an image file, but it does not exist; check the spelling of its path") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"expected a readable image file, but it cannot be opened ({reason}); check its permissions and its path"
        ) from error
