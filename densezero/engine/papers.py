"""What the paper behind each preset sets for each benchmark: constants, class list, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from densezero.engine.protocol import Background

BENCHMARKS: Final = (
    "ade20k", "voc20", "voc21", "pascal-context59", "pascal-context60", "cityscapes", "coco-stuff", "coco-object",
)  # fmt: skip
"""Data sets that papers report, by our names."""


@dataclass(frozen=True)
class Paper:
    """The source of a preset.

    Args:
        what: what the preset does, in one sentence.
        use: when to choose it.
        source: where its constants were published.
        constants: benchmark to the settings that differ from the preset's.
        class_lists: benchmark to the packaged list with the paper's words; others use the benchmark's own list.
        note: what the paper does not state, or what was not compared with it; may be empty.
    """

    what: str
    use: str
    source: str
    constants: dict[str, dict[str, Any]] = field(default_factory=dict)
    class_lists: dict[str, str] = field(default_factory=dict)
    note: str = ""


def _threshold(value: float) -> dict[str, Any]:
    return {"background": Background(threshold=value)}


_SCLIP_LISTS: Final = {
    "ade20k": "ovss-ade20k",
    "voc20": "ovss-voc20",
    "voc21": "ovss-voc21",
    "pascal-context59": "ovss-context59",
    "pascal-context60": "ovss-context60",
    "cityscapes": "ovss-cityscapes",
    "coco-stuff": "ovss-coco-stuff",
    "coco-object": "ovss-coco-object",
}
_OVSS_USE: Final = "To compare with the rows of {} and of papers that follow it."
_TIPS_NOTE: Final = "The paper states class names, templates and background rule for ADE20K alone."

PAPERS: Final[dict[str, Paper]] = {
    "tips-simple": Paper(
        "The whole image at a short side of 448 px; each pixel gets the class with the highest cosine.",
        "For the main rows of TIPSv2, and where speed matters: one pass for each image.",
        "TIPSv2 (arXiv 2604.12012), table 5; constants of the authors' notebook",
        note=f"The paper does not state the resolution of these rows. {_TIPS_NOTE}",
    ),
    "tips-slide": Paper(
        "Windows of 448 px every 336 px; the mean of their softmax over the classes decides.",
        "The default: more detail in large images, and the official ADE20K number of TIPSv2.",
        "TIPSv2 (arXiv 2604.12012), table 8, and the authors' zero-shot segmentation notebook",
        note=_TIPS_NOTE,
    ),
    "ovss": Paper(
        "The convention of training-free papers on CLIP, with the constants of SCLIP: windows of 224 px every 112 px, "
        "mean cosine, softmax(scale x cosine) over all words, the best word of a class counts.",
        _OVSS_USE.format("SCLIP"),
        "SCLIP (arXiv 2312.01597) and the configurations of its repository",
        {
            "voc21": {"scale": 65.0, **_threshold(0.1), "min_area_share": 0.1},
            "pascal-context60": {"scale": 50.0, **_threshold(0.1)},
            "coco-object": {"scale": 50.0, **_threshold(0.1)},
            "coco-stuff": {"short_side_px": 448},
            "cityscapes": {"short_side_px": 560},
        },
        _SCLIP_LISTS,
    ),
    "ovss-naclip": Paper(
        "As ovss, with the constants of NACLIP: Pascal VOC whole, without windows.",
        _OVSS_USE.format("NACLIP"),
        "NACLIP (arXiv 2404.08181) and the configurations of its repository",
        {
            "voc20": {"window_px": None},
            "voc21": {"window_px": None, **_threshold(0.1)},
            "pascal-context60": _threshold(0.1),
            "coco-object": _threshold(0.1),
            "cityscapes": {"short_side_px": 560},
        },
        _SCLIP_LISTS,
        "The lists are those of SCLIP, which NACLIP builds on; its own files were not compared.",
    ),
    "ovss-clearclip": Paper(
        "As ovss, with the constants of ClearCLIP: windows of 448 px every 224 px, scale 50.",
        _OVSS_USE.format("ClearCLIP"),
        "ClearCLIP (arXiv 2407.12442) and the configurations of its repository",
        {
            "voc21": _threshold(0.5),
            "pascal-context60": _threshold(0.15),
            "coco-object": _threshold(0.4),
        },
        {**_SCLIP_LISTS, "voc21": "clearclip-voc21", "coco-object": "coco-object"},
        "The lists of voc21 and coco-object are ClearCLIP's own; the others are those of SCLIP and were not compared.",
    ),
    "ovss-proxyclip": Paper(
        "As ovss, with the constants of ProxyCLIP: windows of 336 px every 112 px.",
        _OVSS_USE.format("ProxyCLIP"),
        "ProxyCLIP (arXiv 2408.04883) and the configurations of its repository",
        {
            "voc21": _threshold(0.2),
            "pascal-context60": _threshold(0.15),
            "coco-object": _threshold(0.25),
            "ade20k": {"short_side_px": 448},
            "cityscapes": {"short_side_px": 448},
        },
        {
            **_SCLIP_LISTS,
            "voc20": "proxyclip-voc20",
            "voc21": "proxyclip-voc21",
            "coco-object": "proxyclip-coco-object",
        },
        "The lists of voc20, voc21 and coco-object are ProxyCLIP's own; the others are those of SCLIP and were not "
        "compared.",
    ),
}
"""The source of each preset, by the preset's name."""

BENCHMARK_OF: Final = {
    class_list: benchmark for paper in PAPERS.values() for benchmark, class_list in paper.class_lists.items()
}
"""The benchmark of each packaged class list of the papers."""
