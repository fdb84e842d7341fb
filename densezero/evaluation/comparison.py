"""Compares two reports on the same images: mIoU, classes, images, and whether the difference is real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from densezero.errors import InputError
from densezero.evaluation.bootstrap import DRAWS, LEVEL, SEED, Interval, draw_miou, interval
from densezero.evaluation.differences import list_differences
from densezero.evaluation.image_sums import ImageSums, read_sums
from densezero.evaluation.report import Report, read_report

_WHERE = ("root", "hash_version")  # fields of a request that do not decide the numbers


class Change(NamedTuple):
    """Two numbers of one class or image, in percent; None where it has none."""

    name: str
    first: float | None
    second: float | None

    @property
    def difference(self) -> float:
        """The second minus the first, in percentage points; 0 if one is missing."""
        return 0.0 if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True)
class Comparison:
    """The second report against the first.

    Args:
        miou: of both, percent.
        interval: of the difference in mIoU, percentage points; 95 % of the draws lie within.
        draws: number of draws of the paired bootstrap.
        seed: of the bootstrap.
        images: number of images.
        settings: what differs between the two requests.
        classes: every class, the largest difference first.
        per_image: every image with its own mean IoU, the largest difference first.
        note: a doubt about the comparison; may be empty.
    """

    miou: Change
    interval: Interval
    draws: int
    seed: int
    images: int
    settings: tuple[str, ...]
    classes: tuple[Change, ...]
    per_image: tuple[Change, ...]
    note: str = ""

    @property
    def is_told_apart(self) -> bool:
        """Whether the interval does not hold 0."""
        return not self.interval.low <= 0 <= self.interval.high

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""
        return {
            "images": self.images,
            "miou": _plain(self.miou),
            "interval": {"level": LEVEL, "low": self.interval.low, "high": self.interval.high},
            "told_apart": self.is_told_apart,
            "bootstrap": {"draws": self.draws, "seed": self.seed},
            "settings": list(self.settings),
            "note": self.note,
            "classes": [_plain(change) for change in self.classes],
            "per_image": [_plain(change) for change in self.per_image],
        }


def compare_files(first: Path, second: Path, draws: int = DRAWS, seed: int = SEED) -> Comparison:
    """Compare two reports of ``densezero evaluate``, with the per-image counts that lie beside them.

    Args:
        first: a report's file.
        second: another one, of the same images.
        draws: number of draws of the bootstrap, at least 1.
        seed: of its random numbers, 0 or more.

    Raises:
        InputError: if a file cannot be read, if the reports are of other images, labels or classes, if no pixel is
            scored, or for a number out of range.
    """
    if draws < 1 or seed < 0:
        raise InputError(f"Expected at least 1 draw and a seed of 0 or more; got {draws} and {seed}.")
    reports = read_report(first), read_report(second)
    _refuse_other_images(*reports)
    sums = read_sums(reports[0], first), read_sums(reports[1], second)
    _refuse_other_labels(*sums)
    return compare_reports(*reports, *sums, draws=draws, seed=seed)


def compare_reports(
    first: Report, second: Report, first_sums: ImageSums, second_sums: ImageSums, *, draws: int, seed: int
) -> Comparison:
    """Compare two reports on the same images and labels.

    Raises:
        InputError: if no pixel is scored.
    """
    drawn = draw_miou(second_sums, draws, seed) - draw_miou(first_sums, draws, seed)  # (draws,) the same images in both
    if np.isnan(drawn).all():
        raise InputError("No pixel of these reports is scored, so there is nothing to compare.")
    same_files = first.files_sha256 == second.files_sha256 or not (first.files_sha256 and second.files_sha256)
    note = "" if same_files else "the images or labels have other bytes in the two runs, with the same labels per pixel"
    old, new = ({name: value for name, value in r.request.items() if name not in _WHERE} for r in (first, second))
    per_image = [Change(a.name, a.miou, b.miou) for a, b in zip(first.per_image, second.per_image, strict=True)]
    classes = [Change(name, first.per_class[name], second.per_class[name]) for name in first.per_class]
    return Comparison(
        Change("mIoU", first.scores["miou"], second.scores["miou"]), interval(drawn), draws, seed, first.images,
        tuple(list_differences(old, new, words=("first", "second"))), _by_difference(classes),
        _by_difference(per_image), note,
    )  # fmt: skip


def describe_comparison(compared: Comparison, count: int = 5) -> Iterator[str]:
    """Describe a comparison, line by line.

    Args:
        compared: the comparison.
        count: number of classes and of images to list.
    """
    low, high = compared.interval
    first, second = compared.miou.first, compared.miou.second
    yield f"mIoU {first:.2f} -> {second:.2f}, difference {compared.miou.difference:+.2f} points"
    held = "does not hold 0" if compared.is_told_apart else "holds 0"
    better = "second" if compared.miou.difference > 0 else "first"
    verdict = f"the {better} one is better" if compared.is_told_apart else "the two cannot be told apart"
    yield (
        f"{LEVEL:g} % interval of the difference: {low:+.2f} to {high:+.2f}, which {held}: {verdict} "
        f"({compared.draws:,} draws of {compared.images:,} images, paired, seed {compared.seed})"
    )
    if compared.note:
        yield f"note: {compared.note}"
    yield "settings: " + ("; ".join(compared.settings) or "the same")
    for title, changes in (("classes", compared.classes), ("images", compared.per_image)):
        changed = [change for change in changes if change.difference][:count]
        yield f"{title} that differ most:" if changed else f"{title}: no difference"
        for change in changed:
            yield f"  {change.difference:+7.2f}  {change.first:6.2f} -> {change.second:6.2f}  {change.name}"
        once = [change.name for change in changes if (change.first is None) != (change.second is None)]
        if once:
            yield f"  scored in one report alone: {', '.join(once[:count])}" + " ..." * (len(once) > count)


def _refuse_other_images(first: Report, second: Report) -> None:
    pairs = ((first.dataset, second.dataset), (first.request.get("split"), second.request.get("split")))
    if any(a != b for a, b in pairs) or list(first.per_class) != list(second.per_class):
        raise InputError(
            f"Expected two reports of one data set, split and classes; got {first.dataset} ({len(first.per_class)} "
            f"classes) and {second.dataset} ({len(second.per_class)} classes), or others in another order."
        )
    names = [[score.name for score in report.per_image] for report in (first, second)]
    if names[0] != names[1]:
        alone = sorted(set(names[0]) ^ set(names[1]))
        which = f"; {len(alone)} are in one alone: {', '.join(alone[:5])}" if alone else ", in another order"
        raise InputError(
            f"Expected two reports of the same images; got {len(names[0])} and {len(names[1])}{which}. Evaluate both "
            "with the same --limit or --images."
        )


def _refuse_other_labels(first: ImageSums, second: ImageSums) -> None:
    differing = np.flatnonzero((first.truth != second.truth).any(1))
    if len(differing):
        named = ", ".join(first.names[place] for place in differing[:5])
        raise InputError(
            f"Expected the same labels in both reports; those of {len(differing)} images differ ({named}). Evaluate "
            "both on one copy of the data set."
        )


def _by_difference(changes: Sequence[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: -abs(change.difference)))


def _plain(change: Change) -> dict[str, Any]:
    return {**change._asdict(), "difference": change.difference}
