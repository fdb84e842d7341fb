"""Benchmarks on disk: folders, labels as class indices, and class lists. Nothing here imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezero.lazy import lazy_names

if TYPE_CHECKING:
    from densezero.datasets.base import IGNORED, Dataset, Pair
    from densezero.datasets.catalog import DATASETS, find_dataset, load_dataset
    from densezero.datasets.check import Check, check_dataset, describe_check
    from densezero.datasets.label_notes import label_notes
    from densezero.datasets.pair_sizes import refuse_differing_sizes
    from densezero.datasets.split_sizes import OFFICIAL_IMAGES, describe_part
    from densezero.datasets.splits import DEFAULT_SPLIT

__all__ = [
    "DATASETS",
    "DEFAULT_SPLIT",
    "IGNORED",
    "OFFICIAL_IMAGES",
    "Check",
    "Dataset",
    "Pair",
    "check_dataset",
    "describe_check",
    "describe_part",
    "find_dataset",
    "label_notes",
    "load_dataset",
    "refuse_differing_sizes",
]

# Defaults are read by the command line, which loads no Pillow until there is work.
__getattr__ = lazy_names(
    __name__,
    {
        "DATASETS": "densezero.datasets.catalog",
        "DEFAULT_SPLIT": "densezero.datasets.splits",
        "IGNORED": "densezero.datasets.base",
        "OFFICIAL_IMAGES": "densezero.datasets.split_sizes",
        "Check": "densezero.datasets.check",
        "Dataset": "densezero.datasets.base",
        "Pair": "densezero.datasets.base",
        "check_dataset": "densezero.datasets.check",
        "describe_check": "densezero.datasets.check",
        "describe_part": "densezero.datasets.split_sizes",
        "find_dataset": "densezero.datasets.catalog",
        "label_notes": "densezero.datasets.label_notes",
        "load_dataset": "densezero.datasets.catalog",
        "refuse_differing_sizes": "densezero.datasets.pair_sizes",
    },
)
