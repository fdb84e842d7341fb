"""Keeps what the pictures of a run are drawn with: fitted bases and clusters, beside the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from densezero.atomic import write_atomically
from densezero.errors import FeatureError
from densezero.features.basis import choose_basis, load_bases, save_bases
from densezero.features.clusters import save_clusters
from densezero.features.fitted import BASIS, CLUSTERS, Fit
from densezero.features.sources import Source
from densezero.jobs.features.settings import PcaSettings


def write_fit(fitted: Fit, folder: Path, name: str) -> None:
    """Write the basis and the clusters of a source, as far as they were fitted."""
    write_bases([fitted], folder / (name + BASIS))
    if fitted.clusters is not None:
        clusters = fitted.clusters
        write_atomically(folder / (name + CLUSTERS), lambda file: save_clusters(clusters, file), durable=True)


def write_bases(fits: Sequence[Fit], path: Path | None) -> None:
    """Write the bases of fits to one file, if ``--save-basis`` asks for it."""
    bases = [fitted.basis for fitted in fits if fitted.basis is not None]
    if path is not None and bases:
        write_atomically(path, lambda file: save_bases(bases, file), durable=True)


def stored_fits(settings: PcaSettings, hashes: Mapping[Source, str]) -> dict[Source, Fit]:
    """Read the stored basis of each source; none if the request names no file.

    Raises:
        FeatureError: if it cannot be read, lacks an encoder or the rule that is asked for, or clusters are to be shown.
    """
    if settings.stored_basis is None:
        return {}
    if settings.look.needs_clusters:
        raise FeatureError("A stored basis has no clusters; leave --show kmeans away, or fit anew.")
    bases = load_bases(settings.stored_basis)
    chosen = {each: choose_basis(bases, each.model, sha256, each.output) for each, sha256 in hashes.items()}
    if settings.foreground and any(basis.foreground_split is None for basis in chosen.values()):
        raise FeatureError(f"{settings.stored_basis} has no rule for the foreground. Store it again with --save-basis.")
    return {source: Fit(basis, None) for source, basis in chosen.items()}
