"""A coloured point cloud of a depth map, as a binary PLY file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

FOCAL_OF_LONG_SIDE = 0.81
"""Assumed focal length over the long side of the image: that of NYU Depth v2's camera, which sees 63 degrees."""
AXES = "x right, y up, z towards the viewer; metres; the camera is at the origin"

_POINT = np.dtype([(axis, "<f4") for axis in "xyz"] + [(channel, "u1") for channel in ("red", "green", "blue")])
_PLY_TYPES = {"<f4": "float", "|u1": "uchar"}


def assumed_focal_px(image_hw: tuple[int, int]) -> float:
    """Assume the focal length of an image whose camera is not known, in pixels.

    Example:
        >>> round(assumed_focal_px((480, 640)), 1)
        518.4
    """
    return FOCAL_OF_LONG_SIDE * max(image_hw)


def encode_ply(rgb: NDArray[np.uint8], depth_m: NDArray[np.floating], focal_px: float) -> bytes:
    """Write a point for each pixel, seen by a pinhole camera that looks at the middle of the image.

    The points are x right, y up and z towards the viewer, so that a viewer shows them upright. All z are below 0.

    Args:
        rgb: (H, W, 3) colours.
        depth_m: (H, W) distance along the camera's axis, metres. A pixel whose depth is not finite or not above 0 gives
            no point.
        focal_px: focal length, pixels.

    Returns:
        The content of a ``.ply`` file, binary and little-endian: x, y, z as float, red, green, blue as uchar. Its
        comments state the focal length and the axes.

    Raises:
        InputError: if image and depth have different sizes, or the focal length is not above 0.

    Source: the PLY polygon file format, Stanford University (G. Turk, 1994).
    """
    if rgb.shape != (*depth_m.shape, 3) or rgb.dtype != np.uint8:
        raise InputError(
            f"Expected colours (H, W, 3) as uint8 and a depth (H, W); got {rgb.dtype}, {rgb.shape} and {depth_m.shape}."
        )
    if not 0 < focal_px < float("inf"):
        raise InputError(f"Expected a focal length in pixels above 0; got {focal_px:g}.")
    height, width = depth_m.shape
    rows, columns = np.nonzero(np.isfinite(depth_m) & (depth_m > 0))  # (N,) each
    depth = depth_m[rows, columns].astype(np.float32)
    points = np.empty(len(depth), _POINT)
    points["x"] = (columns + np.float32(0.5 - width / 2)) * depth / focal_px
    points["y"] = (np.float32(height / 2 - 0.5) - rows) * depth / focal_px
    points["z"] = -depth
    for channel, name in enumerate(("red", "green", "blue")):
        points[name] = rgb[rows, columns, channel]
    return _header(len(points), focal_px).encode("ascii") + points.tobytes()


def _header(points: int, focal_px: float) -> str:
    properties = [f"property {_PLY_TYPES[_POINT[name].str]} {name}" for name in _POINT.names or ()]
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        "comment densezero",
        f"comment focal length {focal_px:.2f} px, assumed unless it was given; the camera looks at the image's middle",
        f"comment {AXES}",
        f"element vertex {points}",
        *properties,
        "end_header",
    ]
    return "\n".join(lines) + "\n"
