"""The pixel sums of each image and class, kept in a compact file beside the report, for intervals and comparisons."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError, OutputError
from densezero.evaluation.report import Report

FORMAT: Final = "densezero image sums 1"
_PARTS: Final = ("hits", "truth", "predicted")


def sums_file(report: Path) -> Path:
    """The file beside a report: ``ade20k.json`` has ``ade20k.counts.npz``."""
    return report.with_name(f"{report.stem}.counts.npz")


class ClassSums(NamedTuple):
    """Pixel sums of one image for the K classes that occur in it.

    Args:
        labels: (K,) index of each class.
        pixels: (3, K) correct, true and predicted pixels.
    """

    labels: NDArray[np.int64]
    pixels: NDArray[np.int64]

    @classmethod
    def of(cls, confusion: NDArray[np.int64]) -> ClassSums:
        """Sum the (C, C) counts of one image."""
        dense = np.stack([np.diag(confusion), confusion.sum(1), confusion.sum(0)])  # (3, C)
        labels = np.flatnonzero(dense.any(0))
        return cls(labels, dense[:, labels])


@dataclass(frozen=True)
class ImageSums:
    """Pixel sums of N images and C classes. Their sums over images give the IoU of each class.

    Args:
        names: of the images.
        hits: (N, C) int64, correct pixels.
        truth: (N, C) int64, scored pixels whose label is the class.
        predicted: (N, C) int64, scored pixels that are predicted as the class.
    """

    names: tuple[str, ...]
    hits: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(cls, images: Sequence[tuple[str, ClassSums]], classes: int) -> ImageSums:
        """Put the names and sums of images into arrays of ``classes`` columns."""
        dense = np.zeros((3, len(images), classes), np.int64)
        for row, (_, sums) in enumerate(images):
            dense[:, row, sums.labels] = sums.pixels
        return cls(tuple(name for name, _ in images), *dense)

    def to_bytes(self) -> bytes:
        """Write the sums above zero as a compressed ``.npz``; equal sums give equal bytes."""
        image, label = np.nonzero(self.truth + self.predicted)
        hits, truth, predicted = (_smallest(getattr(self, name)[image, label]) for name in _PARTS)
        about = json.dumps({"format": FORMAT, "classes": self.truth.shape[1], "images": self.names})
        stored = np.frombuffer(about.encode("utf-8"), np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, about=stored, image=_smallest(image), label=_smallest(label),
            hits=hits, truth=truth, predicted=predicted,
        )  # fmt: skip
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> ImageSums:
        """Read what ``to_bytes`` wrote.

        Raises:
            ValueError: if it is not that.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                about = json.loads(stored["about"].tobytes().decode("utf-8"))
                names, classes = tuple(map(str, about["images"])), int(about["classes"])
                place = stored["image"].astype(np.int64), stored["label"].astype(np.int64)
                if about["format"] != FORMAT:
                    raise ValueError(f"its format is {about['format']!r}")
                sums = []
                for name in _PARTS:
                    dense = np.zeros((len(names), classes), np.int64)
                    dense[place] = stored[name]
                    sums.append(dense)
        except Exception as error:  # whatever the readers of a damaged archive can raise
            raise ValueError(f"{type(error).__name__}: {error}") from None
        return cls(names, *sums)

    def fits(self, report: Report) -> bool:
        """Whether these are the images and the pixels of a report."""
        confusion = np.asarray(report.confusion, np.int64)
        totals = np.diag(confusion), confusion.sum(1), confusion.sum(0)
        ours = self.hits.sum(0), self.truth.sum(0), self.predicted.sum(0)
        return self.names == tuple(score.name for score in report.per_image) and all(
            np.array_equal(a, b) for a, b in zip(ours, totals, strict=True)
        )


def read_sums(report: Report, file: Path) -> ImageSums:
    """Read the sums beside a report.

    Args:
        report: the report.
        file: its file.

    Raises:
        InputError: if the sums are missing, damaged, or those of another report.
    """
    beside = sums_file(file)
    again = "Evaluate again into a new file: this version of densezero writes them."
    try:
        sums = ImageSums.from_bytes(beside.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"Expected the per-image counts of {file} in {beside}; that file is missing. Move it along with its "
            f"report, or: {again[0].lower()}{again[1:]}"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"Expected per-image counts in {beside}; it cannot be read ({error}). {again}") from None
    if not sums.fits(report):
        raise InputError(f"{beside} holds the per-image counts of another report than {file}. {again}")
    return sums


def refuse_foreign_sums(report: Path) -> None:
    """Refuse a file beside a report that would be written over, and that densezero did not write.

    Raises:
        OutputError: if there is one.
    """
    beside = sums_file(report)
    try:
        ImageSums.from_bytes(beside.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        raise OutputError(
            f"The per-image counts go into {beside}, where a file is that densezero did not write. Move it away, or "
            "choose another --out."
        ) from None


def _smallest(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the smallest unsigned type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
