"""Finds the folders and files of a data set, and pairs each image with its label."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from densezero.datasets.base import Pair
from densezero.errors import InputError
from densezero.images import IMAGE_SUFFIXES, find_images

FIRST: Final = 5
"""A message lists at most this number of names."""


def find_split(
    root: Path, tops: Sequence[str], split: str, folders: Mapping[str, Sequence[str]], expected: str
) -> Path:
    """Find the folder of a data set that holds a split.

    Args:
        root: the folder that the user gave.
        tops: paths below the root to look at; ``"."`` is the root itself.
        split: the split that is needed.
        folders: for each split, the paths below the data set's folder in which its images may be.
        expected: the layout that is expected, for messages.

    Raises:
        InputError: the split is not there. If the data set is there with other splits, the message names them.
    """
    tops_of = {name: [top for top in tops if any(_has_files(root / top / path) for path in folders[name])]
               for name in folders}  # fmt: skip
    if tops_of[split]:
        return root / tops_of[split][0]
    there = [name for name, found in tops_of.items() if found]
    if there:
        raise missing_split(split, root / tops_of[there[0]][0], there, f"{' or '.join(folders[split])} has no images")
    return find_top(root, tops, folders[split], expected)


def missing_split(split: str, root: Path, there: Sequence[str], reason: str) -> InputError:
    """Make the error for a data set that has other splits, but not the one that is needed.

    Args:
        split: the split that is needed.
        root: the folder of the data set.
        there: the splits that it has.
        reason: what is missing, a sentence without its full stop.
    """
    return InputError(
        f"Expected the split {split} in {root}; it has {', '.join(there)}. {reason}. Choose a split that is there, or "
        f"add the files of {split}."
    )


def find_top(root: Path, tops: Sequence[str], inside: Sequence[str], expected: str) -> Path:
    """Find the folder of a data set: the root, or one of the usual folders below it.

    Args:
        root: the folder that the user gave.
        tops: paths below the root to look at; ``"."`` is the root itself.
        inside: the folder of the data set contains at least one of these paths.
        expected: the layout that is expected, for messages.

    Raises:
        InputError: there is no such folder. The message says what was expected and what is there.
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
    """List the files below a folder by name. A name is the path below the folder, without the ending, in NFC.

    Args:
        folder: searched with its sub-folders. It may be missing.
        endings: endings of file names, such as ``_leftImg8bit.png``, in upper or lower case.

    Returns:
        Name, such as ``aachen/aachen_000000_000019``, to file, in the order of ``find_images``. Empty if the folder is
        missing.

    Raises:
        InputError: two files have the same name, such as ``a.jpg`` and ``a.png``.
    """
    files: dict[str, Path] = {}
    if not folder.is_dir() or not any(folder.iterdir()):
        return files
    for found in find_images([folder]):
        path = found.relative.as_posix()
        ending = next((ending for ending in endings if path.lower().endswith(ending.lower())), None)
        if ending is None:
            continue
        name = unify(path[: -len(ending)])
        if name in files:
            raise _two_files(folder, name, files[name], found.path)
        files[name] = found.path
    return files


def unify(name: str) -> str:
    """Write a name in the composed Unicode form, NFC.

    macOS and some archives write é as e and an accent (NFD). The two forms look the same, and mean the same name.
    """
    return unicodedata.normalize("NFC", name)


def read_names(file: Path, root: Path, expected: str) -> tuple[str, ...]:
    """Read the list of a split: the first word of each line, in NFC.

    Args:
        file: the list, such as ``val.txt``.
        root: the folder of the data set, for messages.
        expected: the layout that is expected, for messages.

    Raises:
        InputError: the list is missing (the message names the lists that are there), empty or not text, or it contains
            a name twice.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        there = sorted(other.stem for other in file.parent.glob("*.txt"))
        if there:
            raise missing_split(file.stem, root, there, f"The list {file} is missing") from None
        raise InputError(
            f"{file}: expected the list of the split {file.stem}, but the folder has no lists. {expected}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: expected a text file of names, but it cannot be read ({error}); replace it"
        ) from None
    names = [unify(line.split()[0]) for line in lines if line.strip()]
    if not names:
        raise InputError(f"{file}: expected the names of images, one a line, but the list is empty; replace it")
    if len(set(names)) < len(names):
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        raise InputError(
            f"{file}: expected each name once, but some are there twice: {name_some(twice)}; remove the repeated lines"
        )
    return tuple(names)


def pair_folders(
    images: dict[str, Path], labels: dict[str, Path], place: Path, other_labels: Iterable[Path] = ()
) -> tuple[Pair, ...]:
    """Pair each image with its label, where the split is all files of two folders.

    Args:
        images: name to image file, in the order of the pairs.
        labels: name to label file.
        place: the folder of the labels, for messages.
        other_labels: the label folders of other splits. They help to explain a missing label.

    Raises:
        InputError: there are no images, images without labels, or labels without images. The message lists the first
            five.
    """
    if not images:
        raise InputError(f"{place}: expected images for these labels, but found none; add the images of this split")
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
    """Pair each image with its label, where a list names the images of the split.

    Args:
        names: the names of the split, in the order of the pairs.
        images: name to image file; images of other splits may be among them.
        labels: name to label file; labels of other splits may be among them.
        listed_in: the file that lists the names, for messages.
        place: the folder of the labels, for messages.

    Raises:
        InputError: a listed name has no image or no label. The message lists the first five.
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
    """List the first five names, and say how many more there are."""
    rest = f" and {len(names) - FIRST:,} more" if len(names) > FIRST else ""
    return ", ".join(names[:FIRST]) + rest


def _has_files(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def _two_files(folder: Path, name: str, first: Path, second: Path) -> InputError:
    same = unify(str(first)) == unify(str(second))
    form = " (one name, written in two Unicode forms, NFC and NFD)" if same else ""
    return InputError(
        f"{folder}: expected one file called {name}, but there are {first.name} and {second.name}{form}; move one of "
        "them away"
    )


def _say_missing(missing: list[str], total: int, place: Path, other_labels: Iterable[Path]) -> str:
    said = f"{place}: expected a label for each image, but {len(missing):,} of {total:,} images have none: "
    for folder in other_labels:
        elsewhere = [name for name in missing if folder != place and name in files_by_name(folder)]
        if elsewhere:
            return (
                f"{said}{name_some(missing)}; the labels of {name_some(elsewhere)} are in {folder}: these are images "
                "of the wrong split; move them to the folder of their split"
            )
    nowhere = "" if place.exists() else " (there is no such folder)"
    return (
        f"{said}{name_some(missing)}{nowhere}; complete the labels, or, if these images belong to another split, move "
        "them away"
    )
