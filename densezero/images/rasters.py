"""GeoTIFF and other TIFF rasters: their bands become red, green and blue, and they have a place on the earth.

This is the one place that imports rasterio, which the extra ``geo`` installs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError
from densezero.images.formats import SIGNATURE_BYTES, recognise_format
from densezero.images.opening import MAX_PIXELS, opened_file
from densezero.images.pillow_settings import strict_and_quiet

GEO_EXTRA: Final = "`pip install densezero[geo]`"
HAS_RASTERIO: Final = find_spec("rasterio") is not None
PERCENTILES: Final = (2.0, 98.0)
"""The values that become black and white, where the type of the values says nothing."""
_SAMPLE_PX: Final = 1024  # sides of the sample that percentiles are taken from
_CACHE_BYTES: Final = 128_000_000  # GDAL's own limit is a part of all memory
_COLOURS: Final = ("red", "green", "blue")


def load_rasterio(what: str) -> Any:
    """Import rasterio.

    Args:
        what: needs it, for the message.

    Raises:
        InputError: if it is not installed.
    """
    if not HAS_RASTERIO:
        raise InputError(f"Expected rasterio for {what}; it is not installed. Run {GEO_EXTRA}.")
    import rasterio
    import rasterio.warp

    return rasterio


@dataclass(frozen=True)
class BandChoice:
    """Which bands of a TIFF are read as red, green and blue, and which values become black and white.

    Args:
        bands: one number for grey, or three, counted from 1; None takes those that the file calls red, green and blue,
            else the first three, else the first.
        value_range: the values that become 0 and 255. None keeps 8-bit values as they are, and takes percentiles 2 and
            98 of the whole scene, of each band, for all other types.
    """

    bands: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None

    @property
    def is_given(self) -> bool:
        """Whether something was chosen."""
        return self != BandChoice()

    def to_json(self) -> dict[str, Any]:
        """What was chosen, as plain values."""
        return {name: list(value) for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BandChoice:
        """Read what ``to_json`` gave, among other values."""
        return cls(*(tuple(values[name]) if name in values else None for name in ("bands", "value_range")))


def parse_band_choice(bands: str | None, value_range: str | None) -> BandChoice:
    """Read ``3,2,1`` and ``0,3000``.

    Raises:
        InputError: if the first is not one or three numbers from 1, or the second not two rising numbers.

    Example:
        >>> parse_band_choice("3,2,1", "0,3000")
        BandChoice(bands=(3, 2, 1), value_range=(0.0, 3000.0))
    """
    numbers: tuple[int, ...] | None = None
    limits: tuple[float, float] | None = None
    try:
        if bands is not None:
            numbers = tuple(int(text) for text in bands.split(","))
            if len(numbers) not in (1, 3) or min(numbers) < 1:
                raise ValueError
    except ValueError:
        raise InputError(f"Expected --bands as one or three numbers from 1, such as 3,2,1; got {bands!r}.") from None
    try:
        if value_range is not None:
            low, high = (float(text) for text in value_range.split(","))
            if not -np.inf < low < high < np.inf:
                raise ValueError
            limits = (low, high)
    except ValueError:
        raise InputError(
            f"Expected --range as two rising numbers, the values of black and white, such as 0,3000; got "
            f"{value_range!r}."
        ) from None
    return BandChoice(numbers, limits)


class Pixels(NamedTuple):
    """Pixels (h, w, 3) uint8, and (h, w) whether there is data; None if there is everywhere."""

    rgb: NDArray[np.uint8]
    has_data: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Place:
    """Where an image lies.

    Args:
        crs: coordinate system, as rasterio has it; None if it is not known.
        transform: from (column, row) of pixel corners to coordinates, an ``affine.Affine``.
    """

    crs: Any
    transform: Any


class Raster:
    """An open raster, read by rows. Pixels without data are black.

    Args:
        dataset: of rasterio.
        choice: bands and range.

    Raises:
        InputError: if the file lacks a band, or its values are complex numbers.
    """

    def __init__(self, dataset: Any, choice: BandChoice) -> None:
        self._dataset, self._choice = dataset, choice
        self.hw: tuple[int, int] = (dataset.height, dataset.width)
        self.bands = choice.bands or _default_bands(dataset)
        if max(self.bands) > dataset.count:
            raise InputError(f"expected band {max(self.bands)}, but it has {dataset.count}; choose others by --bands")
        if any("complex" in kind for kind in dataset.dtypes):
            raise InputError("expected real values, but these are complex numbers; save their amplitude")

    @cached_property
    def levels(self) -> NDArray[np.float64] | None:
        """(bands, 2) values of black and white; None if the values are levels of 0 to 255 already."""
        if self._choice.value_range is not None:
            return np.array([self._choice.value_range] * len(self.bands))
        if all(self._dataset.dtypes[band - 1] == "uint8" for band in self.bands):
            return None
        shape = tuple(min(side, _SAMPLE_PX) for side in self.hw)
        sample = self._dataset.read(self.bands, out_shape=(len(self.bands), *shape), masked=True)
        return np.array([_percentiles(np.ma.masked_invalid(band).compressed()) for band in sample])

    def read(self, top: int, bottom: int) -> Pixels:
        """Read rows ``top`` to ``bottom``, the end excluded: (rows, W, 3)."""
        return self._convert(window=((top, bottom), (0, self.hw[1])))

    def overview(self, hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Read the whole raster at a smaller size: (h, w, 3)."""
        from rasterio.enums import Resampling

        paletted = self._table is not None
        how = Resampling.nearest if paletted else Resampling.average
        return self._convert(out_hw=hw, resampling=how).rgb

    @cached_property
    def _table(self) -> NDArray[np.uint8] | None:
        """(256, 3) colours of a palette; None where there is none."""
        if (
            self._choice.is_given
            or len(self.bands) > 1
            or self._dataset.colorinterp[self.bands[0] - 1].name != "palette"
        ):
            return None
        colours = self._dataset.colormap(self.bands[0])
        return np.array([colours.get(index, (0, 0, 0, 0))[:3] for index in range(256)], np.uint8)

    def _convert(self, out_hw: tuple[int, int] | None = None, **how: Any) -> Pixels:
        shape = {} if out_hw is None else {"out_shape": (len(self.bands), *out_hw)}
        values = self._dataset.read(self.bands, **how, **shape)  # (bands, h, w)
        how.pop("resampling", None)
        has_data = (self._dataset.read_masks(self.bands, **how, **shape) > 0).any(0)  # (h, w)
        if values.dtype.kind == "f":
            has_data &= np.isfinite(values).any(0)
        if self._table is not None:
            rgb = self._table[np.minimum(values[0], 255)]
        else:
            levels = values if self.levels is None else _scale(values, self.levels)
            rgb = np.ascontiguousarray(np.broadcast_to(levels.transpose(1, 2, 0), (*levels.shape[1:], 3)))
        if has_data.all():
            return Pixels(rgb, None)
        rgb[~has_data] = 0
        return Pixels(rgb, has_data)


