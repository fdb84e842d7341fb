"""Finds the image files in given files and folders."""

import functools
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from densezero.errors import InputError
from densezero.images.formats import IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image file, and its path below the input in which it was found. It can be used as a path.

    Attributes:
        path: path of the file, as the input was given.
        relative: path below the given folder; the name of the file if the file itself was given.
    """

    path: Path
    relative: PurePosixPath

    def __fspath__(self) -> str:
        return str(self.path)


def find_images(inputs: str | Path | Sequence[str | Path]) -> tuple[FoundImage, ...]:
    """Find the image files in folders and their sub-folders.

    In a folder, image files are found by the ending of their names (``IMAGE_SUFFIXES``, upper or lower case). Hidden
    files and folders, whose names begin with a dot, are skipped. A file that is given itself may have any name. Links
    are followed. A folder with several links is searched once, under its own path if that is below the input. No file
    is opened, so a found file may not be an image.

    Args:
        inputs: a file or a folder, or several.

    Returns:
        Every image once. Images are in the order of the inputs, and within a folder in the order of their relative
        paths, compared part by part and character by character, so the order is the same on every file system. If two
        inputs contain the same file, it belongs to the first one.

    Raises:
        InputError: there is no input, an input does not exist, a folder cannot be listed, or a folder has no images.
    """
    if isinstance(inputs, str | Path):
        inputs = [inputs]
    if not inputs:
        raise InputError("expected at least one image file or folder, but none was given; give one")
    found: dict[tuple[str, str], FoundImage] = {}
    real_folder = functools.cache(os.path.realpath)
    without_images: list[Path] = []
    for given in map(Path, inputs):
        images = _find_in(given)
        if not images:
            without_images.append(given)
        for image in images:
            # The key is the same for every spelling of the folder. A link to a file counts as another file.
            folder, name = os.path.split(image.path)
            found.setdefault((real_folder(folder), name), image)
    if without_images:
        raise InputError(
            f"expected images in {', '.join(map(str, without_images))}, but no file there ends in one of "
            f"{', '.join(IMAGE_SUFFIXES)} (upper or lower case; hidden files do not count); "
            "give another folder, or the files themselves"
        )
    return tuple(found.values())


def _find_in(given: Path) -> list[FoundImage]:
    try:
        given.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{given}: expected an image file or a folder, but it cannot be accessed ({reason}); "
            "check the spelling and the permissions"
        ) from error
    if not given.is_dir():
        return [FoundImage(given, PurePosixPath(given.name))]
    ordered = sorted(_walk(given))
    return [FoundImage(given.joinpath(*parts), PurePosixPath(*parts)) for parts in ordered]


def _walk(top: Path) -> Iterator[tuple[str, ...]]:
    """Give the relative path of every image, in parts. Each real folder is entered once; links to folders come last."""
    pending: deque[tuple[str, ...]] = deque([()])
    entered: set[str] = set()
    while pending:
        parts = pending.popleft()
        real = os.path.realpath(top.joinpath(*parts))
        if real in entered:
            continue
        entered.add(real)
        for entry in _list_folder(top.joinpath(*parts)):
            below = (*parts, entry.name)
            if not _is_folder(entry):
                if entry.name.lower().endswith(IMAGE_SUFFIXES):
                    yield below
            elif entry.is_symlink():
                pending.append(below)
            else:
                pending.appendleft(below)


def _list_folder(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"{folder}: expected a folder whose files can be listed, but that failed ({error.strerror or error}); "
            "change its permissions or leave it out"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: it counts as a file, and reading it reports the error
        return False
