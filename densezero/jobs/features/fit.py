"""Keeps what the pictures of a run are drawn with: fitted bases and clusters, beside the results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from densezero.encoders.base import DenseEncoder
from densezero.errors import FeatureError
from densezero.features import load_basis, save_basis
from densezero.features.choices import Look
from densezero.features.clusters import load_clusters, save_clusters
from densezero.features.encoder_cache import EncoderCache
from densezero.features.fitted import Fit
from densezero.features.sources import Source
from densezero.jobs.features.settings import PcaSettings
from densezero.output.atomic import write_atomically

BASIS, CLUSTERS = ".basis.safetensors", ".clusters.safetensors"


def fit_files(name: str, look: Look) -> list[str]:
    """Names of the files that ``write_fit`` writes."""
    return [name + BASIS] * look.needs_basis + [name + CLUSTERS] * look.needs_clusters


def write_fit(fitted: Fit, folder: Path, name: str) -> None:
    """Write the basis and the clusters of a source, as far as they were fitted."""
    write_basis(fitted, folder / (name + BASIS))
    if fitted.clusters is not None:
        clusters = fitted.clusters
        write_atomically(folder / (name + CLUSTERS), lambda file: save_clusters(clusters, file), durable=True)


def read_fit(folder: Path, name: str, look: Look) -> Fit | None:
    """Read what ``write_fit`` wrote; None unless everything that the pictures need is there."""
    try:
        return Fit(
            load_basis(folder / (name + BASIS)) if look.needs_basis else None,
            load_clusters(folder / (name + CLUSTERS)) if look.needs_clusters else None,
        )
    except FeatureError:
        return None


def name_source(fitted: Fit, encoder: DenseEncoder, readout: str) -> Fit:
    """Return the same fit, whose basis names its encoder."""
    return replace(fitted, basis=fitted.basis and fitted.basis.made_with(encoder, readout))


def write_basis(fitted: Fit, path: Path | None) -> None:
    """Write the basis of a fit to a file of its own, if ``--save-basis`` asks for it."""
    basis = fitted.basis
    if path is not None and basis is not None:
        write_atomically(path, lambda file: save_basis(basis, file), durable=True)


def stored_fit(settings: PcaSettings, encoders: EncoderCache, source: Source) -> Fit | None:
    """Read the stored basis that a request names; None if it names none.

    Raises:
        FeatureError: if it cannot be read, belongs to another encoder, or clusters are to be shown with it.
    """
    if settings.stored_basis is None:
        return None
    if settings.look.needs_clusters:
        raise FeatureError("A stored basis has no clusters; leave --show kmeans away, or fit anew.")
    basis = load_basis(settings.stored_basis)
    basis.refuse_other(encoders.take(source.model), source.readout)
    return Fit(basis, None)
