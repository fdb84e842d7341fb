"""The settings of runs over many images, of ``segment``, ``try`` and ``fit``. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.engine.presets import DEFAULT_PROTOCOL
from densezero.errors import OutputError, VocabularyError
from densezero.examples.example import parse_example


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
        background: words for a class called background, ``wall, floor`` or ``auto``; None takes the protocol's.
        background_threshold: probability under which a pixel becomes background; None takes the protocol's.
        unknown: probability under which a pixel becomes unknown; None takes the protocol's.
        refine: ``"none"``, ``"grid"`` or ``"pamr"``; None takes the protocol's.
        save: formats to write.
        min_area_px: smaller regions are left out of ``coco-instances``; None takes that of an earlier run, or 64.
        show_confidence: show the distribution of the confidence of all pixels at the end.
        regions: masks that get one label each, a folder, a COCO file, ``sam2`` or ``sam2:NAME``; or None.
        examples: pictures that show a class, ``mug=photo.jpg,mask.png``, as ``parse_example`` reads them.
        classifier: a file that ``densezero fit`` wrote, in place of words and examples; or None.

    Raises:
        VocabularyError: if both classes and vocabulary are given, or neither of them and no examples; or if there is a
            classifier and one of these, templates or a background beside it.
        InputError: if an example is not written as it should be.
        OutputError: if there is no format to save.
    """

    classes: str | None = None
    vocabulary: str | None = None
    model: str = DEFAULT_MODEL
    protocol: str = DEFAULT_PROTOCOL
    templates: str | None = None
    short_side_px: int | None = None
    background: str | None = None
    background_threshold: float | None = None
    unknown: float | None = None
    refine: str | None = None
    save: tuple[str, ...] = ("labels", "overlay")
    min_area_px: int | None = None
    show_confidence: bool = False
    regions: str | None = None
    examples: tuple[str, ...] = ()
    classifier: Path | None = None

    def __post_init__(self) -> None:
        self._check_words()
        if not self.save:
            raise OutputError("Expected at least one format to save, for example --save labels,overlay; got none.")

    def _check_words(self) -> None:
        if self.classifier is not None:
            words = {"--classes": self.classes, "--vocabulary": self.vocabulary, "--templates": self.templates}
            backgrounds = {"--background": self.background, "--background-threshold": self.background_threshold}
            others = {**words, **backgrounds, "--unknown": self.unknown, "--example": self.examples or None}
            if beside := [name for name, value in others.items() if value is not None]:
                raise VocabularyError(
                    f"Expected --classifier without {', '.join(beside)}, because a classifier has its own classes. "
                    "Leave one of them out."
                )
            return
        given = (self.classes is not None) + (self.vocabulary is not None)
        if given == 2 or (given == 0 and not self.examples):
            raise VocabularyError(
                'Expected either --classes "sky, grass, boat=sailing ship|yacht" or --vocabulary NAME|FILE; got '
                f"{'both' if given else 'neither, and no --example'}. `densezero vocabularies list` shows the packaged "
                "lists."
            )
        for example in self.examples:
            parse_example(example)
