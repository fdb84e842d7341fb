"""The columns of feature pictures: which read-out of which model, and how each is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A column's features.

    Args:
        model: a name or a path.
        readout: of the last block.
    """

    model: str
    readout: str


def list_sources(models: Sequence[str], readouts: Sequence[str]) -> list[Source]:
    """Every read-out of every model, those of one model next to each other."""
    return [Source(model, readout) for model in models for readout in readouts]


def label_sources(sources: Sequence[Source]) -> dict[Source, str]:
    """A name for each source that is short, different from the others', and fit for a folder."""
    one_readout = len({source.readout for source in sources}) == 1
    labels: dict[Source, str] = {}
    for source in sources:
        text = source.model if one_readout else f"{source.model}-{source.readout}"
        label = re.sub(r"[^\w.+-]+", "_", text).strip("._") or "model"
        taken = set(labels.values())
        labels[source] = label if label not in taken else f"{label}-{len(labels) + 1}"
    return labels


def caption_columns(sources: Sequence[Source], shows: Sequence[str]) -> list[str]:
    """A caption for the image, then for each source and each thing to show what tells it apart from the others."""
    several_readouts = len({source.readout for source in sources}) > 1
    return ["image"] + [
        ", ".join([source.model] + [source.readout] * several_readouts + [show] * (len(shows) > 1))
        for source in sources
        for show in shows
    ]
