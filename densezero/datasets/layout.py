"""Finding the folders and files of a data set, and setting each image beside its label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from densezero.datasets.base import Pair
from densezero.errors import InputError
from densezero.images import IMAGE_SUFFIXES, find_images

FIRST: Final = 5
"""How many names a message lists."""


def find_top(root: Path, tops: Sequence[str], inside: Sequence[str], expected: str) -> Path:
    """Find the folder of a data set at the root or in the usual folders below it.

    Args:
        root: what the user gave.
        tops: paths below the root to look at, the root itself being ``"."``.
        inside: a folder is taken for the data set's if one of these is in it.
        expected: what is expected where.

    Raises:
        InputError: there is no such folder; the message says what was looked for and what is there.
    """
    for top in tops:
        if any((root / top / name).exists() for name in inside):
            return root / top
    if not root.is_dir():
        reason = "this is a file" if root.exists() else "there is no such folder"
        raise InputError(f"{root}: expected the root of a data set, but {reason}; check its spelling. {expected}")
    there = sorted(entry.name for entry in root.iterdir())
    raise InputError(
        f"{root}: expected {' or '.join(inside)} in it, but not found; there is {name_some(there) or 'nothing'}. "
        f"Give the folder that holds it. {expected}"
    )


def files_by_name(folder: Path, endings: Sequence[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """List the files below a folder by their path without its ending, endings in any case.

    Args:
        folder: searched with its sub-folders.
        endings: what the names of files end in, such as ``_leftImg8bit.png``.

    Returns:
        Name such as ``aachen/aachen_000000_000019`` to file, in the order of ``find_images``; empty without a folder.

    Raises:
        InputError: two files have one name, such as ``a.jpg`` and ``a.png``.
    """
    files: dict[str, Path] = {}
    if not folder.is_dir() or not any(folder.iterdir()):
        return files
    for found in find_images([folder]):
        path = found.relative.as_posix()
        ending = next((ending for ending in endings if path.lower().endswith(ending.lower())), None)
        if ending is None:
            continue
        name = path[: -len(ending)]
        if name in files:
            raise InputError(
                f"{folder}: expected one file called {name}, but there are {files[name].name} and {path}; "
                "move one of them away"
            )
        files[name] = found.path
    return files


def read_names(file: Path, expected: str) -> tuple[str, ...]:
    """Read the list of a split: the first word of each line.

    Raises:
        InputError: there is no such list (the message says which there are), it is empty or not text, or a name
            stands in it twice.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        there = sorted(other.stem for other in file.parent.glob("*.txt"))
        raise InputError(
            f"{file}: expected the list of the split {file.stem!r}, but there is none; the splits there are: "
            f"{', '.join(there) or 'none'}. {expected}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: expected a text file of names, but it cannot be read ({error}); replace it"
        ) from None
    names = [line.split()[0] for line in lines if line.strip()]
    if not names:
        raise InputError(f"{file}: expected the names of images, one a line, but the list is empty; replace it")
    if len(set(names)) < len(names):
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        raise InputError(f"{file}: expected each name once, but some stand twice: {name_some(twice)}; remove them")
    return tuple(names)


def pair_folders(
    images: dict[str, Path], labels: dict[str, Path], place: Path, other_labels: Iterable[Path] = ()
) -> tuple[Pair, ...]:
    """Set each image beside its label, where the files in two folders say what belongs to the split.

    Args:
        images: name to image file, in the order of the pairs.
        labels: name to label file.
        place: where the labels should be, for messages.
        other_labels: the label folders of other splits, looked at to explain a missing label.

    Raises:
        InputError: no image at all, images without labels, or labels without images; the message lists the first five.
    """
    if not images:
        raise InputError(f"{place}: expected images for these labels, but found none; unpack the images beside them")
    missing = [name for name in images if name not in labels]
    if missing:
        raise InputError(_say_missing(missing, len(images), place, other_labels))
    orphans = [name for name in labels if name not in images]
    if orphans:
        raise InputError(
            f"{place}: expected an image for each label, but {len(orphans):,} of {len(labels):,} have none: "
            f"{name_some(orphans)}; complete the images, or move these labels away"
        )
    return tuple(Pair(name, file, labels[name]) for name, file in images.items())


def pair_names(
    names: Iterable[str], images: dict[str, Path], labels: dict[str, Path], listed_in: Path, place: Path
) -> tuple[Pair, ...]:
    """Set each image beside its label, where a list says what belongs to the split.

    Args:
        names: the names of the split, in the order of the pairs.
        images: name to image file; may hold more than the split.
        labels: name to label file; may hold more than the split.
        listed_in: the file that lists the names, for messages.
        place: where the labels should be, for messages.

    Raises:
        InputError: a listed name has no image or no label; the message lists the first five.
    """
    names = tuple(names)
    lost = [name for name in names if name not in images]
    if lost:
        raise InputError(
            f"{listed_in}: expected an image for each name listed there, but {len(lost):,} of {len(names):,} have "
            f"none: {name_some(lost)}; complete the images, or use the list that belongs to them"
        )
    missing = [name for name in names if name not in labels]
    if missing:
        raise InputError(_say_missing(missing, len(names), place, ()))
    return tuple(Pair(name, images[name], labels[name]) for name in names)


def name_some(names: Sequence[str]) -> str:
    """List the first five names, and how many more there are."""
    rest = f" and {len(names) - FIRST:,} more" if len(names) > FIRST else ""
    return ", ".join(names[:FIRST]) + rest


def _say_missing(missing: list[str], total: int, place: Path, other_labels: Iterable[Path]) -> str:
    said = f"{place}: expected a label for each image, but {len(missing):,} of {total:,} images have none: "
    for folder in other_labels:
        elsewhere = [name for name in missing if folder != place and name in files_by_name(folder)]
        if elsewhere:
            return (
                f"{said}{name_some(missing)}; the labels of {name_some(elsewhere)} are in {folder}: these are images "
                "of the wrong split; move them to their own"
            )
    nowhere = "" if place.exists() else " (there is no such folder)"
    return (
        f"{said}{name_some(missing)}{nowhere}; complete the labels, or move these images away, if they are of another "
        "split"
    )
