"""Sentences about the pixel counts of labels: classes that never occur, ignored pixels, indices that are off by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from densezero.datasets.base import Dataset
from densezero.datasets.layout import name_some


def label_notes(dataset: Dataset, pixels: NDArray[np.int64], ignored: int) -> tuple[str, ...]:
    """Say what is unusual about labels.

    Args:
        dataset: the data set that the labels belong to.
        pixels: (C,) number of label pixels of each class.
        ignored: number of label pixels that are ignored.

    Returns:
        Sentences: one if pixels are ignored and a class never occurs, one if the indices may be off by one.
    """
    names = dataset.classes.names
    absent = [name for name, count in zip(names, pixels.tolist(), strict=True) if not count]
    own = dataset.name == "folder"
    notes = []
    if absent and ignored:
        share = ignored / (ignored + int(pixels.sum()))
        notes.append(
            f"{share:.1%} of the label pixels are ignored, and {len(absent)} of {len(names)} classes never occur in "
            f"the labels: {name_some(absent)}."
        )
        if own:
            notes[0] += (
                " In these labels 255 means ignored. If your labels write a class as 255, replace 255 by the index of "
                f"that class ({absent[0]} is {names.index(absent[0])})."
            )
    if own and absent == [names[0]] and len(names) > 1:
        notes.append(
            f"Index 0 ({names[0]}) never occurs in the labels, and every other class does. If your labels count from "
            "1, subtract 1 from each index."
        )
    return tuple(notes)
