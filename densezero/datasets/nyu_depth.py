"""The labelled part of NYU Depth v2 (Silberman et al., ECCV 2012): images with measured depth, in one MATLAB file.

The file is HDF5 with MATLAB's axes in reverse: ``images`` is (N, 3, W, H), and ``rawDepths`` (N, W, H). The depth that
is scored is ``rawDepths``, as the sensor gave it, with 0 where it gave none; ``depths`` has these holes filled in.
The indices in ``splits.mat``, an older format, count from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

NAME: Final = "nyu-depth"
LABELED, SPLITS = "nyu_depth_v2_labeled.mat", "splits.mat"
IMAGES, DEPTHS, TEST = "images", "rawDepths", "testNdxs"
EXPECTED: Final = (
    f"NYU Depth v2 is expected as {LABELED} and {SPLITS} in one folder. Both are on the data set's page at New York "
    "University; the second is in the archive of its toolbox, too."
)
RANGE_M: Final = (0.001, 10.0)
"""Depths between these count, the ends left out; predictions are clipped to them."""
IMAGE_HW: Final = (480, 640)
EIGEN_CROP: Final = (slice(45, 471), slice(41, 601))
"""Rows and columns that count in most papers (Eigen et al., NeurIPS 2014)."""


class DepthSample(NamedTuple):
    """An image of the test set.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth_m: (H, W) float32 measured depth, metres; 0 where there is none.
    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]


@dataclass(frozen=True)
class NyuDepth:
    """The test set of NYU Depth v2. Use it in a ``with`` block, which closes the file.

    Args:
        files: the labelled file, and the splits.
        numbers: of the test images, counted from 1 as in the splits.
    """

    files: tuple[Path, Path]
    numbers: tuple[int, ...]
    _opened: Any

    def read(self, number: int) -> DepthSample:
        """Read a test image and its depth.

        Raises:
            InputError: if the file is damaged there.
        """
        try:
            image, depth = self._opened[IMAGES][number - 1], self._opened[DEPTHS][number - 1]  # (3, W, H), (W, H)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"Image {number} of {self.files[0]} cannot be read ({error}). Download the file again."
            ) from None
        return DepthSample(np.ascontiguousarray(image.T), np.ascontiguousarray(depth.T, np.float32))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()


def open_nyu_depth(root: Path) -> NyuDepth:
    """Open the test set.

    Args:
        root: the folder of both files.

    Raises:
        InputError: if a file is missing or not what is expected, or the extra ``nyu`` is not installed.
    """
    labeled, splits = root / LABELED, root / SPLITS
    missing = [file.name for file in (labeled, splits) if not file.is_file()]
    if missing:
        raise InputError(f"Expected {' and '.join(missing)} in {root}. {EXPECTED}")
    h5py, scipy_io = _import_readers()
    try:
        opened = h5py.File(labeled, "r")
    except OSError as error:
        raise InputError(
            f"Expected {labeled} to be the labelled file of NYU Depth v2, a MATLAB file of version 7.3 (HDF5); it "
            f"cannot be opened ({error}). Download it again."
        ) from None
    try:
        count = _check_arrays(opened, labeled)
        return NyuDepth((labeled, splits), _read_numbers(scipy_io, splits, count), opened)
    except InputError:
        opened.close()
        raise


def ignored_pixels(depth_m: NDArray[np.floating], *, eigen_crop: bool) -> NDArray[np.bool_]:
    """Say which pixels do not count: without a depth between 0.001 and 10 m, or outside the crop.

    Args:
        depth_m: (H, W) measured depth, metres.
        eigen_crop: count rows 45 to 470 and columns 41 to 600 alone.

    Raises:
        InputError: for the crop with another size than 480 x 640.
    """
    ignored = ~((depth_m > RANGE_M[0]) & (depth_m < RANGE_M[1]))
    if not eigen_crop:
        return ignored
    if depth_m.shape != IMAGE_HW:
        raise InputError(f"The Eigen crop is for images of 480 x 640 pixels; got {depth_m.shape}. Leave it out.")
    outside = np.ones(IMAGE_HW, np.bool_)
    outside[EIGEN_CROP] = False
    return ignored | outside


def _import_readers() -> tuple[Any, Any]:
    try:
        import h5py
        import scipy.io
    except ImportError as error:
        raise InputError(
            f"NYU Depth v2 is read with h5py and scipy; {error.name} is not installed. "
            "Install them: pip install 'densezero[nyu]'"
        ) from None
    return h5py, scipy.io


def _check_arrays(opened: Any, file: Path) -> int:
    """Check names and shapes; return the number of images."""
    arrays = {name: opened.get(name) for name in (IMAGES, DEPTHS)}
    shapes = {name: tuple(getattr(array, "shape", ())) for name, array in arrays.items()}
    images, depths = shapes[IMAGES], shapes[DEPTHS]
    if len(images) != 4 or images[1] != 3 or depths != (images[0], *images[2:]) or arrays[IMAGES].dtype != np.uint8:
        raise InputError(
            f"Expected {file} to have {IMAGES} (N, 3, W, H) as uint8 and {DEPTHS} (N, W, H); it has "
            f"{', '.join(f'{name} {shape or None}' for name, shape in shapes.items())}. {EXPECTED}"
        )
    return int(images[0])


def _read_numbers(scipy_io: Any, file: Path, count: int) -> tuple[int, ...]:
    """Read the numbers of the test images, counted from 1."""
    try:
        found = np.asarray(scipy_io.loadmat(file, variable_names=[TEST])[TEST]).ravel()
        numbers = tuple(int(number) for number in found)
    except Exception as error:  # whatever the reader of a damaged file raises
        raise InputError(
            f"Expected {file} to be the splits of NYU Depth v2, with {TEST}; it cannot be read as that "
            f"({type(error).__name__}: {error}). {EXPECTED}"
        ) from None
    if not numbers or not all(1 <= number <= count for number in numbers) or len(set(numbers)) < len(numbers):
        raise InputError(
            f"Expected {file} to name test images from 1 to {count}, each once; got {len(numbers)} numbers"
            f"{f' from {min(numbers)} to {max(numbers)}' if numbers else ''}. {EXPECTED}"
        )
    return numbers
