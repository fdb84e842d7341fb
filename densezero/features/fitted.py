"""Fits the PCA basis and the k-means clusters that feature pictures are drawn with, and draws these pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.errors import FeatureError
from densezero.features.align import Alignment
from densezero.features.basis import PcaBasis, load_basis
from densezero.features.choices import Look
from densezero.features.clusters import Clusters, fit_clusters, load_clusters
from densezero.features.colour import first_component, to_rgb, turn_matrix
from densezero.features.figure.colours import cluster_rgb, heat_rgb, to_bytes
from densezero.features.pca import fit_pca, split_foreground, with_percentiles
from densezero.features.upsampling import upsample
from densezero.images import plan_resize, resize_rgb

BASIS, CLUSTERS = ".basis.safetensors", ".clusters.safetensors"
"""Endings of the files that keep a fit."""
LONGEST_PX = 2048
"""Pictures are drawn at the image's own size, up to this long side."""


@dataclass(frozen=True)
class Fit:
    """A fitted basis, and clusters where they are shown.

    Args:
        basis: of three components; None where clusters alone are shown.
        clusters: None where none are shown.
    """

    basis: PcaBasis | None
    clusters: Clusters | None


def fit(grids: Sequence[Tensor], look: Look, target: Sequence[Tensor] | None = None, *, with_rule: bool = False) -> Fit:
    """Fit what is shown to grids, all together.

    Args:
        grids: (gh, gw, D) features.
        look: of the pictures.
        target: (gh, gw, 3) coordinates of another encoder on the same images, to rotate the colours towards.
        with_rule: find the rule for the foreground also if the look does not ask for it, so that it can be stored.

    Raises:
        FeatureError: for too few patches, or features that do not vary.
    """
    basis = fit_pca(grids, foreground=look.foreground) if look.needs_basis else None
    if basis is not None and target is not None:
        alignment = Alignment()
        for grid, coordinates in zip(grids, target, strict=True):
            alignment.add(basis.coordinates(grid), coordinates)
        basis = with_percentiles(alignment.align(basis), grids)
    if basis is not None and with_rule and basis.foreground_split is None:
        basis = replace(basis, foreground_split=split_foreground(grids))
    return Fit(basis, fit_clusters(grids, look.clusters) if look.needs_clusters else None)


def coordinates_of(fitted: Fit, grids: Iterable[Tensor]) -> list[Tensor]:
    """(gh, gw, 3) coordinates of each grid, small enough to keep; empty without a basis."""
    return [] if fitted.basis is None else [fitted.basis.coordinates(grid) for grid in grids]


def paint(show: str, fitted: Fit, grid: Tensor, rgb: NDArray[np.uint8], look: Look) -> NDArray[np.uint8]:
    """Draw one picture.

    Args:
        show: a name of ``SHOWS``.
        fitted: of the grid's column.
        grid: (gh, gw, D) features.
        rgb: (H, W, 3) the image, at the size to draw.
        look: of the pictures.

    Returns:
        (H, W, 3).
    """
    how = look.upsampler
    if show == "kmeans":
        assert fitted.clusters is not None, "fitted where it is shown"
        count = len(fitted.clusters.centres)
        member = np.eye(count, dtype=np.float32)[fitted.clusters.labels(grid)]  # (gh, gw, k)
        return to_bytes(cluster_rgb(upsample(member, how, rgb=rgb).argmax(-1), count))
    assert fitted.basis is not None, "fitted where it is shown"
    basis = fitted.basis if look.foreground else replace(fitted.basis, foreground_split=None)
    if show == "first":
        levels = first_component(basis, grid, look.color_mapping, flip=1 in look.flip)  # (gh, gw)
        return to_bytes(heat_rgb(upsample(levels, how, rgb=rgb), look.colormap))
    turn = turn_matrix(look.hue_deg, look.flip) if look.hue_deg or look.flip else None
    return to_bytes(upsample(to_rgb(basis, grid, look.color_mapping, turn), how, rgb=rgb))


def shrink(rgb: NDArray[np.uint8], longest_px: int = LONGEST_PX) -> NDArray[np.uint8]:
    """Reduce an image (H, W, 3) to a long side of at most ``longest_px`` pixels."""
    hw = (int(rgb.shape[0]), int(rgb.shape[1]))
    return resize_rgb(rgb, plan_resize(hw, min(hw), longest_px).input_hw) if max(hw) > longest_px else rgb


def refuse_one_colour(rgb: NDArray[np.uint8]) -> None:
    """Refuse an image whose own basis would show nothing but where its patches lie.

    Raises:
        FeatureError: if all pixels are equal.
    """
    if (rgb == rgb[0, 0]).all():
        raise FeatureError(
            "expected an image with something to tell apart; this one has one colour everywhere, so its features say "
            "where a patch lies and nothing else. Fit it together with others (--basis together), or leave it out."
        )


def spread_evenly(count: int, most: int) -> list[int]:
    """Choose at most ``most`` of ``count`` places, the first and the last among them.

    Example:
        >>> spread_evenly(9, 3), spread_evenly(2, 3)
        ([0, 4, 8], [0, 1])
    """
    if count <= most:
        return list(range(count))
    return [place * (count - 1) // max(most - 1, 1) for place in range(most)]


def fit_files(name: str, look: Look) -> list[str]:
    """Names of the files that ``write_fit`` writes."""
    return [name + BASIS] * look.needs_basis + [name + CLUSTERS] * look.needs_clusters


def read_fit(folder: Path, name: str, look: Look) -> Fit | None:
    """Read what ``write_fit`` wrote; None unless everything that the pictures need is there."""
    try:
        return Fit(
            load_basis(folder / (name + BASIS)) if look.needs_basis else None,
            load_clusters(folder / (name + CLUSTERS)) if look.needs_clusters else None,
        )
    except FeatureError:
        return None


def name_source(fitted: Fit, encoder: DenseEncoder, output: str) -> Fit:
    """Return the same fit, whose basis names its encoder and what this gives: a read-out, or ``layer 5``."""
    return replace(fitted, basis=fitted.basis and fitted.basis.made_with(encoder, output))
