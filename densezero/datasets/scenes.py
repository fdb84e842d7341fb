"""Drawn scenes in a folder. Their classes are the ones that the embedded model knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from densezero.datasets import folder
from densezero.datasets.base import Dataset
from densezero.errors import InputError
from densezero.pretrain.concepts import CONCEPTS
from densezero.vocabulary import ClassEntry, ClassList

EXPECTED: Final = (
    "Drawn scenes are expected as images/*.png, labels/*.png and classes.json, as `python benchmarks/write_scenes.py "
    "FOLDER` writes them."
)


def scene_classes() -> ClassList:
    """Give the class list of the drawn scenes, in the order of the label indices. A class has one word, its name."""
    return ClassList("scenes", tuple(ClassEntry(concept.name, (), concept.colour) for concept in CONCEPTS))


def load(root: Path, split: str) -> Dataset:
    """Find drawn scenes.

    Args:
        root: a folder that ``benchmarks/write_scenes.py`` wrote.
        split: ``val`` for all scenes; with sub-folders, one of them.

    Raises:
        InputError: files are missing, or the class list is not the one of the scenes.
    """
    if not (root / "images").is_dir():
        raise InputError(f"{root}: expected drawn scenes in images, but there are none; write them first. {EXPECTED}")
    found = folder.load(root, split)
    classes = scene_classes()
    if found.classes.names != classes.names:
        raise InputError(
            f"{root}: expected the {len(classes)} concepts of the drawn scenes as the class list, but it has other "
            "names or another order; write the scenes again, or load them as the data set 'folder'"
        )
    return replace(found, name="scenes", classes=classes, expected=EXPECTED)
