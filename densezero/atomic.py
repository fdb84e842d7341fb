"""Writes files atomically: first under a temporary name in the same folder, then renamed."""

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from densezero.errors import DeviceFullError, OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_ADVICE = {
    errno.ENOSPC: "no space is left on the device. Free some space, or choose an output folder on another device",
    errno.EDQUOT: "the disk quota is used up. Free some space, or choose an output folder elsewhere",
    errno.EACCES: "permission was denied. Make the folder writable, or choose another output folder",
    errno.EPERM: "the operation is not permitted. Make the folder writable, or choose another output folder",
    errno.EROFS: "the file system is read-only. Choose an output folder on a writable one",
    errno.ENAMETOOLONG: "the name is too long for the file system. Shorten the input's name or the output folder's",
    errno.ENOTDIR: "a part of its path is a file, not a folder. Move that file away, or choose another output folder",
    errno.EEXIST: "a part of its path is a file, not a folder. Move that file away, or choose another output folder",
    errno.EISDIR: "a folder stands where the file should be. Move that folder away, or choose another output folder",
}


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = False) -> None:
    """Write a file so that it appears whole or not at all; parent folders are made.

    Whatever is raised inside ``write``, an interrupt included, leaves neither the file nor its temporary behind; an
    older file of that name stays as it was. A killed process may leave a hidden ``.densezero-*.part``, which
    ``remove_leftovers`` finds.

    Args:
        path: the file to write or to replace.
        write: is given the open binary file, and writes all of it.
        durable: also wait until the device holds the bytes, so that a power cut after the return loses nothing.

    Raises:
        DeviceFullError: no space or no quota is left; further files of the run would fail too.
        OutputError: any other reason of the operating system.
    """
    aside = aside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("xb") as file:
                write(file)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
        if durable:
            _sync_folder(path.parent)
    except OSError as reason:
        raise output_error(path, reason) from reason


def link_atomically(source: Path, path: Path) -> bool:
    """Give a file a second name (a hard link), so that it appears whole or not at all; parent folders are made.

    Args:
        source: the file; a symbolic link is followed.
        path: the second name; another file of that name is replaced.

    Returns:
        Whether that worked. File systems without hard links, and another device, refuse it; then copy the file.
    """
    aside = aside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_symlink() and path.samefile(source):
            return True  # to replace a name by one of the same file does nothing, and leaves both
        try:
            os.link(source.resolve(), aside)
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except (OSError, NotImplementedError):
        return False
    return True


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove unfinished files that killed processes left beside these files. No process may be writing them now.

    Args:
        paths: files whose temporaries are looked for.
    """
    prefixes: dict[Path, set[str]] = {}
    for path in paths:
        prefixes.setdefault(path.parent, set()).add(_part_prefix(path))
    for folder, ours in prefixes.items():
        with suppress(OSError):  # no such folder: nothing was left
            for entry in list(os.scandir(folder)):
                length = len(next(iter(ours)))
                if ".part" in entry.name[length:] and entry.name[:length] in ours:
                    Path(entry.path).unlink()


def aside_of(path: Path, suffix: str = "") -> Path:
    """Give a new temporary name beside a file, with ``.part`` and a suffix, for a library that needs one."""
    return path.parent / f"{_part_prefix(path)}{uuid.uuid4().hex}.part{suffix}"


def replace_durably(aside: Path, path: Path) -> None:
    """Give a whole file its name, and wait until the device holds both; raise ``OSError`` if that fails."""
    with aside.open("r+b") as file:
        os.fsync(file.fileno())
    aside.replace(path)
    _sync_folder(path.parent)


def _part_prefix(path: Path) -> str:
    """How the names of a file's temporaries begin."""
    return f".densezero-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"


def _sync_folder(folder: Path) -> None:
    """Wait until the device holds the folder's names; Windows has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes as ``write_atomically`` does, and wait until the device holds them."""
    write_atomically(path, lambda file: file.write(content), durable=True)


def output_error(path: Path, reason: OSError) -> OutputError:
    """Turn the operating system's reason into a sentence that names the file and the way out.

    Args:
        path: the file that was to be written.
        reason: what the operating system raised.

    Returns:
        A ``DeviceFullError`` when space or quota is used up, otherwise an ``OutputError``; to be raised by the caller.
    """
    advice = _ADVICE.get(reason.errno or 0, f"{reason.strerror or reason}. Check the output folder, or choose another")
    kind = DeviceFullError if reason.errno in _FULL else OutputError
    return kind(f"Cannot write {path}: {advice}.")
