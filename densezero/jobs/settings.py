"""The settings of runs over many images, and of ``segment``. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.engine.presets import DEFAULT_PROTOCOL
from densezero.errors import InputError, OutputError, VocabularyError

LEAST_SIDE_PX = 32


@dataclass(frozen=True)
class FolderSettings:
    """What every run over many images is asked for.

    Args:
        inputs: image files and folders.
        out: output folder.
        device: where to compute.
        dtype: numeric type of the vision tower.
        overwrite: do again what an earlier run has done.
        images: a file that lists the image files instead, one a line; ``-`` is standard input.
        keep_suffix: a.jpg gives a.jpg.png, so that a.jpg and a.png can lie side by side.
        dry_run: only say what would be done.
    """

    inputs: tuple[Path, ...]
    out: Path
    device: str = "auto"
    dtype: str = "auto"
    overwrite: bool = False
    images: Path | None = None
    keep_suffix: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class SegmentSettings(FolderSettings):
    """One request to segment images.

    Args:
        classes: class names inline, ``sky, grass, boat=sailing ship|yacht``; or None.
        vocabulary: a packaged class list's name, or a file; or None. One of the two is needed.
        model: a model's name, or a path.
        protocol: a preset's name; an ``ovss`` preset takes its paper's constants for the benchmark of the vocabulary.
        templates: prompt templates, a name or a file; None takes the protocol's.
        short_side_px: short side of the model input; None takes the protocol's.
        background_words: words for a class called background.
        background_threshold: probability under which a pixel becomes background; None takes the protocol's.
        save: formats to write.

    Raises:
        VocabularyError: if both or neither of classes and vocabulary are given.
        InputError: if the short side is too small to hold anything.
        OutputError: if there is no format to save.
    """

    classes: str | None = None
    vocabulary: str | None = None
    model: str = DEFAULT_MODEL
    protocol: str = DEFAULT_PROTOCOL
    templates: str | None = None
    short_side_px: int | None = None
    background_words: tuple[str, ...] = ()
    background_threshold: float | None = None
    save: tuple[str, ...] = ("labels", "overlay")

    def __post_init__(self) -> None:
        if (self.classes is None) == (self.vocabulary is None):
            raise VocabularyError(
                'Expected either --classes "sky, grass, boat=sailing ship|yacht" or --vocabulary NAME|FILE; got '
                f"{'neither' if self.classes is None else 'both'}. `densezero vocabularies list` shows the packaged "
                "lists."
            )
        if self.short_side_px is not None and self.short_side_px < LEAST_SIDE_PX:
            raise InputError(
                f"Expected --short-side of at least {LEAST_SIDE_PX} pixels, two patches; got {self.short_side_px}."
            )
        if not self.save:
            raise OutputError("Expected at least one format to save, for example --save labels,overlay; got none.")
