"""The published numbers, each with its source. A number that was not published is absent; none is guessed."""

from __future__ import annotations

import json
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


@dataclass(frozen=True)
class PublishedRow:
    """The published numbers of one method.

    Args:
        method: its name in the paper.
        model: our name of its encoder; None if densezero does not have it.
        source: where the numbers are published.
        protocol: ``simple``, ``slide`` or ``ovss``.
        miou: our name of a data set to the published mIoU in percent.
    """

    method: str
    model: str | None
    source: str
    protocol: str
    miou: dict[str, float]


@cache
def published_rows() -> tuple[PublishedRow, ...]:
    """Read all rows, in the order of the data file."""
    text = (resources.files("densezero.evaluation") / "data" / "published.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return tuple(
        PublishedRow(
            row["method"],
            row.get("model"),
            data["sources"][row["source"]],
            row["protocol"],
            {ours: row[theirs] for ours, theirs in COLUMNS.items() if theirs in row},
        )
        for row in data["rows"]
    )


def published_miou(model: str, protocol: str, dataset: str) -> PublishedRow | None:
    """Find the row with the published number of a model, protocol and data set. Of several, take the most digits.

    Args:
        model: our name, for example ``tipsv2-l14``.
        protocol: our preset's name, for example ``tips-slide``.
        dataset: our name of the data set.

    Returns:
        The row; None if nothing is published.
    """
    kind = {"tips-simple": "simple", "tips-slide": "slide"}.get(protocol, "ovss" if protocol == "ovss" else None)
    rows = [r for r in published_rows() if r.model == model and r.protocol == kind and dataset in r.miou]
    return max(rows, key=lambda row: len(str(row.miou[dataset])), default=None)
