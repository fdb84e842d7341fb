"""The parts of a PNG file that decide its pixels; text, colour profiles and times never do."""

from __future__ import annotations

import io
import struct
import zlib
from bisect import bisect_right
from itertools import accumulate
from typing import BinaryIO, Final, NamedTuple

_SIGNATURE_BYTES: Final = 8
_PIXELS: Final = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}
"""Chunks that a decoder may pass over by their name, and that decide pixels all the same."""

_TURN: Final = {b"eXIf", b"tEXt", b"zTXt", b"iTXt"}
"""Chunks that may say which way is up."""

_TURN_WORDS: Final = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")
_LONGEST_TURN: Final = 500_000


class _Part(NamedTuple):
    """Bytes of a file: from ``start``, ``length`` of them."""

    start: int
    length: int


def pixel_chunks(stream: BinaryIO) -> BinaryIO:
    """The same PNG file without the chunks that say nothing of its pixels or of which way is up.

    A decoder refuses a whole picture for a broken checksum or for megabytes of compressed text in such a chunk.

    Args:
        stream: the file, at its beginning.

    Returns:
        A file at its beginning; ``stream`` itself where there is nothing to leave out.
    """
    parts, is_whole = [_Part(0, _SIGNATURE_BYTES)], True
    end = stream.seek(0, io.SEEK_END)
    place = _SIGNATURE_BYTES
    while place + 12 <= end:
        stream.seek(place)
        length, name = struct.unpack(">I4s", stream.read(8))
        size = 12 + length
        if _is_kept(stream, name, length):
            parts.append(_Part(place, min(size, end - place)))
        else:
            is_whole = False
        place += size
        if name == b"IEND":
            break
    stream.seek(0)
    return stream if is_whole else io.BufferedReader(_Parts(stream, parts))


def _is_kept(stream: BinaryIO, name: bytes, length: int) -> bool:
    is_ancillary = bool(name[0] & 32)
    if not is_ancillary or name in _PIXELS:
        return True
    if name not in _TURN or length > _LONGEST_TURN:
        return False
    content = stream.read(length)
    if name != b"eXIf" and not content.startswith(_TURN_WORDS):
        return False
    if stream.read(4) != struct.pack(">I", zlib.crc32(content, zlib.crc32(name))):
        return False
    return name != b"zTXt" or _is_short(content.partition(b"\0")[2][1:])


def _is_short(compressed: bytes) -> bool:
    opener = zlib.decompressobj()
    try:
        opener.decompress(compressed, _LONGEST_TURN)
    except zlib.error:
        return False
    return not opener.unconsumed_tail


class _Parts(io.RawIOBase):
    """Parts of a file, one after the other, as a file."""

    def __init__(self, stream: BinaryIO, parts: list[_Part]) -> None:
        self._stream, self._parts, self._place = stream, parts, 0
        self._starts = [0, *accumulate(part.length for part in parts)]

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """Its place can be changed."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and return it."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._starts[-1]}[whence]
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # called with a memoryview
        """Read up to the end of the part at the place."""
        index = bisect_right(self._starts, self._place) - 1
        if index >= len(self._parts):
            return 0
        within = self._place - self._starts[index]
        self._stream.seek(self._parts[index].start + within)
        content = self._stream.read(min(len(buffer), self._parts[index].length - within))
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)
