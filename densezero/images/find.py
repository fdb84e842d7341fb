"""Finds the image files in given files and folders."""

import functools
import os
import re
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from densezero.errors import InputError
from densezero.images.formats import HEIC_EXTRA, IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image file, and its path below the input in which it was found. It can be used as a path.

    Attributes:
        path: path of the file, as the input was given.
        relative: path below the given folder; the name of the file if the file itself was given.
        companions: files that are read together with the image. What is made of it depends on them too.
    """

    path: Path
    relative: PurePosixPath
    companions: tuple[Path, ...] = field(default=(), kw_only=True)

    def __fspath__(self) -> str:
        return str(self.path)


def find_images(
    inputs: str | Path | Sequence[str | Path], passed_over: Counter[str] | None = None
) -> tuple[FoundImage, ...]:
    """Find the image files in folders and their sub-folders.

    In a folder, image files are found by the ending of their names (``IMAGE_SUFFIXES``, upper or lower case). Hidden
    files and folders, whose names begin with a dot, are skipped. A file that is given itself may have any name. Links
    are followed. A folder with several links is searched once, under its own path if that is below the input. No file
    is opened, so a found file may not be an image.

    Args:
        inputs: a file or a folder, or several.

        passed_over: counts the files in folders that are no images, by their ending; None counts none.

    Returns:
        Every image once. Images are in the order of the inputs, and within a folder in the order of their relative
        paths, compared part by part, numbers as numbers, so the order is the same on every file system. If two inputs
        contain the same file, it belongs to the first one.

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
        images = _find_in(given, Counter() if passed_over is None else passed_over)
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


def natural_key(parts: Sequence[str]) -> tuple[object, ...]:
    """Sort paths by their parts, and numbers in names as numbers: 2.png comes before 10.png.

    Example:
        >>> sorted([("10.png",), ("2.png",), ("a", "1.png")], key=natural_key)
        [('2.png',), ('10.png',), ('a', '1.png')]
    """
    pieces = [re.split(r"([0-9]+)", part) for part in parts]
    by_number = tuple(tuple((int(p), "") if p.isdecimal() else (-1, p) for p in part) for part in pieces)
    return (by_number, tuple(parts))


def describe_passed_over(passed_over: Counter[str]) -> str:
    """Say how many files of which endings are no images that can be read.

    Example:
        >>> describe_passed_over(Counter({".heic": 8, ".txt": 1, "": 2}))[:64]
        'passed over 11 files that are no images: 8 .heic, 2 without endi'
    """
    named = [f"{count} {ending or 'without ending'}" for ending, count in passed_over.most_common()]
    total = sum(passed_over.values())
    extra = f". To read HEIC: {HEIC_EXTRA}" if {".heic", ".heif", ".hif"} & set(passed_over) else ""
    return f"passed over {total} file{'s' if total > 1 else ''} that are no images: {', '.join(named)}{extra}"


def _refuse_other_places(given: Path) -> None:
    """Say what is taken where an address or a pattern was given."""
    text = os.fspath(given)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text):
        raise InputError(f"expected files or folders on this machine, but {text} is an address; download it first")
    if any(sign in text for sign in "*?["):
        raise InputError(f"{text}: no such file; write a pattern without quotation marks, so that the shell expands it")


def _find_in(given: Path, passed_over: Counter[str]) -> list[FoundImage]:
    try:
        given.stat()
    except (OSError, ValueError) as error:
        _refuse_other_places(given)
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{given}: expected an image file or a folder, but it cannot be accessed ({reason}); "
            "check the spelling and the permissions"
        ) from error
    if not given.is_dir():
        return [FoundImage(given, PurePosixPath(given.name))]
    ordered = sorted(_walk(given, passed_over), key=natural_key)
    return [FoundImage(given.joinpath(*parts), PurePosixPath(*parts)) for parts in ordered]


def _walk(top: Path, passed_over: Counter[str]) -> Iterator[tuple[str, ...]]:
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
                else:
                    passed_over[PurePosixPath(entry.name).suffix.lower()] += 1
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


def find_listed(lines: Sequence[str], source: str) -> tuple[FoundImage, ...]:
    """Find images that a list names.

    Args:
        lines: a path each; blank lines count for nothing.
        source: name of the list for messages.

    Returns:
        The images in the order of the list, each once. ``relative`` is the path below the deepest folder that holds
        all of them.

    Raises:
        InputError: the list is empty, or names what is no file; the message gives the line.
    """
    named: dict[str, Path] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        path = Path(line).expanduser()
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no file"
            raise InputError(f"{source}, line {number}: expected the path of an image file, got {line!r}, {what}")
        named.setdefault(str(path.absolute()), path)
    if not named:
        raise InputError(f"{source}: expected a path of an image on each line, but there is none")
    top = os.path.commonpath([str(Path(place).parent) for place in named])
    return tuple(
        FoundImage(path, PurePosixPath(*Path(os.path.relpath(place, top)).parts)) for place, path in named.items()
    )


def read_list(file: Path) -> list[str]:
    """The lines of a list of files; ``-`` reads standard input. Names may be parted by zero bytes instead.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InputError(f"Expected a list of images, one a line; {file}: {error.strerror}.") from None
    text = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf"))
    return text.split("\0") if "\0" in text else re.split(r"\r\n|\n|\r", text)
