"""Labels in compiled loops: square by square, piece by piece, channels that cannot win are left out.

A channel is out where another, the witness, is above it at every corner of what is looked at, in every window: first at
the patches that a square of the image hangs on, then at the corners of each piece of it, between which every window's
scores are bilinear. The pixels of a piece are computed for the channels that are left, and labelled where one of them
is clearly above the others. The few that are too close to call are noted.

Imports numba, which is an extra; ``compiled`` loads this file where that is installed. A call between its functions
costs as much as some twenty pixels, so none is made for single pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
compiled = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"})
SIDE = 8  # pixels of a piece at most
LANES = 8  # channels whose pixels are computed at once
HALF, TERMS = np.float32(0.5), tuple(np.float32(1 / math.factorial(power)) for power in range(8, 1, -1))
ONE, LEAST = np.float32(1), np.float32(-np.inf)


class Steps(NamedTuple):
    """An axis of the image, from pixels to pixels of the map to the patches of N windows.

    Args:
        squares: (T + 1,) the first piece of each square, and the number of pieces.
        pieces: (S + 1,) the first pixel of each piece, and the number of pixels.
        held: (T, N, 2) the first patch that a square hangs on in each window, and how many.
        reach: (S, N, 2) the first pixel of each window that a piece hangs on, and the one after the last.
        begins: (N,) the first pixel of the map in each window.
        sources: (2, pixels) the two pixels of the map that each is blended from.
        share: (pixels,) weight of the second.
        patches: (2, N, length) the two patches that each pixel of a window is blended from.
        patch_share: (N, length) weight of the second.
    """

    squares: Places
    pieces: Places
    held: Places
    reach: Places
    begins: Places
    sources: Places
    share: Floats
    patches: Places
    patch_share: Floats


class Field(NamedTuple):
    """What a map is blended from: the sum over windows of f(score) x weight.

    Args:
        grids: (N, gh, gw, K) scores of every patch of every window.
        weights: (N, h, w) of a window's pixels; empty where all are 1.
        exponential: whether f is the exponential, and not the score itself.
        margin: how far apart scores must be to be told apart; of the highest where f is the exponential.
    """

    grids: Floats
    weights: Floats
    exponential: bool
    margin: np.float32


class Spot(NamedTuple):
    """A piece of a square: their numbers, along the rows and along the columns."""

    square: int
    part: int
    piece: int
    step: int


class Room(NamedTuple):
    """Memory that is used for square after square, of K channels.

    Args:
        total: (K,) a sum for each channel.
        near: (K,) in how many rows of a table each is near the witness.
        some: (K,) channels that may win in a square, rising.
        few: (K,) those that may win in a piece, as places in ``some``.
        begins: (N,) the first tap of each window.
        every: (taps, K) scores of the patches that a square hangs on.
        taps: (taps, K) those of ``some``.
        corners: (4 N, K) those at the corners of a piece, in each window.
        lanes: (taps, LANES) those of some of ``few``, the last of them again where there are not so many.
        line: (3, columns * LANES) of rows of the map in a piece.
        pixels: (rows, columns * LANES) of the map in a piece.
        scores: (SIDE, SIDE, at least K) of a piece, for ``few``.
    """

    total: Floats
    near: Floats
    some: Places
    few: Places
    begins: Places
    every: Floats
    taps: Floats
    corners: Floats
    lanes: Floats
    line: Floats
    pixels: Floats
    scores: Floats


@compiled
def label_squares(
    start: int, end: int, field: Field, down: Steps, across: Steps, channels: NDArray[np.int32], close: Places
) -> int:
    """Label the pixels of some rows of squares.

    Args:
        start: first row of squares.
        end: the row after the last.
        field: what the map is blended from.
        down: from rows of the image to rows of patches.
        across: likewise, columns.
        channels: (H, W) to write the highest channel of each pixel to.
        close: (3, most) to write row, column and channel to: those that may be highest where it is too close to call.

    Returns:
        How many are too close to call; those that do not fit are not in ``close``.
    """
    room, noted = _make_room(start, end, field, down, across), 0
    for square in range(start, end):
        for part in range(len(across.held)):
            taps = _take_patches(square, part, field.grids, down.held, across.held, room)
            some = _sift(room.every, taps, field.grids.shape[3], room, room.some, field.margin)
            for tap in range(taps):
                for place in range(some):
                    room.taps[tap, place] = room.every[tap, room.some[place]]
            noted = _label_pieces((square, part, taps), some, field, down, across, room, channels, close, noted)
    return noted


@compiled
def _label_pieces(
    place: tuple[int, int, int], some: int, field: Field, down: Steps, across: Steps, room: Room,
    channels: NDArray[np.int32], close: Places, noted: int,
) -> int:  # fmt: skip
    """Label the pixels of a square, of which some channels may win; how many are noted as too close to call."""
    square, part, taps = place
    for piece in range(down.squares[square], down.squares[square + 1]):
        for step in range(across.squares[part], across.squares[part + 1]):
            spot, few = Spot(square, part, piece, step), 1
            area = down.pieces[piece], down.pieces[piece + 1], across.pieces[step], across.pieces[step + 1]
            room.few[0] = 0
            if some > 1:
                corners = _blend_corners(spot, some, down, across, room)
                few = _sift(room.corners, corners, some, room, room.few, field.margin)
            if few > 1:
                _blend_pixels(spot, few, taps, field, down, across, room)
                margin = -field.margin if field.exponential else field.margin
                noted = _label(area, room.scores, room.some, room.few[:few], margin, channels, close, noted)
                continue
            for row in range(area[0], area[1]):
                for column in range(area[2], area[3]):
                    channels[row, column] = room.some[room.few[0]]
    return noted


@compiled
def _take_patches(square: int, part: int, grids: Floats, down: Places, across: Places, room: Room) -> int:
    """Copy the scores of the patches that a square hangs on; their number."""
    count = 0
    for window in range(len(grids)):
        room.begins[window] = count
        for row in range(down[square, window, 0], down[square, window, 0] + down[square, window, 1]):
            for column in range(across[part, window, 0], across[part, window, 0] + across[part, window, 1]):
                for word in range(grids.shape[3]):
                    room.every[count, word] = grids[window, row, column, word]
                count += 1
    return count


@compiled
def _sift(table: Floats, rows: int, width: int, room: Room, kept: Places, margin: np.float32) -> int:
    """Keep the columns that are not below the witness in every one of a table's rows; their number."""
    total, near = room.total, room.near
    for column in range(width):
        total[column] = 0
        near[column] = 0
    for row in range(rows):
        for column in range(width):
            total[column] += table[row, column]
    witness = 0
    for column in range(1, width):
        if total[column] > total[witness]:
            witness = column
    for row in range(rows):
        bar = table[row, witness] - margin
        for column in range(width):
            near[column] += np.float32(not table[row, column] < bar)  # what is no number stays in
    count = 0
    for column in range(width):
        if near[column] > 0:
            kept[count] = column
            count += 1
    return count


