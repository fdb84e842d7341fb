"""Describes presets in words: what they do, their constants for each benchmark, and the class list they expect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from densezero.engine.papers import BENCHMARKS, PAPERS
from densezero.engine.presets import class_list_for, find_protocol
from densezero.engine.protocol import Background, Protocol
from densezero.errors import ProtocolError, did_you_mean

_MEANINGS = {
    "short_side_px": "short side of the model input, pixels",
    "long_side_cap_px": "limit for the long side, pixels",
    "rounding": "how a fraction of a pixel is rounded",
    "window_px": "side of a window, pixels",
    "stride_px": "step from window to window, pixels",
    "readout": "read-out of the encoder's last block",
    "window_scores": "what is averaged over windows",
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
    protocol = protocol_facts(name, dataset)
    paper = PAPERS[name]
    yield from (name if dataset is None else f"{name} on {dataset}", f"  what    {paper.what}")
    yield from (f"  use     {paper.use}", f"  source  {paper.source}")
    if paper.note:
        yield f"  note    {paper.note}"
    if dataset is not None:
        yield f"  class list  {protocol['class_list']}"
    yield "  constants"
    for field_name, meaning in _MEANINGS.items():
        yield f"    {field_name:<17} {_say(field_name, protocol[field_name]):<14} {meaning}"
    if dataset is None:
        yield "  by benchmark: class list, and constants that differ"
        for benchmark in BENCHMARKS:
            differing = paper.constants.get(benchmark, {})
            listed = ", ".join(f"{field_name} {_say(field_name, value)}" for field_name, value in differing.items())
            yield f"    {benchmark:<17} {class_list_for(name, benchmark):<22} {listed}".rstrip()


def protocol_facts(name: str, dataset: str | None = None) -> dict[str, Any]:
    """Give the constants of a preset by name, with the class list that it expects.

    Raises:
        ProtocolError: as ``describe_protocol``.
    """
    if dataset is not None and dataset not in BENCHMARKS:
        raise ProtocolError(
            f"Expected a benchmark that papers report; got {dataset!r}. {did_you_mean(dataset, list(BENCHMARKS))}"
        )
    protocol = find_protocol(name, dataset)
    values = {each.name: getattr(protocol, each.name) for each in fields(Protocol)}
    class_list = class_list_for(name, dataset) if dataset else "the benchmark's"
    return {**values, "class_list": class_list}


def _say(field_name: str, value: object) -> str:
    """Put a setting into words."""
    if isinstance(value, Background):
        parts = [f"words {', '.join(value.words)}"] if value.words else []
        parts += [f"threshold {value.threshold:g}"] if value.threshold else []
        return " and ".join(parts) or "none"
    if value is None:
        return {"window_px": "whole image", "scale": "none"}[field_name]
    return f"{value:g}" if isinstance(value, float) else str(value)
