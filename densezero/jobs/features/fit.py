"""Keeps what the pictures of a run are drawn with: fitted bases and clusters, beside the results."""

from __future__ import annotations

from pathlib import Path

from densezero.errors import FeatureError
from densezero.features import load_basis, save_basis
from densezero.features.clusters import save_clusters
from densezero.features.encoder_cache import EncoderCache
from densezero.features.fitted import BASIS, CLUSTERS, Fit
from densezero.features.sources import Source
from densezero.jobs.features.settings import PcaSettings
from densezero.output.atomic import write_atomically


def write_fit(fitted: Fit, folder: Path, name: str) -> None:
    """Write the basis and the clusters of a source, as far as they were fitted."""
    write_basis(fitted, folder / (name + BASIS))
    if fitted.clusters is not None:
        clusters = fitted.clusters
        write_atomically(folder / (name + CLUSTERS), lambda file: save_clusters(clusters, file), durable=True)


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
