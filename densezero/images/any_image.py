"""An image in any form that people have at hand, as an array (H, W, 3) of bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import InputError
from densezero.images.colours import read_orientation, rotate_upright, to_rgb
from densezero.images.read import read_rgb

AnyImage: TypeAlias = Any  # str | os.PathLike | Image.Image | NDArray[np.uint8] | torch.Tensor; this room has no torch
FORMS = (
    "the path of a file, a Pillow image, a uint8 array (H, W, 3) in RGB, or a tensor (3, H, W) in RGB, uint8 or "
    "floating-point in [0, 1]"
)


def as_rgb(image: AnyImage) -> NDArray[np.uint8]:
    """Convert an image to RGB bytes.

    Args:
        image: the path of a file, a Pillow image, a uint8 array (H, W, 3) in RGB, or a torch tensor (3, H, W) in RGB on
            any device, uint8 or floating-point in [0, 1]. Floating-point levels are rounded to the nearest of 256.

    Returns:
        (H, W, 3) uint8, upright.

    Raises:
        InputError: if it is none of these, or the file cannot be read as an image.
    """
    if isinstance(image, str | os.PathLike):
        return read_rgb(Path(image))
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if hasattr(image, "is_floating_point"):
        return _from_tensor(image)
    if not isinstance(image, np.ndarray):
        raise InputError(f"Expected an image as {FORMS}; got {type(image).__name__}.{_advice(image)}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        came = f"an array of {image.dtype} with shape {image.shape}"
        raise InputError(f"Expected an image as {FORMS}; got {came}.{_advice(image)}")
    return image


def unrotated_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a Pillow image as ``as_rgb`` does, but do not turn it as its EXIF block says.

    Args:
        image: of a tool that hands a picture over as it shows it.

    Returns:
        (H, W, 3) uint8.
    """
    return to_rgb(image.copy())


def to_pillow(rgb: NDArray[np.uint8]) -> Image.Image:
    """Convert an array (H, W, 3) to a Pillow image, for other libraries."""
    return Image.fromarray(rgb)


def _advice(image: object) -> str:
    """Say what to do with things that people give by mistake."""
    if image is None:
        return " cv2.imread returns None for a file that it cannot read."
    if isinstance(image, list | tuple):
        return " For several images use segment_many."
    if isinstance(image, np.ndarray) and image.dtype.kind == "f":
        return " Convert levels in [0, 1] by (255 * image).round().astype('uint8')."
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size:
        return " Pillow's Image.fromarray takes grey (H, W) and RGBA (H, W, 4)."
    return ""


def read_in_batches(images: Iterable[AnyImage], size: int) -> Iterator[list[tuple[AnyImage, NDArray[np.uint8]]]]:
    """Read images in batches.

    Args:
        images: what ``as_rgb`` takes.
        size: images of a batch; the last one may have fewer.

    Yields:
        Images as they were given, each with its RGB bytes.

    Raises:
        InputError: for an image that cannot be used, after the batch of those before it; or if it is a single image.
    """
    if isinstance(images, str | os.PathLike | Image.Image) or hasattr(images, "shape"):
        raise InputError(
            f"Expected several images, for example a list; got one {type(images).__name__}. Use segment for one image, "
            "and densezero.find_images for the pictures of a folder."
        )
    reading = ((image, as_rgb(image)) for image in images)
    while True:
        batch: list[tuple[AnyImage, NDArray[np.uint8]]] = []
        try:
            batch.extend(islice(reading, size))
        except InputError:
            if batch:  # it holds the images before the bad one
                yield batch
            raise
        if not batch:
            return
        yield batch


def _from_pil(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a Pillow image by the same rules as a file."""
    image.load()
    info = dict(image.info)
    try:
        return rotate_upright(to_rgb(image), read_orientation(image))
    finally:
        image.info = info  # the conversion of 16-bit transparency changes it


def _from_tensor(tensor: Any) -> NDArray[np.uint8]:
    """Convert a torch tensor. It is recognised by its methods, so that images need no torch."""
    floating = tensor.is_floating_point()
    levels = (tensor.detach().float() if floating else tensor.detach()).cpu().numpy()
    if levels.ndim != 3 or levels.shape[0] != 3 or levels.size == 0 or not (floating or levels.dtype == np.uint8):
        raise InputError(f"Expected an image as {FORMS}; got a tensor of {tensor.dtype}, shape {tuple(tensor.shape)}.")
    if floating:
        if not (levels.min() >= 0 and levels.max() <= 1):  # NaN is neither
            raise InputError(
                f"Expected levels in [0, 1]; got values from {levels.min():g} to {levels.max():g}. Divide levels of 0 "
                "to 255 by 255, and take any normalisation back."
            )
        levels = np.rint(levels * 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))
