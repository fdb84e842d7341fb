"""An example: a picture, and the part of it that shows a class. Importing this loads neither torch nor Pillow."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError
from densezero.vocabulary.entries import ClassEntry

if TYPE_CHECKING:
    from densezero.images.any_image import AnyImage

FORM: Final = (
    '"mug=photo.jpg,mask.png", or with a box x,y,width,height in pixels "mug=photo.jpg,10,20,200,150"; mask.png#3 '
    "takes the pixels of value 3"
)
_BOX: Final = re.compile(r"(.+?)" + r",\s*(-?\d+)\s*" * 4)
_VALUE: Final = re.compile(r"(.+)#(\d+)")
_NAMED: Final = 10  # values that a message lists


@dataclass(frozen=True, eq=False)
class Example:
    """A picture that shows a class.

    Args:
        name: of the class.
        image: the path of a file, a Pillow image, a uint8 array (H, W, 3), or a tensor (3, H, W), in RGB.
        mask: where the class is: an array (H, W), or the path of a label PNG, in which every value but 0 is inside; or
            a box (x, y, width, height) in pixels.
        value: takes the pixels of this value alone; None takes every value but 0.

    Raises:
        VocabularyError: if the name is empty.

    Example:
        >>> Example("mug", "photo.jpg", (10, 20, 200, 150)).text
        'mug=photo.jpg,10,20,200,150'
    """

    name: str
    image: AnyImage
    mask: Any
    value: int | None = None

    def __post_init__(self) -> None:
        ClassEntry(self.name)  # checks the name

    @property
    def box(self) -> tuple[int, ...] | None:
        """The box, if it is one."""
        return tuple(self.mask) if isinstance(self.mask, tuple | list) and len(self.mask) == 4 else None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it is read from."""
        return tuple(Path(part) for part in (self.image, self.mask) if isinstance(part, str | os.PathLike))

    @property
    def text(self) -> str:
        """The example as it is written on the command line. An array is written as the word ``array``."""
        is_file = isinstance(self.mask, str | os.PathLike)
        mask = ",".join(map(str, self.box)) if self.box is not None else str(self.mask) if is_file else "array"
        image = str(self.image) if isinstance(self.image, str | os.PathLike) else "array"
        return f"{self.name}={image},{mask}" + ("" if self.value is None else f"#{self.value}")


@dataclass(frozen=True, eq=False)
class Shown:
    """An example that was read.

    Args:
        name: of the class.
        text: the example as the command line has it.
        rgb: (H, W, 3) uint8.
        mask: (H, W) True where the class is.
    """

    name: str
    text: str
    rgb: NDArray[np.uint8]
    mask: NDArray[np.bool_]

    @cached_property
    def record(self) -> dict[str, str]:
        """What decides its features, for a report: the text, and hashes of the pixels and of the mask."""
        return {"example": self.text, "image_sha256": _sha256(self.rgb), "mask_sha256": _sha256(self.mask)}

    def joined(self, other: Shown) -> Shown:
        """Join the masks of two examples of one class on one image."""
        return Shown(self.name, self.text, self.rgb, self.mask | other.mask)


def parse_example(text: str) -> Example:
    """Read an example as the command line has it. The files need not be there.

    Raises:
        InputError: if the name, the image or the mask is missing.

    Example:
        >>> parse_example("mug=photo.jpg,mask.png#3")
        Example(name='mug', image=PosixPath('photo.jpg'), mask=PosixPath('mask.png'), value=3)
    """
    name, _, place = (part.strip() for part in text.partition("="))
    box = _BOX.fullmatch(place)
    image, _, mask = (part.strip() for part in place.rpartition(","))
    if not name or not (box or (image and mask and not re.fullmatch(r"-?\d+", mask))):
        raise InputError(f"Expected --example as {FORM}; got {text!r}.")
    if box:
        return Example(name, Path(box[1].strip()).expanduser(), tuple(int(box[part]) for part in (2, 3, 4, 5)))
    valued = _VALUE.fullmatch(mask)
    file, value = (valued[1], int(valued[2])) if valued else (mask, None)
    return Example(name, Path(image).expanduser(), Path(file).expanduser(), value)


def read_example(example: Example) -> Shown:
    """Read the image and the mask of an example.

    Raises:
        InputError: if one of them cannot be read, the mask has another size or no pixel, its value does not occur, or
            the box is not inside the image.
    """
    from densezero.images.any_image import as_rgb
    from densezero.images.region_maps import check_filled, check_size

    try:
        rgb = as_rgb(example.image)  # (H, W, 3)
        hw = (int(rgb.shape[0]), int(rgb.shape[1]))
        mask = _read_mask(example) if example.box is None else _mask_of_box(example.box, hw)  # (H, W)
        check_size("the mask", (mask.shape[0], mask.shape[1]), hw)
        check_filled("the mask", int(mask.sum()))
    except InputError as error:
        raise InputError(f"Example {example.text}: {error}") from None
    return Shown(example.name, example.text, rgb, mask)


def _read_mask(example: Example) -> NDArray[np.bool_]:
    if isinstance(example.mask, str | os.PathLike):
        from densezero.images.label_maps import read_label_map

        values: NDArray[Any] = read_label_map(Path(example.mask))  # (H, W)
    else:
        values = np.asarray(example.mask)
    if values.dtype.kind not in "biu" or values.ndim != 2:
        raise InputError(
            "Expected a mask as whole numbers or booleans (H, W), a label PNG, or a box (x, y, width, height); got "
            f"{type(example.mask).__name__} of {values.dtype}, shape {values.shape}."
        )
    if example.value is None:
        return np.asarray(values != 0)
    mask = np.asarray(values == example.value)
    if not mask.any():
        there = np.unique(values)[: _NAMED + 1].tolist()
        more = ", ..." if len(there) > _NAMED else ""
        raise InputError(
            f"Expected a value of the mask after #; got {example.value}, but the mask holds "
            f"{', '.join(map(str, there[:_NAMED]))}{more}."
        )
    return mask


def _mask_of_box(box: tuple[int, ...], hw: tuple[int, int]) -> NDArray[np.bool_]:
    x, y, width, height = box
    if min(x, y) < 0 or min(width, height) < 1 or x + width > hw[1] or y + height > hw[0]:
        raise InputError(
            f"Expected a box x,y,width,height of whole pixels inside the image, which has {hw[1]} columns and {hw[0]} "
            f"rows; got {','.join(map(str, box))}."
        )
    mask = np.zeros(hw, bool)
    mask[y : y + height, x : x + width] = True
    return mask


def _sha256(array: NDArray[Any]) -> str:
    """Hash the shape and the values of an array."""
    return hashlib.sha256(f"{array.shape}".encode() + array.tobytes()).hexdigest()
