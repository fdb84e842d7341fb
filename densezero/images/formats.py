"""The image formats that can be read: names, file endings and signatures."""

from dataclasses import dataclass
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


FORMATS: Final = (
    ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), (b"\xff\xd8\xff",)),
    ImageFormat("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",)),
    ImageFormat("WebP", (".webp",), (b"RIFF????WEBP",)),
    ImageFormat("TIFF", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ImageFormat("BMP", (".bmp",), (b"BM",)),
    ImageFormat("GIF", (".gif",), (b"GIF87a", b"GIF89a")),
)
FORMAT_NAMES: Final = ", ".join(kind.name for kind in FORMATS)
IMAGE_SUFFIXES: Final = tuple(sorted(suffix for kind in FORMATS for suffix in kind.suffixes))
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


def _begins_with(head: bytes, signature: bytes) -> bool:
    if len(head) < len(signature):
        return False
    return all(wanted in (ord("?"), came) for wanted, came in zip(signature, head, strict=False))
