"""Points of outlines as JSON text. Outlines have many points, and ``json`` takes several times as long for them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

POINTS = '"points": null'
"""Stands for points in JSON text that is to be filled in. It cannot occur within a string, whose quotes are escaped."""


def points_text(points: NDArray[np.floating] | NDArray[np.integer], decimals: int = 0) -> str:
    """Write (N, 2) points as a JSON list of pairs.

    Args:
        points: x, y of each.
        decimals: of each number.

    Example:
        >>> points_text(np.array([[1, 2.25]]), decimals=1)
        '[[1.0,2.2]]'
    """
    number = f"%.{decimals}f" if decimals else "%d"
    return f"[{','.join([f'[{number},{number}]'] * len(points))}]" % tuple(points.ravel().tolist())


def fill_in(text: str, points: Iterable[str], place: str = POINTS) -> str:
    """Put the text of points where ``null`` stands for them.

    Args:
        text: JSON.
        points: a text for each place, in their order.
        place: a key and ``null``, as they stand in the text.
    """
    first, *rest = text.split(place)
    key = place.removesuffix("null")
    return first + "".join(f"{key}{each}{after}" for each, after in zip(points, rest, strict=True))
