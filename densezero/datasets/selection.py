"""Chooses some of the pairs of a data set."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from densezero.datasets.base import Dataset, Pair
from densezero.datasets.layout import unify
from densezero.errors import InputError
from densezero.images.find import read_list


def select_pairs(dataset: Dataset, limit: int | None = None, list_file: Path | None = None) -> list[Pair]:
    """Choose pairs of a data set.

    Args:
        dataset: the data set.
        limit: number of pairs, from the first; None takes all.
        list_file: names the pairs, one a line, by their name or by that of the image with its ending; None takes all.

    Raises:
        InputError: if the list names an image that the data set does not have, or no pair is left.
    """
    pairs = (list(dataset.pairs) if list_file is None else _pairs_listed(dataset, list_file))[:limit]
    if not pairs:
        raise InputError(f"No image is left of {dataset.name}. Ask for at least one with --limit or --images.")
    return pairs


def _pairs_listed(dataset: Dataset, file: Path) -> list[Pair]:
    by_name = {str(PurePosixPath(pair.name).with_name(pair.image.name)): pair for pair in dataset.pairs}
    by_name |= {pair.name: pair for pair in dataset.pairs}
    names = [unify(line.strip()) for line in read_list(file) if line.strip()]
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InputError(
            f"{file} names images that {dataset.name} does not have: {', '.join(unknown[:5])}. "
            f"Its names look like {dataset.pairs[0].name!r}."
        )
    return list({by_name[name].name: by_name[name] for name in names}.values())
