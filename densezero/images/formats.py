"""The image formats that can be read: names, file endings and signatures."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """An image format.

    Attributes:
        name: its usual name.
        suffixes: endings of file names, lower case, with the dot.
        signatures: the possible first bytes of a file; ``?`` matches any byte.
    """

    name: str
    suffixes: tuple[str, ...]
    signatures: tuple[bytes, ...]


HEIC_IS_READ: Final = find_spec("pillow_heif") is not None
"""Whether the extra that reads HEIC is installed."""

_HEIC: Final = ImageFormat(
    "HEIC",
    (".heic", ".heif", ".hif"),
    tuple(b"????ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")),
)
FORMATS: Final = (
    ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), (b"\xff\xd8\xff",)),
    ImageFormat("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",)),
    ImageFormat("WebP", (".webp",), (b"RIFF????WEBP",)),
    ImageFormat("TIFF", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ImageFormat("BMP", (".bmp",), (b"BM",)),
    ImageFormat("GIF", (".gif",), (b"GIF87a", b"GIF89a")),
    ImageFormat("AVIF", (".avif", ".avifs"), (b"????ftypavif", b"????ftypavis")),
    *([_HEIC] if HEIC_IS_READ else []),
)
FORMAT_NAMES: Final = ", ".join(kind.name for kind in FORMATS)
IMAGE_SUFFIXES: Final = tuple(sorted(suffix for kind in FORMATS for suffix in kind.suffixes))
HEIC_EXTRA: Final = "`pip install densezero[heic]`"
_OTHERS: Final = {b"%pdf": "PDF", b"<!doctype": "HTML", b"<html": "HTML", b"<?xml": "XML", b"<svg": "SVG", b"{": "text"}
SIGNATURE_BYTES: Final = max(len(signature) for kind in FORMATS for signature in kind.signatures)


def recognise_format(head: bytes) -> ImageFormat | None:
    """Find the format of a file from its first bytes; its name does not count.

    Args:
        head: the first ``SIGNATURE_BYTES`` bytes, or the whole file if it is shorter.

    Returns:
        The format; None if no signature matches.
    """
    for kind in FORMATS:
        if any(_begins_with(head, signature) for signature in kind.signatures):
            return kind
    return None


def describe_content(head: bytes) -> str:
    """Say what a file is that is none of the formats, as the end of a sentence."""
    if any(_begins_with(head, signature) for signature in _HEIC.signatures):
        return f"HEIC, which needs {HEIC_EXTRA}"
    if not head.strip(b"\0"):
        return "zeros alone"
    return next((name for start, name in _OTHERS.items() if head.lstrip().lower().startswith(start)), "none of these")


def _begins_with(head: bytes, signature: bytes) -> bool:
    if len(head) < len(signature):
        return False
    return all(wanted in (ord("?"), came) for wanted, came in zip(signature, head, strict=False))
