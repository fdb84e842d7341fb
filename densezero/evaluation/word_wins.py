"""Counts which word of a class list wins each pixel of some images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.base import DenseEncoder
from densezero.engine import Segmenter
from densezero.errors import InputError
from densezero.images import FoundImage
from densezero.progress import Listener, Progress


class WinCounts(NamedTuple):
    """Pixels (N, P) that each of P words wins in each of N images, and the number of images that could not be read."""

    pixels: NDArray[np.int64]
    failed: int


def count_wins(
    encoder: DenseEncoder, vectors: NDArray[np.float32], images: Sequence[FoundImage], listener: Listener
) -> WinCounts:
    """Segment images with every word as a class of its own, by the default protocol.

    Args:
        encoder: gives patch features.
        vectors: (P, D) unit vectors of the words.
        images: the images; one that cannot be read is reported to the listener and left out.
        listener: hears of each image.
    """
    segmenter = Segmenter(encoder, [str(place) for place in range(len(vectors))], text_embeddings=vectors)
    counted: list[NDArray[np.int64]] = []
    began = time.monotonic()
    for done, image in enumerate(images, start=1):
        error = None
        try:
            labels = segmenter.segment(image.path).labels  # (H, W)
            counted.append(np.bincount(labels.ravel(), minlength=len(vectors)))
        except InputError as problem:
            error = str(problem)
        seconds = time.monotonic() - began
        failed = done - len(counted)
        listener.image(Progress(str(image.relative), error, len(counted), failed, 0, len(images), seconds))
    pixels = np.stack(counted) if counted else np.zeros((0, len(vectors)), np.int64)
    return WinCounts(pixels, len(images) - len(counted))


def choose_evenly(images: Sequence[FoundImage], most: int) -> list[FoundImage]:
    """Choose at most this number of images, spread evenly over all of them, the first among them."""
    count = min(most, len(images))
    return [images[place * len(images) // count] for place in range(count)]
