"""What the paper behind a protocol sets for each benchmark: constants, and the class list with its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

BENCHMARKS: Final = (
    "ade20k", "voc20", "voc21", "pascal-context59", "pascal-context60", "cityscapes", "coco-stuff", "coco-object",
)  # fmt: skip
"""Data sets that papers report, by our names."""


@dataclass(frozen=True)
class Paper:
    """What a paper sets for the benchmarks.

    Args:
        constants: benchmark to the fields of the protocol that differ there, and ``background_threshold``.
        class_lists: benchmark to the packaged list with the paper's words; others use the benchmark's own list.
    """

    constants: dict[str, dict[str, Any]] = field(default_factory=dict)
    class_lists: dict[str, str] = field(default_factory=dict)


_SCLIP: Final = Paper(
    {
        "voc21": {"scale": 65.0, "background_threshold": 0.1, "min_area_share": 0.1},
        "pascal-context60": {"scale": 50.0, "background_threshold": 0.1},
        "coco-object": {"scale": 50.0, "background_threshold": 0.1},
        "coco-stuff": {"short_side_px": 448},
        "cityscapes": {"short_side_px": 560},
    },
    {
        "ade20k": "ovss-ade20k",
        "voc20": "ovss-voc20",
        "voc21": "ovss-voc21",
        "pascal-context59": "ovss-context59",
        "pascal-context60": "ovss-context60",
        "cityscapes": "ovss-cityscapes",
        "coco-stuff": "ovss-coco-stuff",
        "coco-object": "ovss-coco-object",
    },
)

PAPERS: Final[dict[str, Paper]] = {
    "tips-simple": Paper(),
    "tips-slide": Paper(),
    "ovss": _SCLIP,
    "ovss-naclip": Paper(
        {
            "voc20": {"window_px": None},
            "voc21": {"window_px": None, "background_threshold": 0.1},
            "pascal-context60": {"background_threshold": 0.1},
            "coco-object": {"background_threshold": 0.1},
            "cityscapes": {"short_side_px": 560},
        },
        _SCLIP.class_lists,
    ),
    "ovss-clearclip": Paper(
        {
            "voc21": {"background_threshold": 0.5},
            "pascal-context60": {"background_threshold": 0.15},
            "coco-object": {"background_threshold": 0.4},
        },
        {**_SCLIP.class_lists, "voc21": "clearclip-voc21", "coco-object": "coco-object"},
    ),
    "ovss-proxyclip": Paper(
        {
            "voc21": {"background_threshold": 0.2},
            "pascal-context60": {"background_threshold": 0.15},
            "coco-object": {"background_threshold": 0.25},
            "ade20k": {"short_side_px": 448},
            "cityscapes": {"short_side_px": 448},
        },
        {
            **_SCLIP.class_lists,
            "voc20": "proxyclip-voc20",
            "voc21": "proxyclip-voc21",
            "coco-object": "proxyclip-coco-object",
        },
    ),
    "pearl-grid": _SCLIP,
}
"""By the name of the protocol."""

BENCHMARK_OF: Final = {
    class_list: benchmark for paper in PAPERS.values() for benchmark, class_list in paper.class_lists.items()
}
"""The benchmark of each packaged class list of the papers."""


def class_list_for(name: str, dataset: str) -> str:
    """Name the packaged class list that a protocol expects for a benchmark.

    Args:
        name: of the preset; any other name stands for a protocol without a list of its own.
        dataset: our name of the benchmark, for example ``voc21``.

    Returns:
        The paper's list; where it has none, the benchmark's own list, which has the name of the data set.

    Example:
        >>> class_list_for("ovss", "voc21"), class_list_for("tips-slide", "voc21")
        ('ovss-voc21', 'voc21')
    """
    return PAPERS[name].class_lists.get(dataset, dataset) if name in PAPERS else dataset
