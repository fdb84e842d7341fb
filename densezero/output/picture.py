"""Pictures and feature grids as the bytes of files."""

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save


def encode_png(rgb: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) colours as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def encode_flat_png(image: Image.Image) -> bytes:
    """Encode an image of flat regions as PNG.

    They are long runs, so run-length matching is both the fastest and nearly the smallest deflate here.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def encode_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) colours as JPEG, with the colours at full resolution."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=92, subsampling="4:4:4")
    return buffer.getvalue()


def join_pictures(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Set (H, W, 3) pictures side by side on white, at their upper edges."""
    height = max(len(picture) for picture in pictures)
    padded = [np.pad(each, ((0, height - len(each)), (0, 0), (0, 0)), constant_values=255) for each in pictures]
    return np.concatenate(padded, axis=1)


def encode_for_page(rgb: NDArray[np.uint8]) -> tuple[bytes, str]:
    """Encode (H, W, 3) colours as PNG or JPEG, whichever is smaller, and give its MIME type.

    The JPEG keeps colours at full resolution.
    """
    png, buffer = encode_png(rgb), io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=92, subsampling=0)
    jpeg = buffer.getvalue()
    return (png, "image/png") if len(png) <= len(jpeg) else (jpeg, "image/jpeg")


def encode_grid_npz(grid: NDArray[np.floating], about: Mapping[str, Any]) -> bytes:
    """Encode (gh, gw, D) features as ``.npz``: ``features``, and ``about`` as JSON text. Reading needs no pickle."""
    buffer = io.BytesIO()
    np.savez(buffer, features=grid, about=np.array(json.dumps(about, sort_keys=True)))
    return buffer.getvalue()


def encode_grid_safetensors(grid: NDArray[np.floating], about: Mapping[str, Any]) -> bytes:
    """Encode (gh, gw, D) features as safetensors: ``features``, and ``about`` as JSON text in the metadata."""
    return bytes(save({"features": np.ascontiguousarray(grid)}, {"about": json.dumps(about, sort_keys=True)}))