@contextmanager
def opened_raster(path: str | Path, choice: BandChoice | None = None) -> Iterator[Raster]:
    """Open a raster for reading; use it in the same thread.

    Raises:
        InputError: if the file cannot be read as a raster, or lacks a band. The message names it.
    """
    with _opened_dataset(path) as dataset:
        yield Raster(dataset, choice or BandChoice())


@contextmanager
def _opened_dataset(path: str | Path) -> Iterator[Any]:
    """Open a file with rasterio, quietly; errors name it."""
    rasterio = load_rasterio(f"{path}, a raster with bands or a georeference")
    try:
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES), strict_and_quiet(), rasterio.open(path) as dataset:
            yield dataset
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: expected a name in UTF-8, which rasterio needs; rename the file") from error
    except rasterio.errors.RasterioError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise InputError(f"{path}: expected a whole raster, but it cannot be read ({reason}); copy it again") from error


def is_raster(path: str | Path, choice: BandChoice | None = None, *, or_large: bool = False) -> bool:
    """Whether rasterio reads an image file: a TIFF that has a georeference, or of which bands are chosen.

    Args:
        path: the image file.
        choice: bands and range.
        or_large: also a TIFF of more than ``MAX_PIXELS`` pixels.

    Raises:
        InputError: if the file cannot be opened; or if bands are chosen, and rasterio is not installed.
    """
    is_chosen = choice is not None and choice.is_given
    with opened_file(path) as stream:
        kind = recognise_format(stream.read(SIGNATURE_BYTES))
    if kind is None or kind.name != "TIFF":
        return False
    if is_chosen:
        load_rasterio("--bands and --range")
        return True
    if not HAS_RASTERIO:
        return False
    try:
        with _opened_dataset(path) as dataset:
            return _place_of(dataset) is not None or (or_large and dataset.height * dataset.width > MAX_PIXELS)
    except InputError:  # a TIFF that GDAL cannot open; Pillow says what is wrong with it, or reads it
        return False


def read_place(path: str | Path) -> Place | None:
    """Read where an image lies: a GeoTIFF, or an image with a world file beside it.

    Returns:
        None without georeference, and for a file that rasterio cannot read, such as AVIF or a name not in UTF-8.

    Raises:
        InputError: if rasterio is not installed.
    """
    rasterio = load_rasterio(f"the place of {path}")
    try:
        with _opened_dataset(path) as dataset:
            return _place_of(dataset)
    except InputError as error:
        if isinstance(error.__cause__, (rasterio.errors.RasterioIOError, UnicodeEncodeError)):
            return None
        raise


def _place_of(dataset: Any) -> Place | None:
    if dataset.crs is None and dataset.transform.is_identity:
        return None
    return Place(dataset.crs, dataset.transform)


def _default_bands(dataset: Any) -> tuple[int, ...]:
    named = {kind.name: band for band, kind in enumerate(dataset.colorinterp, 1)}
    if {*_COLOURS} <= {*named}:
        return tuple(named[colour] for colour in _COLOURS)
    return (1, 2, 3) if dataset.count >= 3 else (1,)


def _percentiles(values: NDArray[Any]) -> tuple[float, float]:
    """The values of black and white; any two where there are no values, or all are equal."""
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values.astype(np.float64), PERCENTILES)
    return float(low), float(high if high > low else low + 1)


def _scale(values: NDArray[Any], levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale (bands, h, w) so that the two levels (bands, 2) become 0 and 255."""
    low, high = levels[:, :1, None], levels[:, 1:, None]
    share = (np.nan_to_num(values.astype(np.float32)) - low.astype(np.float32)) / (high - low).astype(np.float32)
    return np.asarray(np.rint(share.clip(0, 1) * 255), np.uint8)
