"""Colours of numbers and of clusters, from matplotlib's color maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from densezero.errors import FeatureError, did_you_mean
from densezero.features.figure.library import import_matplotlib

HEAT = "inferno"


def check_colormap(name: str) -> None:
    """Refuse a name that is not one of matplotlib's color maps.

    Raises:
        FeatureError: with the nearest name.
    """
    import_matplotlib()
    from matplotlib import colormaps

    if name not in colormaps:
        raise FeatureError(f"Expected --colormap of matplotlib; got {name!r}. {did_you_mean(name, list(colormaps))}")


def heat_rgb(values: NDArray[np.floating], colormap: str = HEAT) -> NDArray[np.float32]:
    """Colour numbers with a color map.

    Args:
        values: (...) in [0, 1]; other numbers take the nearest end.
        colormap: matplotlib's name of the map.

    Returns:
        (..., 3) float32 in [0, 1].
    """
    import_matplotlib()
    from matplotlib import colormaps

    return np.asarray(
        np.asarray(colormaps[colormap](np.clip(np.asarray(values, np.float64), 0, 1)))[..., :3], np.float32
    )


def cluster_rgb(labels: NDArray[np.integer], count: int) -> NDArray[np.float32]:
    """Colour clusters: ``tab10`` for up to ten, ``tab20`` for up to twenty, evenly spaced hues for more.

    Args:
        labels: (...) index of the cluster, 0 to ``count`` - 1.
        count: number of clusters.

    Returns:
        (..., 3) float32 in [0, 1].
    """
    import_matplotlib()
    from matplotlib import colormaps

    if count <= 20:
        table = colormaps["tab10" if count <= 10 else "tab20"](np.arange(count))
    else:
        table = colormaps["hsv"](np.arange(count) / count)
    return np.take(np.asarray(table[:, :3], np.float32), labels, axis=0)


def to_bytes(rgb: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(...) in [0, 1] to uint8 levels, rounded."""
    return np.asarray(np.clip(rgb, 0, 1) * 255 + 0.5, np.uint8)
