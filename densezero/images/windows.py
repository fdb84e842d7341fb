"""Positions of sliding windows, in integers."""

from __future__ import annotations

from typing import NamedTuple

from densezero.errors import ProtocolError


class Window(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, of pixels or of patches; the ends are excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left


def window_boxes(h: int, w: int, side: int, stride: int) -> list[Window]:
    """Cover h x w pixels, or patches, with windows, row by row.

    A window that would extend beyond the input is shifted inward. If a side of the input is shorter than a window, the
    windows have that side.

    Args:
        h: rows of the input, at least 1.
        w: columns of the input, at least 1.
        side: side of a window, at least 1.
        stride: step from one window to the next; at most ``side``, so that every pixel is covered.

    Returns:
        Windows of one size, (min(side, h), min(side, w)).

    Raises:
        ProtocolError: if a number is below 1, or the stride is larger than the side.

    Example:
        >>> [tuple(box) for box in window_boxes(4, 7, side=4, stride=2)]
        [(0, 0, 4, 4), (0, 2, 4, 6), (0, 3, 4, 7)]
    """
    if min(h, w, side, stride) < 1 or stride > side:
        raise ProtocolError(
            f"Expected h, w and 1 <= stride <= side of at least 1; got h {h}, w {w}, side {side}, stride {stride}."
        )
    return [
        Window(top, left, min(top + side, h), min(left + side, w))
        for top in _starts(h, side, stride)
        for left in _starts(w, side, stride)
    ]


def _starts(length: int, side: int, stride: int) -> list[int]:
    steps = max(length - side + stride - 1, 0) // stride + 1
    last = max(length - side, 0)
    return [min(step * stride, last) for step in range(steps)]


def row_strips(h: int, w: int, most_px: int, halo: int) -> list[tuple[slice, slice]]:
    """Cut h x w pixels into strips of rows, each with more rows around it that influence it.

    Args:
        h: rows of the image, at least 1.
        w: columns of the image, at least 1.
        most_px: pixels of a strip with its halos. A strip has at least as many rows of its own as one halo, though.
        halo: rows on each side that influence a row.

    Returns:
        For each strip its own rows, and the rows that it needs. The own rows cover the image once.

    Example:
        >>> row_strips(6, 10, most_px=50, halo=1)
        [(slice(0, 3, None), slice(0, 4, None)), (slice(3, 6, None), slice(2, 6, None))]
    """
    rows = h if h * w <= most_px else max(most_px // w - 2 * halo, halo)
    owned = [slice(top, min(top + rows, h)) for top in range(0, h, rows)]
    return [(own, slice(max(own.start - halo, 0), min(own.stop + halo, h))) for own in owned]
