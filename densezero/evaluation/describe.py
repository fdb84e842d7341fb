"""Describes presets in words: what they do, where they come from, their constants for each benchmark, their words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from densezero.datasets.papers import BENCHMARKS, class_list_for
from densezero.engine.presets import find_protocol
from densezero.engine.protocol import Grid, Pamr, Protocol
from densezero.errors import ProtocolError, did_you_mean
from densezero.vocabulary.background import Background


@dataclass(frozen=True)
class PresetText:
    """What a reader should know of a preset.

    Args:
        what: what it does, in one sentence.
        use: when to choose it.
        source: where its constants were published.
        note: what the paper does not state, or what was not compared with it; may be empty.
    """

    what: str
    use: str
    source: str
    note: str = ""


_OVSS_USE: Final = "To compare with the rows of {} and of papers that follow it."
_TIPS_NOTE: Final = "The paper states class names, templates and background rule for ADE20K alone."

TEXTS: Final = {
    "tips-simple": PresetText(
        "The whole image at a short side of 448 px; each pixel gets the class with the highest cosine.",
        "For the main rows of TIPSv2, and where speed matters: one pass for each image.",
        "TIPSv2 (arXiv 2604.12012), table 5; constants of the authors' notebook",
        f"The paper does not state the resolution of these rows. {_TIPS_NOTE}",
    ),
    "tips-slide": PresetText(
        "Windows of 448 px every 336 px; the mean of their softmax over the classes decides.",
        "The default: more detail in large images, and the official ADE20K number of TIPSv2.",
        "TIPSv2 (arXiv 2604.12012), table 8, and the authors' zero-shot segmentation notebook",
        f"{_TIPS_NOTE} With --refine grid or pamr, the mean cosine takes the place of the mean softmax.",
    ),
    "ovss": PresetText(
        "The convention of training-free papers on CLIP, with the constants of SCLIP: windows of 224 px every 112 px, "
        "mean cosine, softmax(scale x cosine) over all words, the best word of a class counts.",
        _OVSS_USE.format("SCLIP"),
        "SCLIP (arXiv 2312.01597) and the configurations of its repository",
    ),
    "ovss-naclip": PresetText(
        "As ovss, with the constants of NACLIP: Pascal VOC whole, without windows.",
        _OVSS_USE.format("NACLIP"),
        "NACLIP (arXiv 2404.08181) and the configurations of its repository",
        "The lists are those of SCLIP, which NACLIP builds on; its own files were not compared. With --refine pamr, "
        "PAMR works at the size of the image, as in the paper.",
    ),
    "ovss-clearclip": PresetText(
        "As ovss, with the constants of ClearCLIP: windows of 448 px every 224 px, scale 50.",
        _OVSS_USE.format("ClearCLIP"),
        "ClearCLIP (arXiv 2407.12442) and the configurations of its repository",
        "The lists of voc21 and coco-object are ClearCLIP's own; the others are those of SCLIP and were not compared.",
    ),
    "ovss-proxyclip": PresetText(
        "As ovss, with the constants of ProxyCLIP: windows of 336 px every 112 px.",
        _OVSS_USE.format("ProxyCLIP"),
        "ProxyCLIP (arXiv 2408.04883) and the configurations of its repository",
        "The lists of voc20, voc21 and coco-object are ProxyCLIP's own; the others are those of SCLIP and were not "
        "compared.",
    ),
    "pearl-grid": PresetText(
        "As ovss, and the mean cosines are smoothed on a coarse grid up to the edges of the image.",
        "To see what the second step of PEARL, its grid solve, brings alone.",
        "PEARL (arXiv 2603.21528) for the grid; SCLIP for everything else, as ovss",
        "PEARL's first step, which changes the attention of the encoder, is not here. So its rows are not comparable.",
    ),
}
"""What a reader should know of each preset."""

_MEANINGS: Final = {
    "short_side_px": "short side of the model input, pixels",
    "long_side_cap_px": "limit for the long side, pixels",
    "rounding": "how a fraction of a pixel is rounded",
    "window_px": "side of a window, pixels",
    "stride_px": "step from window to window, pixels",
    "readout": "read-out of the encoder's last block",
    "window_scores": "what is averaged over windows",
    "refine": "what makes averaged cosines follow the edges of the image",
    "scale": "probabilities are softmax(scale x cosine) over all words",
    "templates": "prompt templates",
    "background": "what happens to pixels that no class describes",
    "min_area_share": "classes with at most this share of the foreground are dropped",
}


def describe_protocol(name: str, dataset: str | None = None) -> Iterator[str]:
    """Describe a preset, line by line.

    Args:
        name: of the preset.
        dataset: a benchmark, to list every constant for it; None lists the benchmarks with other constants.

    Raises:
        ProtocolError: if the preset or the benchmark is unknown. The message gives the nearest name.
    """
    _refuse_other_benchmark(dataset)
    protocol, text = find_protocol(name, dataset), TEXTS[name]
    yield from (name if dataset is None else f"{name} on {dataset}", f"  what    {text.what}")
    yield from (f"  use     {text.use}", f"  source  {text.source}")
    if text.note:
        yield f"  note    {text.note}"
    if dataset is not None:
        yield f"  class list  {class_list_for(name, dataset)}"
    yield "  constants"
    for field_name, meaning in _MEANINGS.items():
        yield f"    {field_name:<17} {_say(protocol, field_name):<14} {meaning}"
    for part, value in asdict(protocol.refine).items() if protocol.refine is not None else ():
        yield f"    {f'refine.{part}':<17} {value}"
    if dataset is None:
        yield "  by benchmark: class list, and constants that differ"
        for benchmark in BENCHMARKS:
            there = find_protocol(name, benchmark)
            differing = [each for each in _MEANINGS if getattr(there, each) != getattr(protocol, each)]
            listed = ", ".join(f"{each} {_say(there, each)}" for each in differing)
            yield f"    {benchmark:<17} {class_list_for(name, benchmark):<22} {listed}".rstrip()


def protocol_facts(name: str, dataset: str | None = None) -> dict[str, Any]:
    """Give the constants of a preset by name as plain values, with the class list that it expects.

    Raises:
        ProtocolError: as ``describe_protocol``.
    """
    _refuse_other_benchmark(dataset)
    class_list = class_list_for(name, dataset) if dataset else "the benchmark's"
    return {"refine": None, **find_protocol(name, dataset).to_json(), "class_list": class_list}


def _refuse_other_benchmark(dataset: str | None) -> None:
    if dataset is not None and dataset not in BENCHMARKS:
        raise ProtocolError(
            f"Expected a benchmark that papers report; got {dataset!r}. {did_you_mean(dataset, list(BENCHMARKS))}"
        )


def _say(protocol: Protocol, field_name: str) -> str:
    """Put a setting into words."""
    value = getattr(protocol, field_name)
    if isinstance(value, Background):
        parts = [f"words {', '.join(value.words)}"] if value.words else []
        parts += [f"threshold {value.threshold:g}"] if value.threshold else []
        return " and ".join(parts) or "none"
    if isinstance(value, Grid | Pamr):
        return value.method
    if value is None:
        return {"window_px": "whole image", "scale": "none", "refine": "none"}[field_name]
    return f"{value:g}" if isinstance(value, float) else str(value)
