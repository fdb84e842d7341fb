"""PCA pictures of features: a folder of them, one figure, or a film."""

from __future__ import annotations

from densezero.jobs.feature_settings import PcaSettings
from densezero.jobs.pca_figure import draw_pca_figure
from densezero.jobs.pca_film import draw_pca_film
from densezero.jobs.pca_folder import draw_pca_folder
from densezero.jobs.places import check_file_place
from densezero.jobs.progress import Listener
from densezero.jobs.run import RunSummary


def draw_pca(settings: PcaSettings, listener: Listener | None = None) -> RunSummary:
    """Draw what is asked for.

    Args:
        settings: the request.
        listener: hears of notes and progress.

    Raises:
        DenseZeroError: if the request cannot be met.
    """
    listener = listener or Listener()
    if settings.save_basis is not None:
        check_file_place(settings.save_basis, settings.inputs, "--save-basis")
    if settings.video:
        return draw_pca_film(settings, listener)
    return (draw_pca_figure if settings.draws_figure else draw_pca_folder)(settings, listener)
