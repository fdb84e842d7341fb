"""Image files among the files and folders that were given."""

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
    """An image file and its place below the input that it was found in.

    Attributes:
        path: where the file is, as the input was given.
        relative: its path below the given folder, or its name where the file itself was given.
    """

    path: Path
    relative: PurePosixPath


def find_images(inputs: Sequence[str | Path]) -> tuple[FoundImage, ...]:
    """Find the image files in folders and their sub-folders.

    Files in folders are known by their ending in any case (``IMAGE_SUFFIXES``); a file that is given by itself is
    taken whatever it is called. Files and folders in folders whose name begins with a dot are passed over. Links are
    followed, a folder that several links lead to is taken once, under its own name where it has one. Nothing is
    opened, so a file may turn out to be no image.

    Args:
        inputs: files and folders, at least one.

    Returns:
        Every image once, in the order of the inputs, and within a folder by the parts of the relative path, compared
        character by character: the same on every file system. Of two inputs that hold one file, the first counts.

    Raises:
        InputError: no input, an input that does not exist, a folder that cannot be listed, or one without images.
    """
    if not inputs:
        raise InputError("expected at least one image file or folder, but none was given; name one")
    found: dict[tuple[str, str], FoundImage] = {}
    real_folder = functools.cache(os.path.realpath)
    barren: list[Path] = []
    for given in map(Path, inputs):
        images = _find_in(given)
        if not images:
            barren.append(given)
        for image in images:
            # One key for a file however its folder was spelled; a linked file stays a file of its own.
            folder, name = os.path.split(image.path)
            found.setdefault((real_folder(folder), name), image)
    if barren:
        raise InputError(
            f"expected images in {', '.join(map(str, barren))}, but no file in there ends in one of "
            f"{', '.join(IMAGE_SUFFIXES)} (in any case; hidden files do not count); "
            "name another folder, or name the files one by one"
        )
    return tuple(found.values())


def _find_in(given: Path) -> list[FoundImage]:
    try:
        given.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{given}: expected an image file or a folder, but it cannot be reached ({reason}); "
            "check the spelling and the permissions"
        ) from error
    if not given.is_dir():
        return [FoundImage(given, PurePosixPath(given.name))]
    ordered = sorted(_walk(given))
    return [FoundImage(given.joinpath(*parts), PurePosixPath(*parts)) for parts in ordered]


def _walk(top: Path) -> Iterator[tuple[str, ...]]:
    """Give the parts below the top of every image, entering each real folder once and those behind links last."""
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
    except OSError:  # a link to itself: taken as a file, so that reading it says what is wrong
        return False
