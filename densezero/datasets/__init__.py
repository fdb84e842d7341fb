"""Benchmarks on disk: their layout, their labels as class indices, and their class lists; no torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezero.lazy import lazy_names

if TYPE_CHECKING:
    from densezero.datasets.base import IGNORED, Dataset, Pair
    from densezero.datasets.catalog import DATASETS, find_dataset, load_dataset
    from densezero.datasets.check import Check, check_dataset, refuse_differing_sizes
    from densezero.datasets.splits import DEFAULT_SPLIT

__all__ = [
    "DATASETS",
    "DEFAULT_SPLIT",
    "IGNORED",
    "Check",
    "Dataset",
    "Pair",
    "check_dataset",
    "find_dataset",
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
        "Check": "densezero.datasets.check",
        "Dataset": "densezero.datasets.base",
        "Pair": "densezero.datasets.base",
        "check_dataset": "densezero.datasets.check",
        "find_dataset": "densezero.datasets.catalog",
        "load_dataset": "densezero.datasets.catalog",
        "refuse_differing_sizes": "densezero.datasets.check",
    },
)