@compiled
def _blend_corners(spot: Spot, some: int, down: Steps, across: Steps, room: Room) -> int:
    """Upsample to the corners of a piece in each window that it hangs on; their number."""
    taps, corners, count = room.taps, room.corners, 0
    for window in range(len(down.begins)):
        top, bottom = down.reach[spot.piece, window, 0], down.reach[spot.piece, window, 1]
        left, right = across.reach[spot.step, window, 0], across.reach[spot.step, window, 1]
        if top >= bottom or left >= right:
            continue
        origin, columns = _origin(spot, window, down, across, room)
        for corner in range(4):
            row, column = top if corner < 2 else bottom - 1, left if corner % 2 == 0 else right - 1
            upper = origin + down.patches[0, window, row] * columns
            lower = origin + down.patches[1, window, row] * columns
            low, high = across.patches[0, window, column], across.patches[1, window, column]
            share, side = down.patch_share[window, row], across.patch_share[window, column]
            a, b, c, d = (ONE - share) * (ONE - side), (ONE - share) * side, share * (ONE - side), share * side
            for place in range(some):
                corners[count, place] = (
                    a * taps[upper + low, place]
                    + b * taps[upper + high, place]
                    + c * taps[lower + low, place]
                    + d * taps[lower + high, place]
                )
            count += 1
    return count


@compiled
def _blend_pixels(spot: Spot, few: int, taps: int, field: Field, down: Steps, across: Steps, room: Room) -> None:
    """Compute the scores of a piece's pixels, of ``LANES`` channels at once."""
    for begin in range(0, few, LANES):
        for lane in range(LANES):
            place = room.few[min(begin + lane, few - 1)]
            for tap in range(taps):
                room.lanes[tap, lane] = room.taps[tap, place]
        for row in range(room.pixels.shape[0]):
            for index in range(room.pixels.shape[1]):
                room.pixels[row, index] = 0
        for window in range(len(down.begins)):
            _add_window(window, spot, field, down, across, room)
        _resize(begin, spot, down, across, room)


@compiled
def _add_window(window: int, spot: Spot, field: Field, down: Steps, across: Steps, room: Room) -> None:
    """Add what a window gives to the pixels of the map in a piece."""
    lanes, line, pixels, weights, weight = room.lanes, room.line, room.pixels, field.weights, ONE
    first_row, first_column = down.sources[0, down.pieces[spot.piece]], across.sources[0, across.pieces[spot.step]]
    origin, patches = _origin(spot, window, down, across, room)
    left, right = across.reach[spot.step, window, 0], across.reach[spot.step, window, 1]
    begin, known = (left + across.begins[window] - first_column) * LANES, -1
    for row in range(down.reach[spot.piece, window, 0], down.reach[spot.piece, window, 1]):
        if down.patches[0, window, row] != known:  # two rows of patches, blended along the columns
            known = down.patches[0, window, row]
            for step in range(2):
                tap = origin + down.patches[step, window, row] * patches
                for column in range(left, right):
                    low, high = tap + across.patches[0, window, column], tap + across.patches[1, window, column]
                    side, place = across.patch_share[window, column], (column - left) * LANES
                    for lane in range(lanes.shape[1]):
                        line[step, place + lane] = lanes[low, lane] + side * (lanes[high, lane] - lanes[low, lane])
        share = down.patch_share[window, row]
        for index in range((right - left) * LANES):
            score = line[0, index] + share * (line[1, index] - line[0, index])
            line[2, index] = _exponential(score) if field.exponential else score
        i = row + down.begins[window] - first_row
        for column in range(right - left):
            if weights.size:
                weight = weights[window, row, left + column]
            place = column * LANES
            for lane in range(lanes.shape[1]):
                pixels[i, begin + place + lane] += weight * line[2, place + lane]


