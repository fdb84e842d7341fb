"""Which words win on images: those that never do, and those that win almost everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import VocabularyError
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.closeness import class_of_rows
from densezero.vocabulary.findings import Finding, name_some

MOST_SHARE: Final = 0.5
"""A word that wins more than this share of the pixels wins almost everywhere. With two or three classes it is more."""

IN_ALMOST_ALL: Final = 0.9
"""So does a word that wins ``PART`` of the pixels in this share of the images, if there are ``LEAST`` images and
classes."""

PART: Final = 0.05
LEAST: Final = 10


@dataclass(frozen=True)
class WordWins:
    """What a word wins.

    Args:
        word: the word.
        name: of its class.
        share: of the pixels of an image, mean over the images, 0 to 1.
        images: number of images in which it wins a pixel.
    """

    word: str
    name: str
    share: float
    images: int


class Wins(NamedTuple):
    """The findings, and a row for each word in the order of the list."""

    findings: tuple[Finding, ...]
    words: tuple[WordWins, ...]


def check_wins(classes: ClassList, pixels: NDArray[np.int64]) -> Wins:
    """Check which words win on images.

    Args:
        classes: the list.
        pixels: (N, P) for each of N images, N at least 1, the number of pixels that each word wins.

    Raises:
        VocabularyError: for another number of words, or no image.
    """
    class_of = class_of_rows(classes.words)
    if pixels.ndim != 2 or pixels.shape[1] != len(class_of) or not len(pixels):
        raise VocabularyError(f"Expected pixels (N, {len(class_of)}) of at least one image; got {pixels.shape}.")
    shares = pixels / pixels.sum(1, keepdims=True)  # (N, P)
    words = [word for of_class in classes.words for word in of_class]
    rows = tuple(
        WordWins(word, classes.entries[index].name, float(shares[:, place].mean()), int((pixels[:, place] > 0).sum()))
        for place, (word, index) in enumerate(zip(words, class_of, strict=True))
    )
    if len(classes) == 1:
        return Wins((), rows)
    return Wins((*_often(classes, shares, rows), *_never(classes, rows, len(pixels))), rows)


def _often(classes: ClassList, shares: NDArray[np.float64], rows: tuple[WordWins, ...]) -> Iterator[Finding]:
    """Find the words that win almost everywhere."""
    images = len(shares)
    most = max(MOST_SHARE, min(IN_ALMOST_ALL, 2 / len(classes)))
    many = images >= LEAST and len(classes) >= LEAST
    for place, row in enumerate(rows):
        in_images = int((shares[:, place] >= PART).sum())
        if row.share > most:
            seen = f"{row.word!r}: {_percent(row.share)} of the pixels of {count_images(images)}"
        elif many and in_images >= IN_ALMOST_ALL * images:
            seen = f"{row.word!r}: at least {_percent(PART)} of the pixels in {in_images} of {images} images"
        else:
            continue
        advice = "If something else is there: add a class for it, or use a narrower word."
        yield Finding("often", (row.name,), (row.word,), seen, advice)


def _never(classes: ClassList, rows: tuple[WordWins, ...], images: int) -> Iterator[Finding]:
    """Find the classes without a pixel, all of them as one finding, and the synonyms that are not needed."""
    winners = {row.name for row in rows if row.images}
    never = [name for name in classes.names if name not in winners]
    if never:
        seen = f"{len(never)} of {len(classes)} classes on {count_images(images)}: {name_some(never, 8)}"
        words = tuple(row.word for row in rows if row.name not in winners)
        advice = "If one of them is there: try other words for it, and see where the model finds them: "
        advice += "densezero similarity IMAGE --text WORD --text WORD --out FILE.png"
        yield Finding("never", tuple(never), words, seen, advice)
    spare = [row for row in rows if row.name in winners and not row.images]
    if spare:
        seen = name_some([f"{row.word!r} ({row.name})" for row in spare])
        names = tuple(dict.fromkeys(row.name for row in spare))
        advice = "They do no harm here. Leave them out to save time."
        yield Finding("spare", names, tuple(row.word for row in spare), seen, advice)


def count_images(number: int) -> str:
    """Write a number of images.

    Example:
        >>> count_images(1), count_images(1449)
        ('1 image', '1,449 images')
    """
    return f"{number:,} image{'' if number == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
