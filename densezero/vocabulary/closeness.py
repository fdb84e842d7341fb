"""How close the vectors of words are: classes that nearly coincide, and synonyms that lie far apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import VocabularyError

REFERENCE: Final = "ade20k"
"""The packaged list whose words set the scale: 150 ordinary things of rooms, streets and nature."""

NEAR: Final = 0.999
FAR: Final = 0.9
"""Two classes nearly coincide if at most 1 in 1,000 pairs of ordinary words is closer; a synonym is far off if 1 in 10
is closer. In a general text model this parts sofa and couch, or road and street, from car and truck, or cat and dog."""

_ROWS = 1024  # words compared at once with all others
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Closeness:
    """The cosines of pairs of ordinary words in one model.

    Cosines differ between models: 0.8 is close in one and usual in another. So the cosine of two words is compared with
    those of ordinary words, most of which have nothing to do with each other.

    Args:
        cosines: (N,) of all pairs, rising.
    """

    cosines: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Closeness:
        """Make the scale from the unit vectors (R, D) of ordinary words.

        Raises:
            VocabularyError: for fewer than two words.
        """
        if len(vectors) < 2:
            raise VocabularyError(f"Expected at least two ordinary words to compare with; got {len(vectors)}.")
        first, second = np.triu_indices(len(vectors), 1)
        return cls(np.sort(_cosines(vectors, vectors)[first, second]))

    def share(self, cosine: float) -> float:
        """Give the share of the pairs that are less close, 0 to 1."""
        return float(np.searchsorted(self.cosines, cosine - _ROUNDING)) / len(self.cosines)

    @property
    def near(self) -> float:
        """The cosine from which two classes nearly coincide."""
        return float(np.quantile(self.cosines, NEAR))

    @property
    def far(self) -> float:
        """The cosine under which a synonym is far off."""
        return float(np.quantile(self.cosines, FAR))


class NearPair(NamedTuple):
    """Two classes that nearly coincide: their indices, the rows of their closest words, and the cosine of these."""

    classes: tuple[int, int]
    rows: tuple[int, int]
    cosine: float


class Synonyms(NamedTuple):
    """How far apart the words of a class lie.

    Args:
        class_index: the class.
        rows: of its words.
        closest: (n,) cosine of each word with the closest other one.
        pair: the rows of the two words that lie farthest apart.
        cosine: of this pair.
    """

    class_index: int
    rows: tuple[int, ...]
    closest: tuple[float, ...]
    pair: tuple[int, int]
    cosine: float


def class_of_rows(words: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Give the class index of each word, (P,)."""
    return np.repeat(np.arange(len(words)), [len(of_class) for of_class in words])


def find_near_pairs(class_of: NDArray[np.int64], vectors: NDArray[np.float32], least: float) -> list[NearPair]:
    """Find the pairs of classes whose closest words have at least this cosine.

    Args:
        class_of: (P,) class index of each word.
        vectors: (P, D) unit vectors of the words.
        least: the cosine.

    Returns:
        The pairs, the closest first; each pair once, the class with the lower index first.
    """
    best: dict[tuple[int, int], NearPair] = {}
    for start in range(0, len(vectors), _ROWS):
        cosines = _cosines(vectors[start : start + _ROWS], vectors)
        later = class_of[start : start + _ROWS, None] < class_of[None]
        for row, other in zip(*np.nonzero(later & (cosines >= least - _ROUNDING)), strict=True):
            classes = int(class_of[start + row]), int(class_of[other])
            pair = NearPair(classes, (int(start + row), int(other)), float(cosines[row, other]))
            if classes not in best or pair.cosine > best[classes].cosine:
                best[classes] = pair
    return sorted(best.values(), key=lambda pair: (-pair.cosine, pair.classes))


def group_near_pairs(pairs: Sequence[NearPair]) -> list[list[NearPair]]:
    """Group the pairs that have a word in common, such as water and sea, and sea and lake; the order of pairs stays."""
    groups: list[set[int]] = []  # the rows of each
    for pair in pairs:
        touched = [rows for rows in groups if rows & set(pair.rows)]
        groups = [rows for rows in groups if rows not in touched] + [set(pair.rows).union(*touched)]
    grouped = [[pair for pair in pairs if pair.rows[0] in rows] for rows in groups]
    return sorted(grouped, key=lambda members: pairs.index(members[0]))


def measure_synonyms(class_of: NDArray[np.int64], vectors: NDArray[np.float32]) -> Iterator[Synonyms]:
    """Measure how far apart the words of each class lie, for the classes that have several.

    Args:
        class_of: (P,) class index of each word, rising.
        vectors: (P, D) unit vectors of the words.
    """
    counts = np.bincount(class_of)
    ends = counts.cumsum()
    for index in np.flatnonzero(counts > 1):
        rows = np.arange(ends[index] - counts[index], ends[index])
        cosines = _cosines(vectors[rows], vectors[rows])  # (n, n)
        others = np.where(np.eye(len(rows), dtype=bool), -np.inf, cosines)
        first, second = np.unravel_index(cosines.argmin(), cosines.shape)
        pair = int(rows[min(first, second)]), int(rows[max(first, second)])
        yield Synonyms(
            int(index), tuple(map(int, rows)), tuple(map(float, others.max(1))), pair, float(cosines[first, second])
        )


def _cosines(some: NDArray[np.float32], all_of_them: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip(some @ all_of_them.T, -1, 1), dtype=np.float32)
