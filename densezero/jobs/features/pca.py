"""PCA pictures of features: a folder of them, one figure, or a film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezero.errors import FeatureError, OutputError
from densezero.features import load_bases
from densezero.features.figure.colours import check_colormap
from densezero.jobs.features.figure import draw_pca_figure
from densezero.jobs.features.film import draw_pca_film
from densezero.jobs.features.folder import draw_pca_folder
from densezero.jobs.features.settings import PcaSettings
from densezero.jobs.run import RunSummary
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener


def draw_pca(settings: PcaSettings, listener: Listener | None = None) -> RunSummary:
    """Draw what is asked for.

    Args:
        settings: the request.
        listener: hears of notes and progress.

    Raises:
        DenseZeroError: if the request cannot be met.
    """
    listener = listener or Listener()
    check_colormap(settings.style.colormap)
    if settings.save_basis is not None:
        _check_basis_place(settings.save_basis, settings.inputs)
    if settings.video:
        return draw_pca_film(settings, listener)
    return (draw_pca_figure if settings.draws_figure else draw_pca_folder)(settings, listener)


def _check_basis_place(path: Path, inputs: Sequence[Path]) -> None:
    """Refuse to store a basis where it cannot be written, or over anything but a basis."""
    refuse_unusable_outputs(path, [path], inputs, "--save-basis", is_folder=False)
    if not path.exists():
        return
    try:
        load_bases(path)
    except FeatureError:
        raise OutputError(
            f"{path} is there already and holds no basis, so it is not written over. Choose another --save-basis."
        ) from None
