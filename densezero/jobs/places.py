"""Where a run reads and writes. This is the only module that turns names into paths.

A run names its files relative to its output folder. Another kind of storage needs another ``OutputFolder`` only.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePath
from typing import Any, Final

from densezero.atomic import output_error, remove_leftovers, write_bytes
from densezero.errors import DenseZeroError, InputError, OutputError
from densezero.features.choices import MARK, PAGE_SUFFIXES
from densezero.images import FoundImage, describe_passed_over, find_images, find_listed
from densezero.images.find import read_list
from densezero.output.html import GENERATOR
from densezero.output.lock import lock
from densezero.progress import Listener

LOCK: Final = ".run.lock"
_MARKED = 4096  # bytes at the ends of a file, in which its mark stands


class OutputFolder:
    """The folder of a run's results, its files named by their path below it, with ``/``.

    Args:
        root: the folder; it need not be there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.root / name

    def exists(self, name: str) -> bool:
        """Whether something has this name; a broken link counts."""
        return os.path.lexists(self.path(name))

    def is_filled(self, name: str) -> bool:
        """Whether a file has this name and is not empty."""
        try:
            return self.path(name).is_file() and self.path(name).stat().st_size > 0
        except OSError:
            return False

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, and wait until the device holds it; raise as ``write_atomically``."""
        write_bytes(self.path(name), content)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there. Raise ``OutputError`` if that is not permitted."""
        if not self.exists(name):  # this also covers a name that is too long
            return
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise output_error(self.path(name), error) from None

    @contextmanager
    def locked(self, dry_run: bool = False) -> Iterator[None]:
        """Keep other runs out, unless this is a dry run. Raise ``OutputError`` if another run holds the folder."""
        with nullcontext() if dry_run else lock(self.root / LOCK, self.root):
            yield


def check_name(name: object) -> str:
    """Check the name of a file as a record gives it. A changed record must not lead out of the output folder.

    Raises:
        ValueError: if it is not the name of a file below the folder.
    """
    if not isinstance(name, str) or PurePath(name).is_absolute() or ".." in PurePath(name).parts or not name:
        raise ValueError(f"expected the name of a file below the output folder, got {name!r}")
    return name


def find_inputs(
    inputs: Sequence[Path], listed: Path | None, listener: Listener, passed_over: Counter[str]
) -> tuple[FoundImage, ...]:
    """Find the images of a run.

    Args:
        inputs: image files and folders.
        listed: a file that lists image files instead, one a line; ``-`` is standard input.
        listener: hears of files that are not images.
        passed_over: counts these files by their ending.

    Raises:
        InputError: if one of them does not exist, no image is there, or inputs and a list are given.
        OutputError: if two images have the same path below their folders, and so one output.
    """
    if bool(inputs) == (listed is not None):
        raise InputError(
            f"Expected either image files and folders, or --images FILE; got {'both' if inputs else 'neither'}."
        )
    images = find_images(inputs, passed_over) if listed is None else find_listed(read_list(listed), str(listed))
    if passed_over:
        listener.note(describe_passed_over(passed_over))
    seen: dict[str, FoundImage] = {}
    for image in images:
        first = seen.setdefault(str(image.relative), image)
        if first is not image:
            raise OutputError(
                f"{first.path} and {image.path} have the same path below their folders, {image.relative}, and would "
                "write one output. Run the folders into different --out folders, or give the folder above both."
            )
    return images


def refuse_foreign_files(files: Iterable[Path], listener: Listener, *, overwrite: bool) -> None:
    """Refuse to replace single files that densezero did not write; with ``overwrite``, name them.

    Figures and pages carry a mark. Other files, such as films, are replaced only with ``overwrite``. Unfinished files
    of a killed process are removed.
    """
    files = list(files)
    remove_leftovers(files)
    foreign = [str(file) for file in files if os.path.lexists(file) and not _is_ours(file)]
    if foreign and not overwrite:
        raise OutputError(
            f"{', '.join(foreign)} would be replaced, and was not written by densezero as far as can be seen. Choose "
            "another --out, or replace it with --overwrite."
        )
    if foreign:
        listener.note(f"replacing {', '.join(foreign)}")


def _is_ours(file: Path) -> bool:
    """Whether a figure or a page carries the mark, near its beginning or its end."""
    mark = GENERATOR if file.suffix.lower() in PAGE_SUFFIXES else MARK
    try:
        with file.open("rb") as content:
            head = content.read(_MARKED)
            content.seek(max(0, file.stat().st_size - _MARKED))
            return mark.encode() in head + content.read(_MARKED)
    except OSError:
        return False


def check_all(*checks: Callable[[], Any]) -> list[Any]:
    """Make several checks and return what they give. If some refuse, raise all their messages at once, a line each."""
    results: list[Any] = []
    errors: list[DenseZeroError] = []
    for check in checks:
        try:
            results.append(check())
        except DenseZeroError as error:
            errors.append(error)
    if len(errors) > 1:
        raise InputError("\n".join(map(str, errors)))
    if errors:
        raise errors[0]
    return results
