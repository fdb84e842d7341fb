"""The settings of ``pca``, ``similarity`` and ``features``, with their defaults. Importing this does not load torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.errors import FeatureError, InputError, OutputError
from densezero.features.choices import (
    FIGURE_SUFFIXES,
    FILM_SUFFIXES,
    GRID_FORMATS,
    HEAD_COLUMNS,
    OTHER_PICTURE_SUFFIXES,
    UPSAMPLERS,
    FigureStyle,
    GridChoice,
    Look,
    check_layer,
    check_name,
    is_figure,
    is_folder,
    is_page,
)
from densezero.jobs.settings import FolderSettings

TOGETHER, EACH = "together", "each"


@dataclass(frozen=True)
class PcaSettings(FolderSettings):
    """One request for PCA pictures.

    Args:
        inputs: image files and folders; with ``video`` one film, or a folder of frames.
        out: a folder for a picture of each image; a ``.png``, ``.pdf`` or ``.svg`` for one figure; a ``.html``
            for one page; with ``video`` a film.
        models: names or paths, a column each.
        readouts: of the last block, a column each.
        layers: blocks whose patch tokens are shown instead, a column each; from 0, or negative from the end.
        heads: names of ``HEAD_COLUMNS``, further columns of a figure by the heads of the first model.
        shows: what is drawn, a column each.
        basis: ``"together"`` fits one basis to all images, ``"each"`` one to every image; or a stored basis's file.
        save_basis: file to store the basis in; None stores none beside the results.
        color_mapping: how coordinates become colours, ``--look`` on the command line.
        foreground: fit and colour the foreground alone.
        align: rotate the colours of every column towards those of the first.
        clusters: of k-means.
        upsampler: from patches to pixels.
        grid: how finely images are encoded.
        style: of a figure.
        labels: captions of a figure's columns after the image; none takes short names.
        hue_deg: turns the colours about grey, degrees.
        flip: components, 1 to 3, that are mirrored.
        fit_images: the most images that a common basis is fitted to, spread evenly over all.
        video: make a film.
        rate: frames a second of a film from a folder of frames.

    Raises:
        DenseZeroError: for an unknown name, or wishes that contradict each other.
    """

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
    style: FigureStyle = field(default_factory=FigureStyle)
    labels: tuple[str, ...] = ()
    hue_deg: float = 0.0
    flip: tuple[int, ...] = ()
    fit_images: int = 64
    video: bool = False
    rate: float = 25.0
    layers: tuple[int, ...] = ()
    heads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.fit_images < 1:
            raise FeatureError(f"Expected a basis fitted to at least 1 image; got --fit-images {self.fit_images}.")
        _check_columns(self)
        _check_basis(self)
        _check_style(self)
        if self.video:
            _check_video(self)
        else:
            _refuse_other_endings(self)

    @property
    def draws_figure(self) -> bool:
        """Whether all goes into one figure, or one page for the browser."""
        return not self.video and (is_figure(self.out) or is_page(self.out))

    @property
    def look(self) -> Look:
        """How the pictures are made."""
        looks = (self.color_mapping, self.upsampler, self.style.colormap, self.hue_deg, self.flip)
        return Look(self.shows, self.foreground, self.clusters, *looks)

    @property
    def stored_basis(self) -> Path | None:
        """The stored basis that was asked for."""
        return None if self.basis in (TOGETHER, EACH) else Path(self.basis)


@dataclass(frozen=True)
class SimilaritySettings:
    """One request for heat maps.

    Args:
        inputs: image files and folders, a row each.
        out: a ``.png``, ``.pdf`` or ``.svg``.
        texts: a map each.
        points: a map each, of patches like the one at (x, y) pixels of the first image.
        model: a name or a path.
        readout: of the last block.
        layer: the block whose patch tokens are compared instead of the last one's; from 0, or negative from the end.
        templates: sentences that each text is set into; ``plain`` takes it as it is.
        each: a scale of its own for every map.
        alone: draw the maps without the image under them.
        upsampler: from patches to pixels.
        grid: how finely images are encoded.
        style: of the figure.
        device: where to compute.
        dtype: numeric type of the vision tower.
        overwrite: replace a file that densezero did not write.

    Raises:
        DenseZeroError: for an unknown name, neither a text nor a point, both on one scale, or a layer with another
            read-out than ``patch``.
    """

    inputs: tuple[Path, ...]
    out: Path
    texts: tuple[str, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    model: str = DEFAULT_MODEL
    readout: str = "value"
    templates: str = "plain"
    each: bool = False
    alone: bool = False
    upsampler: str = "bilinear"
    grid: GridChoice = field(default_factory=GridChoice)
    style: FigureStyle = field(default_factory=FigureStyle)
    device: str = "auto"
    dtype: str = "auto"
    overwrite: bool = False
    layer: int | None = None

    def __post_init__(self) -> None:
        check_layer(self.readout, self.layer)
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
        if not is_figure(self.out):
            raise OutputError(f"Expected --out as a file ending in {', '.join(FIGURE_SUFFIXES)}; got {self.out}.")


@dataclass(frozen=True)
class FeaturesSettings(FolderSettings):
    """One request for raw feature grids.

    Args:
        model: a name or a path.
        readout: of the last block.
        layer: the block whose patch tokens are written instead of the last one's; from 0, or negative from the end.
        form: ``"npz"`` or ``"safetensors"``.
        half: write float16, half the size.
        grid: how finely images are encoded.

    Raises:
        DenseZeroError: for an unknown format, or a layer with another read-out than ``patch``.
    """

    model: str = DEFAULT_MODEL
    readout: str = "patch"
    form: str = "npz"
    half: bool = False
    grid: GridChoice = field(default_factory=GridChoice)
    layer: int | None = None

    def __post_init__(self) -> None:
        check_name("a format", self.form, GRID_FORMATS)
        check_layer(self.readout, self.layer)


def _refuse_other_endings(settings: PcaSettings) -> None:
    """Refuse films among the images, and a name that would become a folder though it looks like a file."""
    for given in settings.inputs:
        if given.suffix.lower() in FILM_SUFFIXES and not given.is_dir():
            raise InputError(f"{given} ends like a film: add --video, and give --out as a film, FILE.mp4.")
    out, suffix = settings.out, settings.out.suffix.lower()
    if is_folder(out):
        return
    if suffix in FILM_SUFFIXES:
        raise OutputError(f"{out} ends like a film: add --video, or give --out as a folder or a figure.")
    if suffix in OTHER_PICTURE_SUFFIXES:
        raise OutputError(f"Expected --out as a folder, or a figure ending in {', '.join(FIGURE_SUFFIXES)}; got {out}.")


def _check_style(settings: PcaSettings) -> None:
    """Refuse options of a figure where no figure is drawn."""
    if (settings.labels or settings.style.title) and not settings.draws_figure:
        raise FeatureError("--label and --title belong to a figure or a page; give --out FILE.pdf or FILE.html.")
    if settings.style.sizes and not is_figure(settings.out):
        given = ", ".join(f"--{name}" for name in settings.style.sizes)
        raise FeatureError(f"Expected --out FILE.png, .pdf or .svg with {given}; got {settings.out}.")


def _check_columns(settings: PcaSettings) -> None:
    shows = settings.look.shows  # making the look refuses unknown names
    for name, given in (
        ("--model", settings.models), ("--readout", settings.readouts), ("--show", shows), ("--layer", settings.layers),
        ("--head", settings.heads),
    ):  # fmt: skip
        if not given and name not in ("--layer", "--head"):
            raise FeatureError(f"Expected at least one {name}; got none.")
        if len(set(given)) < len(given):
            raise FeatureError(f"Expected every {name} once; got {', '.join(map(str, given))}.")
    for readout, layer in product(settings.readouts, settings.layers):
        check_layer(readout, layer)
    for head in settings.heads:
        check_name("--head", head, HEAD_COLUMNS)
    if settings.heads and not settings.draws_figure:
        raise FeatureError(
            "--head adds columns to a figure or a page; give --out FILE.pdf or FILE.html. For a file of each image use "
            "`densezero depth` and `densezero normals`."
        )


def _check_basis(settings: PcaSettings) -> None:
    one_column = len(settings.models) * len(settings.readouts) * max(1, len(settings.layers)) == 1
    stored = settings.stored_basis
    if stored is not None and not stored.is_file():
        raise FeatureError(
            f"Expected --basis as {TOGETHER}, {EACH} or a file that --save-basis wrote; got {settings.basis}, which is "
            "none of them."
        )
    if stored is not None and (settings.align or settings.save_basis):
        raise FeatureError("A stored basis is taken as it is: leave --align and --save-basis away.")
    if settings.save_basis is not None and not {"pca", "first"} & set(settings.shows):
        raise FeatureError("--save-basis stores the basis of --show pca or first; k-means alone fits none.")
    if settings.save_basis is not None and settings.basis == EACH:
        raise FeatureError("--save-basis stores a basis that is fitted to all images together, not one of each.")
    if settings.save_basis is not None and settings.save_basis.suffix not in ("", ".safetensors"):
        raise OutputError(f"A basis is stored as safetensors; got {settings.save_basis}. Name it FILE.safetensors.")
    if settings.align and one_column:
        raise FeatureError(
            "--align rotates the colours of further columns towards the first; give a second --model or --readout, or "
            "several layers."
        )
    if settings.align and settings.basis == EACH and not settings.draws_figure:
        raise FeatureError("--align with --basis each is drawn as one figure; give --out FILE.png, .pdf or .svg.")


def _check_video(settings: PcaSettings) -> None:
    counts: Sequence[Sequence[object]] = (settings.models, settings.readouts, settings.shows, settings.layers)
    if any(len(given) > 1 for given in counts) or settings.basis == EACH:
        raise FeatureError(
            "A film has one --model, one --readout or --layer, one --show, and one basis for all of its frames."
        )
    if settings.out.suffix.lower() not in FILM_SUFFIXES:
        raise OutputError(f"Expected --out as a film ending in {', '.join(FILM_SUFFIXES)}; got {settings.out}.")
    if len(settings.inputs) != 1:
        raise InputError(f"Expected one film or one folder of frames; got {len(settings.inputs)} inputs.")
    if not 0 < settings.rate <= 1000:
        raise InputError(f"Expected --rate in frames a second, above 0 and at most 1000; got {settings.rate:g}.")
