"""The settings of runs over many images, of ``segment``, ``try`` and ``fit``. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.engine.presets import DEFAULT_PROTOCOL
from densezero.errors import InputError, OutputError, VocabularyError
from densezero.examples.example import parse_example
from densezero.heads.names import RATIO
from densezero.jobs.heads.rules import check_head
from densezero.output.formats import CRS_NAMES, FILM_SUFFIXES, NAMES, NATIVE_FORMATS, VIDEO_FORMATS


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
        video: the input is one film, or a folder of its frames.
        smooth: weight of the frames before in the scores of a frame, at least 0 and below 1.
        every: take one frame in this many, beginning with the first.
        rate: frames a second of a folder.
        head: ``"ade20k"`` for the segmentation head of the model, or a head's file, in place of words; or None.
        preset: of a head, ``"ratio"`` or ``"official"``; how an image becomes the model input.
        native: segment at the image's own resolution, in parts, so that scenes may be larger than memory.
        bands: of a TIFF for red, green and blue, or one for grey, ``3,2,1``; None takes those that the file names.
        value_range: values of a TIFF that become black and white, ``0,3000``; None takes them from the file.
        crs: coordinates of ``geojson``, ``"lonlat"`` or ``"image"``.

    Raises:
        VocabularyError: if both classes and vocabulary are given, or neither of them and no examples; or if there is a
            classifier and one of these, templates or a background beside it.
        InputError: if an example is not written as it should be, or if there is a head and options for words.
        OutputError: if there is no format to save, or one that does not fit a film.
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
    video: bool = False
    smooth: float = 0.0
    every: int = 1
    rate: float = 25.0
    head: str | None = None
    preset: str = RATIO
    native: bool = False
    bands: str | None = None
    value_range: str | None = None
    crs: str = CRS_NAMES[0]

    def __post_init__(self) -> None:
        self._check_head()
        if self.head is None:
            self._check_words()
        self._check_video()
        self._check_scenes()
        if not self.save:
            raise OutputError("Expected at least one format to save, for example --save labels,overlay; got none.")

    def _check_video(self) -> None:
        """Refuse options of a film without --video, and what does not fit a film."""
        if not self.video:
            if films := [str(given) for given in self.inputs if given.suffix.lower() in FILM_SUFFIXES]:
                raise InputError(f"{films[0]} ends like a film. Add --video for films, or give pictures.")
            if self.smooth or self.every != 1:
                raise InputError("Expected --smooth and --every with --video only; there is no film. Add --video.")
            return
        if len(self.inputs) != 1 or self.images is not None:
            got = "--images" if self.images is not None else f"{len(self.inputs)} inputs"
            raise InputError(f"Expected one film, or one folder of frames, with --video; got {got}.")
        pictures_only = {"--regions": self.regions, "--bands": self.bands, "--range": self.value_range}
        if beside := [name for name, value in pictures_only.items() if value is not None]:
            raise InputError(f"Expected --video without {', '.join(beside)}, which fit pictures only. Leave one out.")
        if not (0 <= self.smooth < 1 and self.every >= 1 and 0 < self.rate <= 1000):
            raise InputError(
                "Expected --smooth of 0 or more and below 1, --every of 1 or more, and --rate above 0 and at most 1000 "
                f"frames a second; got {self.smooth:g}, {self.every} and {self.rate:g}."
            )
        if others := [name for name in self.save if name in NAMES and name not in VIDEO_FORMATS]:
            raise OutputError(
                f"Expected --save as some of {', '.join(VIDEO_FORMATS)} with --video; got {', '.join(others)}. For "
                "others, segment a folder of frames without --video."
            )

    def _check_scenes(self) -> None:
        """Refuse what does not fit scenes at their own resolution, and options that nothing would take."""
        if self.bands is not None or self.value_range is not None:
            from densezero.images.rasters import parse_band_choice  # loads Pillow, which --help can do without

            parse_band_choice(self.bands, self.value_range)
        if self.crs not in CRS_NAMES or (self.crs != CRS_NAMES[0] and "geojson" not in self.save):
            raise OutputError(f"Expected --crs as lonlat or image, with --save geojson; got {self.crs!r}.")
        if not self.native:
            return
        others = {
            "--video": self.video, "--head": self.head is not None, "--regions": self.regions is not None,
            "--short-side": self.short_side_px is not None, "--refine": self.refine not in (None, "none"),
            "--show-confidence": self.show_confidence,
        }  # fmt: skip
        if beside := [name for name, is_given in others.items() if is_given]:
            raise InputError(
                f"Expected --native without {', '.join(beside)}, because a scene is segmented in parts, at its own "
                "size. Leave one of them out."
            )
        if whole := [name for name in self.save if name in NAMES and name not in NATIVE_FORMATS]:
            raise OutputError(
                f"Expected --save as some of {', '.join(NATIVE_FORMATS)} with --native; got {', '.join(whole)}, which "
                "would need the whole scene in memory. Cut the scene into tiles for them."
            )

    def _check_head(self) -> None:
        others = {
            "--classes": self.classes, "--vocabulary": self.vocabulary, "--example": self.examples,
            "--classifier": self.classifier, "--templates": self.templates, "--background": self.background,
            "--background-threshold": self.background_threshold, "--unknown": self.unknown,
            "--protocol": self.protocol != DEFAULT_PROTOCOL, "--refine": self.refine,
            "--show-confidence": self.show_confidence,
        }  # fmt: skip
        check_head(self.head, self.preset, self.short_side_px, others, "--short-side")

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