@compiled
def _resize(begin: int, spot: Spot, down: Steps, across: Steps, room: Room) -> None:
    """Blend a piece's pixels of the image from those of the map; ``begin`` is the first lane's place in ``few``."""
    line, pixels, scores = room.line, room.pixels, room.scores
    top, left = down.pieces[spot.piece], across.pieces[spot.step]
    first_row, first_column = down.sources[0, top], across.sources[0, left]
    for row in range(top, down.pieces[spot.piece + 1]):
        i, j, share = down.sources[0, row] - first_row, down.sources[1, row] - first_row, down.share[row]
        for index in range(pixels.shape[1]):
            line[0, index] = pixels[i, index] + share * (pixels[j, index] - pixels[i, index])
        for column in range(left, across.pieces[spot.step + 1]):
            low = (across.sources[0, column] - first_column) * LANES
            high = (across.sources[1, column] - first_column) * LANES
            side = across.share[column]
            for lane in range(room.lanes.shape[1]):
                blended = line[0, low + lane] + side * (line[0, high + lane] - line[0, low + lane])
                scores[row - top, column - left, begin + lane] = blended


@compiled
def _exponential(score: np.float32) -> np.float32:
    """The exponential of a cosine: the square of the series for its half."""
    half = HALF * score
    series = TERMS[0]
    series = series * half + TERMS[1]
    series = series * half + TERMS[2]
    series = series * half + TERMS[3]
    series = series * half + TERMS[4]
    series = series * half + TERMS[5]
    series = series * half + TERMS[6]
    series = series * half + ONE
    series = series * half + ONE
    return series * series


@compiled
def _origin(spot: Spot, window: int, down: Steps, across: Steps, room: Room) -> tuple[int, int]:
    """Where in the taps the first patch of a window's grid would be, and how far a row of patches is from the next."""
    columns = across.held[spot.part, window, 1]
    row, column = down.held[spot.square, window, 0], across.held[spot.part, window, 0]
    return room.begins[window] - row * columns - column, columns


@compiled
def _label(
    area: tuple[int, int, int, int], scores: Floats, some: Places, few: Places, margin: np.float32,
    channels: NDArray[np.int32], close: Places, noted: int,
) -> int:  # fmt: skip
    """Label the pixels of a piece by the highest of a few channels; how many are noted as too close to call.

    A margin below 0 is a share of the highest.
    """
    top, bottom, left, right = area
    for row in range(top, bottom):
        for column in range(left, right):
            best, second, winner = scores[row - top, column - left, 0], LEAST, 0
            for choice in range(1, len(few)):
                score = scores[row - top, column - left, choice]
                if score > best:
                    best, second, winner = score, best, choice
                elif score > second:
                    second = score
            channels[row, column] = some[few[winner]]
            least = best - (-margin * abs(best) if margin < 0 else margin)
            if second < least:
                continue
            for choice in range(len(few)):
                if scores[row - top, column - left, choice] < least:
                    continue
                if noted < close.shape[1]:
                    close[0, noted], close[1, noted], close[2, noted] = row, column, some[few[choice]]
                noted += 1
    return noted


@compiled
def _make_room(start: int, end: int, field: Field, down: Steps, across: Steps) -> Room:
    windows, _, _, words = field.grids.shape
    taps = 0
    for square in range(start, end):
        for part in range(len(across.held)):
            taps = max(taps, (down.held[square, :, 1] * across.held[part, :, 1]).sum())
    rows, columns = _most_sources(down), _most_sources(across)
    floats, places = np.empty((2, words), np.float32), np.empty((2, words), np.int64)
    return Room(
        total=floats[0], near=floats[1], some=places[0], few=places[1], begins=np.empty(windows, np.int64),
        every=np.empty((taps, words), np.float32), taps=np.empty((taps, words), np.float32),
        corners=np.empty((4 * windows, words), np.float32), lanes=np.empty((taps, LANES), np.float32),
        line=np.empty((3, columns * LANES), np.float32), pixels=np.empty((rows, columns * LANES), np.float32),
        scores=np.empty((SIDE, SIDE, words + LANES), np.float32),
    )  # fmt: skip


@compiled
def _most_sources(axis: Steps) -> int:
    """The most pixels of the map that a piece is blended from, along an axis."""
    most = 0
    for piece in range(len(axis.pieces) - 1):
        most = max(most, axis.sources[1, axis.pieces[piece + 1] - 1] + 1 - axis.sources[0, axis.pieces[piece]])
    return most
