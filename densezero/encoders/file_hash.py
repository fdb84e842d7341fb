"""SHA-256 of weight files, remembered by path, size and time of change, so that gigabytes are read once."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path

from densezero.errors import ModelError


def cache_folder() -> Path:
    """Folder for files that can be made again: ``DENSEZERO_CACHE``, else ``densezero`` in the user's cache folder.

    Where there is no home folder, as in some containers, it is a place that holds nothing and takes nothing.
    """
    chosen = os.environ.get("DENSEZERO_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "densezero"
    except RuntimeError:
        return Path(os.devnull) / "densezero"


def file_sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file's content.

    Raises:
        ModelError: if the file cannot be read.
    """
    try:
        return _file_sha256(file.resolve())
    except OSError as error:
        raise ModelError(f"{file} cannot be read ({error.strerror}). Check its permissions and the disk.") from None


def _file_sha256(real: Path) -> str:
    stat = real.stat()
    stamp = f"{real}|{stat.st_size}|{stat.st_mtime_ns}"
    note = cache_folder() / "file_hashes" / f"{hashlib.sha256(stamp.encode()).hexdigest()[:32]}.json"
    remembered = _remembered(note, stamp)
    if remembered:
        return remembered
    with real.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    _remember(note, stamp, sha256)
    return sha256


def _remembered(note: Path, stamp: str) -> str | None:
    try:
        known = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(known, dict) or known.get("stamp") != stamp:
        return None
    sha256 = str(known.get("sha256"))
    return sha256 if re.fullmatch(r"[0-9a-f]{64}", sha256) else None


def _remember(note: Path, stamp: str, sha256: str) -> None:
    """Write the note. Where the folder cannot be written, the file is hashed again the next time."""
    aside = note.with_suffix(f".{os.getpid()}.tmp")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps({"stamp": stamp, "sha256": sha256}))
        aside.replace(note)
    except OSError:
        with suppress(OSError):
            aside.unlink()
