"""Tells whether a file is as it was at an earlier time."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

UNREADABLE: Final = "unreadable"
_SEVERAL: Final = "+"


def stamp_of(path: Path, *others: Path) -> str:
    """Size, times and number of a file. While they stay the same, so does its content. Several files are joined."""
    if others:
        return _SEVERAL.join(map(stamp_of, (path, *others)))
    try:
        stat = path.stat()
    except OSError:
        return UNREADABLE
    return f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ctime_ns}-{stat.st_ino}"


def sha256_of(path: Path, *others: Path) -> str:
    """Hexadecimal SHA-256 of a file's content; empty where it cannot be read. Those of several files are joined."""
    if others:
        each = [sha256_of(file) for file in (path, *others)]
        return _SEVERAL.join(each) if all(each) else ""
    return _sha256_of(path, stamp_of(path))


@lru_cache(maxsize=8)  # the labels of a whole data set may be one file
def _sha256_of(path: Path, stamp: str) -> str:  # noqa: ARG001 - another stamp, another content
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""


def is_unchanged(path: Path, stamp: str, sha256: str, *others: Path) -> bool:
    """Whether a file still has the content of an earlier time: by its stamp, and where that differs by its content.

    With others, whether all of them have, in the order in which they were joined.
    """
    now = stamp_of(path, *others)
    return UNREADABLE not in now and (now == stamp or (sha256 != "" and sha256_of(path, *others) == sha256))
