"""The settings of ``pca``, ``similarity`` and ``features``, with their defaults. Importing this does not load torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.errors import FeatureError, InputError, OutputError, did_you_mean
from densezero.features.choices import (
    COLOR_MAPPINGS,
    DEFAULT_GRID_SIDE,
    DEFAULT_WIDTH_MM,
    FIGURE_SUFFIXES,
    FILM_SUFFIXES,
    GRID_FORMATS,
    OTHER_PICTURE_SUFFIXES,
    SHOWS,
    UPSAMPLERS,
    WIDEST_MM,
)

TOGETHER, EACH = "together", "each"
LONGEST_GRID = 512  # a square of them, 1024 channels wide, is 1 GB


@dataclass(frozen=True)
class GridChoice:
    """How finely images are encoded.

    Args:
        side: patches along the long side.
        side_px: long side of the model input in pixels instead, rounded to whole patches; None takes ``side``.
        window_side: patches along the side of blended windows; None encodes whole what memory takes.

    Raises:
        FeatureError: for a number below 1.
    """

    side: int = DEFAULT_GRID_SIDE
    side_px: int | None = None
    window_side: int | None = None

    def __post_init__(self) -> None:
        for name, given in (("grid", self.side), ("side", self.side_px), ("window", self.window_side)):
            if given is not None and given < 1:
                raise FeatureError(f"Expected --{name} of at least 1; got {given}.")

    def patches(self, patch_px: int) -> int:
        """Patches along the long side for patches of so many pixels.

        Raises:
            FeatureError: if they are more than a machine can hold.
        """
        side = self.side if self.side_px is None else max(1, round(self.side_px / patch_px))
        if side > LONGEST_GRID:
            raise FeatureError(
                f"Expected at most {LONGEST_GRID} patches along the long side ({LONGEST_GRID * patch_px} pixels for "
                f"this encoder); got {side}. Take a smaller --grid or --side."
            )
        return side


@dataclass(frozen=True)
class PcaSettings:
    """One request for PCA pictures.

    Args:
        inputs: image files and folders; with ``video`` one film, or a folder of frames.
        out: a folder for a picture of each image; a ``.png``, ``.pdf`` or ``.svg`` for one figure; with ``video`` a
            film.
        models: names or paths, a column each.
        readouts: of the last block, a column each.
        shows: what is drawn, a column each.
        basis: ``"together"`` fits one basis to all images, ``"each"`` one to every image; or a stored basis's file.
        save_basis: file to store the basis in; None stores none beside the results.
        color_mapping: how coordinates become colours, ``--look`` on the command line.
        foreground: fit and colour the foreground alone.
        align: rotate the colours of every column towards those of the first.
        clusters: of k-means.
        upsampler: from patches to pixels.
        grid: how finely images are encoded.
        width_mm: of a figure.
        fit_images: a common basis is fitted to so many images at most, spread evenly over all.
        video: make a film.
        rate: frames a second of a film from a folder of frames.
        device: where to compute.
        dtype: numeric type of the vision tower.
        overwrite: do again what an earlier run has done.
        images: a file that lists more image files, one a line; ``-`` is standard input.
        keep_suffix: a.jpg gives a.jpg.png, so that a.jpg and a.png can lie side by side.
        dry_run: only say what would be done.

    Raises:
        DenseZeroError: for an unknown name, or wishes that contradict each other.
    """

    inputs: tuple[Path, ...]
    out: Path
    models: tuple[str, ...] = (DEFAULT_MODEL,)
    readouts: tuple[str, ...] = ("patch",)
    shows: tuple[str, ...] = ("pca",)
    basis: str = TOGETHER
    save_basis: Path | None = None
    color_mapping: str = "sigmoid"
    foreground: bool = False
    align: bool = False
    clusters: int = 6
    upsampler: str = "bilinear"
    grid: GridChoice = field(default_factory=GridChoice)
    width_mm: float = DEFAULT_WIDTH_MM
    fit_images: int = 64
    video: bool = False
    rate: float = 25.0
    device: str = "auto"
    dtype: str = "auto"
    overwrite: bool = False
    images: Path | None = None
    keep_suffix: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        for show in self.shows:
            check_name("what to --show", show, SHOWS)
        check_name("--look", self.color_mapping, COLOR_MAPPINGS)
        check_name("a way to upsample", self.upsampler, UPSAMPLERS)
        if self.clusters < 2:
            raise FeatureError(f"Expected at least 2 clusters; got {self.clusters}.")
        if self.fit_images < 1:
            raise FeatureError(f"Expected a basis fitted to at least 1 image; got --fit-images {self.fit_images}.")
        check_width(self.width_mm)
        _check_columns(self)
        _check_basis(self)
        if self.video:
            _check_video(self)
        else:
            _refuse_other_endings(self.out)
            films = [
                str(given) for given in self.inputs if given.suffix.lower() in FILM_SUFFIXES and not given.is_dir()
            ]
            if films:
                raise InputError(f"{films[0]} ends like a film: add --video, and give --out as a film, FILE.mp4.")

    @property
    def draws_figure(self) -> bool:
        """Whether all goes into one figure."""
        return not self.video and is_figure(self.out)

    @property
    def stored_basis(self) -> Path | None:
        """The stored basis that was asked for."""
        return None if self.basis in (TOGETHER, EACH) else Path(self.basis)


@dataclass(frozen=True)
class SimilaritySettings:
    """One request for heat maps of an image.

    Args:
        image: the image file.
        out: a ``.png``, ``.pdf`` or ``.svg``.
        texts: a map each.
        points: a map each, of patches like the one at (x, y) pixels of the image.
        model: a name or a path.
        readout: of the last block.
        templates: sentences that each text is set into; ``plain`` takes it as it is.
        each: a scale of its own for every map.
        upsampler: from patches to pixels.
        grid: how finely the image is encoded.
        width_mm: of the figure.
        device: where to compute.
        dtype: numeric type of the vision tower.
        overwrite: replace a file that densezero did not write.

    Raises:
        DenseZeroError: for an unknown name, neither a text nor a point, or both on one scale.
    """

    image: Path
    out: Path
    texts: tuple[str, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    model: str = DEFAULT_MODEL
    readout: str = "value"
    templates: str = "plain"
    each: bool = False
    upsampler: str = "bilinear"
    grid: GridChoice = field(default_factory=GridChoice)
    width_mm: float = DEFAULT_WIDTH_MM
    device: str = "auto"
    dtype: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.texts and not self.points:
            raise InputError('Expected something to compare the image with: --text "..." or --point X,Y; got neither.')
        if any(not text.strip() for text in self.texts):
            raise InputError("Expected words in every --text; got an empty one.")
        if self.texts and self.points and not self.each:
            raise InputError(
                "Cosines with words are far smaller than cosines between patches, so --text and --point do not share a "
                "scale: draw them in two figures, or add --each."
            )
        check_name("a way to upsample", self.upsampler, UPSAMPLERS)
        check_width(self.width_mm)
        if not is_figure(self.out):
            raise OutputError(f"Expected --out as a file ending in {', '.join(FIGURE_SUFFIXES)}; got {self.out}.")


@dataclass(frozen=True)
class FeaturesSettings:
    """One request for raw feature grids.

    Args:
        inputs: image files and folders.
        out: output folder.
        model: a name or a path.
        readout: of the last block.
        form: ``"npz"`` or ``"safetensors"``.
        half: write float16, half the size.
        grid: how finely images are encoded.
        device: where to compute.
        dtype: numeric type of the vision tower.
        overwrite: do again what an earlier run has done.
        images: a file that lists more image files, one a line; ``-`` is standard input.
        keep_suffix: a.jpg gives a.jpg.png, so that a.jpg and a.png can lie side by side.
        dry_run: only say what would be done.

    Raises:
        DenseZeroError: for an unknown format.
    """

    inputs: tuple[Path, ...]
    out: Path
    model: str = DEFAULT_MODEL
    readout: str = "patch"
    form: str = "npz"
    half: bool = False
    grid: GridChoice = field(default_factory=GridChoice)
    device: str = "auto"
    dtype: str = "auto"
    overwrite: bool = False
    images: Path | None = None
    keep_suffix: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        check_name("a format", self.form, GRID_FORMATS)


def is_figure(out: Path) -> bool:
    """Whether a name asks for one figure: it ends like one, and no folder has it."""
    return out.suffix.lower() in FIGURE_SUFFIXES and not out.is_dir()


def check_name(kind: str, given: str, known: dict[str, str]) -> None:
    """Refuse a name that is not in a table.

    Raises:
        FeatureError: with the nearest.
    """
    if given not in known:
        raise FeatureError(f"Expected {kind} out of the known ones; got {given!r}. {did_you_mean(given, list(known))}")


def check_width(width_mm: float) -> None:
    """Refuse a figure's width that no printer has.

    Raises:
        FeatureError: unless it is above 0 and at most 2 m.
    """
    if not 0 < width_mm <= WIDEST_MM:
        raise FeatureError(f"Expected --width in mm, above 0 and at most {WIDEST_MM:g}; got {width_mm:g}.")


def _refuse_other_endings(out: Path) -> None:
    """Refuse a name that would become a folder though it looks like a file."""
    suffix = out.suffix.lower()
    if out.is_dir():
        return
    if suffix in FILM_SUFFIXES:
        raise OutputError(f"{out} ends like a film: add --video, or give --out as a folder or a figure.")
    if suffix in OTHER_PICTURE_SUFFIXES:
        raise OutputError(f"Expected --out as a folder, or a figure ending in {', '.join(FIGURE_SUFFIXES)}; got {out}.")


def _check_columns(settings: PcaSettings) -> None:
    for name, given in (("--model", settings.models), ("--readout", settings.readouts), ("--show", settings.shows)):
        if not given:
            raise FeatureError(f"Expected at least one {name}; got none.")
        if len(set(given)) < len(given):
            raise FeatureError(f"Expected every {name} once; got {', '.join(given)}.")


def _check_basis(settings: PcaSettings) -> None:
    one_column = len(settings.models) * len(settings.readouts) == 1
    stored = settings.stored_basis
    if stored is not None and not stored.is_file():
        raise FeatureError(
            f"Expected --basis as {TOGETHER}, {EACH} or a file that --save-basis wrote; got {settings.basis}, which is "
            "none of them."
        )
    if stored is not None and (not one_column or settings.foreground or settings.align or settings.save_basis):
        raise FeatureError(
            "A stored basis belongs to one model and one read-out, and is taken as it is: give one --model and one "
            "--readout, without --foreground, --align and --save-basis."
        )
    if settings.save_basis is not None and not {"pca", "first"} & set(settings.shows):
        raise FeatureError("--save-basis stores the basis of --show pca or first; k-means alone fits none.")
    if settings.save_basis is not None and (not one_column or settings.basis == EACH):
        raise FeatureError(
            "--save-basis stores the one basis of one model and one read-out, fitted to all images together."
        )
    if settings.align and one_column:
        raise FeatureError(
            "--align rotates the colours of further columns towards the first; give a second --model or --readout."
        )
    if settings.align and settings.basis == EACH and not settings.draws_figure:
        raise FeatureError("--align with --basis each is drawn as one figure; give --out FILE.png, .pdf or .svg.")


def _check_video(settings: PcaSettings) -> None:
    counts: Sequence[Sequence[str]] = (settings.models, settings.readouts, settings.shows)
    if any(len(given) > 1 for given in counts) or settings.basis == EACH:
        raise FeatureError("A film has one --model, one --readout and one --show, and one basis for all of its frames.")
    if settings.out.suffix.lower() not in FILM_SUFFIXES:
        raise OutputError(f"Expected --out as a film ending in {', '.join(FILM_SUFFIXES)}; got {settings.out}.")
    if len(settings.inputs) != 1:
        raise InputError(f"Expected one film or one folder of frames; got {len(settings.inputs)} inputs.")
    if not 0 < settings.rate <= 1000:
        raise InputError(f"Expected --rate in frames a second, above 0 and at most 1000; got {settings.rate:g}.")
