"""Fits the PCA basis and the k-means clusters of feature pictures, and keeps them beside the results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.errors import FeatureError
from densezero.features import (
    Alignment,
    Clusters,
    PcaBasis,
    first_component,
    fit_clusters,
    fit_pca,
    load_basis,
    save_basis,
    to_rgb,
    upsample,
)
from densezero.features.clusters import load_clusters, save_clusters
from densezero.features.figure.colours import cluster_rgb, heat_rgb, to_bytes
from densezero.features.pca import with_percentiles
from densezero.images import plan_resize, resize_rgb
from densezero.jobs.features.encoder_cache import EncoderCache, Source
from densezero.jobs.features.settings import PcaSettings
from densezero.output.atomic import write_atomically

LONGEST_PX = 2048
"""Pictures are drawn at the image's own size, up to this long side."""

_KINDS = {"basis": {"pca", "first"}, "clusters": {"kmeans"}}
"""What is fitted, and what it is shown by."""


@dataclass(frozen=True)
class Fit:
    """A fitted basis, and clusters where they are shown.

    Args:
        basis: of three components; None where clusters alone are shown.
        clusters: None where none are shown.
    """

    basis: PcaBasis | None
    clusters: Clusters | None


def fit(grids: Sequence[Tensor], settings: PcaSettings, target: Sequence[Tensor] | None = None) -> Fit:
    """Fit what is shown to grids, all together.

    Args:
        grids: (gh, gw, D) features.
        settings: of the run.
        target: (gh, gw, 3) coordinates of another encoder on the same images, to rotate the colours towards.

    Raises:
        FeatureError: for too few patches, or features that do not vary.
    """
    basis = fit_pca(grids, foreground=settings.foreground) if {"pca", "first"} & set(settings.shows) else None
    if basis is not None and target is not None:
        alignment = Alignment()
        for grid, coordinates in zip(grids, target, strict=True):
            alignment.add(basis.coordinates(grid), coordinates)
        basis = with_percentiles(alignment.align(basis), grids)
    return Fit(basis, fit_clusters(grids, settings.clusters) if "kmeans" in settings.shows else None)


def coordinates_of(fitted: Fit, grids: Iterable[Tensor]) -> list[Tensor]:
    """(gh, gw, 3) coordinates of each grid, small enough to keep; empty without a basis."""
    return [] if fitted.basis is None else [fitted.basis.coordinates(grid) for grid in grids]


def paint(show: str, fitted: Fit, grid: Tensor, rgb: NDArray[np.uint8], settings: PcaSettings) -> NDArray[np.uint8]:
    """Draw one picture.

    Args:
        show: a name of ``SHOWS``.
        fitted: of the grid's column.
        grid: (gh, gw, D) features.
        rgb: (H, W, 3) the image, at the size to draw.
        settings: of the run.

    Returns:
        (H, W, 3).
    """
    how = settings.upsampler
    if show == "kmeans":
        assert fitted.clusters is not None, "fitted where it is shown"
        count = len(fitted.clusters.centres)
        member = np.eye(count, dtype=np.float32)[fitted.clusters.labels(grid)]  # (gh, gw, k)
        return to_bytes(cluster_rgb(upsample(member, how, rgb=rgb).argmax(-1), count))
    assert fitted.basis is not None, "fitted where it is shown"
    if show == "first":
        levels = first_component(fitted.basis, grid, settings.color_mapping)  # (gh, gw)
        return to_bytes(heat_rgb(upsample(levels, how, rgb=rgb)))
    return to_bytes(upsample(to_rgb(fitted.basis, grid, settings.color_mapping), how, rgb=rgb))


def shrink(rgb: NDArray[np.uint8], longest_px: int = LONGEST_PX) -> NDArray[np.uint8]:
    """(H, W, 3) with a long side of at most so many pixels."""
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


def fit_files(name: str, settings: PcaSettings) -> list[str]:
    """Names of the files that ``write_fit`` writes."""
    kinds = [kind for kind, shows in _KINDS.items() if shows & set(settings.shows)]
    return [f"{name}.{kind}.safetensors" for kind in kinds]


def write_fit(fitted: Fit, folder: Path, name: str) -> None:
    """Keep a fit as ``NAME.basis.safetensors`` and ``NAME.clusters.safetensors``."""
    if fitted.basis is not None:
        write_basis(fitted, folder / f"{name}.basis.safetensors")
    if fitted.clusters is not None:
        clusters = fitted.clusters
        path = folder / f"{name}.clusters.safetensors"
        write_atomically(path, lambda file: save_clusters(clusters, file), durable=True)


def read_fit(folder: Path, name: str, settings: PcaSettings) -> Fit | None:
    """Read what ``write_fit`` kept; None unless all that is shown is there."""
    basis = clusters = None
    try:
        if {"pca", "first"} & set(settings.shows):
            basis = load_basis(folder / f"{name}.basis.safetensors")
        if "kmeans" in settings.shows:
            clusters = load_clusters(folder / f"{name}.clusters.safetensors")
    except FeatureError:
        return None
    return Fit(basis, clusters)


def name_source(fitted: Fit, encoder: DenseEncoder, readout: str) -> Fit:
    """The same fit, its basis naming the encoder that it belongs to."""
    return replace(fitted, basis=fitted.basis and fitted.basis.made_with(encoder, readout))


def write_basis(fitted: Fit, path: Path) -> None:
    """Store the basis of a fit where ``--save-basis`` asks for it."""
    assert fitted.basis is not None, "asked for where one is fitted"
    basis = fitted.basis
    write_atomically(path, lambda file: save_basis(basis, file), durable=True)


def stored_fit(settings: PcaSettings, encoders: EncoderCache, source: Source) -> Fit | None:
    """Read the stored basis that a request names, and refuse it for another encoder; None where it names none.

    Raises:
        FeatureError: if it cannot be read, belongs to another encoder, or clusters are to be shown with it.
    """
    if settings.stored_basis is None:
        return None
    if "kmeans" in settings.shows:
        raise FeatureError("A stored basis has no clusters; leave --show kmeans away, or fit anew.")
    basis = load_basis(settings.stored_basis)
    basis.refuse_other(encoders.take(source.model), source.readout)
    return Fit(basis, None)
