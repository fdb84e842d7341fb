"""The published numbers, each with its source. A number that was not published is absent; none is guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

# Our names of the data sets to their names in the data file. For other data sets nothing is published.
COLUMNS = {
    "ade20k": "ade20k",
    "pascal-context59": "pascal_context59",
    "pascal-context60": "pascal_context60",
    "voc20": "voc20",
    "voc21": "voc21",
    "cityscapes": "cityscapes",
    "coco-stuff": "coco_stuff",
    "coco-object": "coco_object",
}


_FILES = ("published.json", "training_free.json")
_PRESETS = {"simple": "tips-simple", "slide": "tips-slide", "naclip": "ovss-naclip"}
"""The protocol of a row, or the source that decides it, to our preset."""


@dataclass(frozen=True)
class PublishedRow:
    """The published numbers of one method.

    Args:
        method: its name in the paper.
        model: our name of its encoder; None if densezero does not have it.
        source: where the numbers are published.
        protocol: our name of the protocol.
        miou: our name of a data set to the published mIoU in percent.
        readout: read-out of the encoder's last block.
    """

    method: str
    model: str | None
    source: str
    protocol: str
    miou: dict[str, float]
    readout: str = "value"


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """Read all rows, in the order of the data files."""
    return tuple(row for name in _FILES for row in _read_rows(name))


def _read_rows(name: str) -> Iterator[PublishedRow]:
    text = (resources.files("densezero.evaluation") / "data" / name).read_text(encoding="utf-8")
    data = json.loads(text)
    for row in data["rows"]:
        yield PublishedRow(
            row["method"],
            row.get("model"),
            data["sources"][row["source"]],
            _protocol(row["protocol"], row["source"]),
            {ours: row[theirs] for ours, theirs in COLUMNS.items() if theirs in row},
            row.get("readout", PublishedRow.readout),
        )


def published_miou(model: str, protocol: str, dataset: str, readout: str = PublishedRow.readout) -> PublishedRow | None:
    """Find the row with the published number of a model, protocol and data set. Of several, take the most digits.

    Args:
        model: our name, for example ``tipsv2-l14``.
        protocol: our preset's name, for example ``tips-slide``.
        dataset: our name of the data set.
        readout: read-out of the encoder's last block.

    Returns:
        The row; None if nothing is published.
    """
    asked = (model, protocol, readout)
    rows = [r for r in published_rows() if (r.model, r.protocol, r.readout) == asked and dataset in r.miou]
    return max(rows, key=lambda row: len(str(row.miou[dataset])), default=None)


def _protocol(kind: str, source: str) -> str:
    """Give our name of a protocol in the data files; papers without constants of their own here follow SCLIP's."""
    return _PRESETS.get(kind) or (_PRESETS.get(source, kind) if kind == "ovss" else kind)
