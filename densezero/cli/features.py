"""``densezero pca``, ``similarity`` and ``features``: pictures of features, and the features themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.like import is_given
from densezero.cli.show import Shower
from densezero.encoders.readouts import READOUTS
from densezero.features.choices import (
    CELLS,
    COLOR_MAPPINGS,
    GRID_FORMATS,
    HEAD_COLUMNS,
    LAYER_READOUT,
    SHOWS,
    UPSAMPLERS,
    FigureStyle,
    GridChoice,
)
from densezero.jobs.features.settings import EACH, TOGETHER, FeaturesSettings, PcaSettings, SimilaritySettings

COLOURS = "Colours"

_Readout = Annotated[
    str,
    typer.Option(
        rich_help_panel=options.MODEL, autocompletion=options.starting_with(READOUTS),
        help=f"What the last block gives: {', '.join(READOUTS)}.",
    ),
]  # fmt: skip
_LAYER_HELP = "from 0, negative from the end: --layer -1 is the last. With the read-out patch."
_Layer = Annotated[
    int | None,
    typer.Option(
        "--layer", metavar="N", rich_help_panel=options.MODEL,
        help=f"Take the tokens after transformer block N and the final norm; {_LAYER_HELP}",
    ),
]  # fmt: skip
_Grid = Annotated[
    int,
    typer.Option(
        "--grid", rich_help_panel=options.ENCODING,
        help="Patches along the long side; 98 is 1372 px at patch 14, 1568 px at 16.",
    ),
]  # fmt: skip
_Side = Annotated[
    int | None,
    typer.Option(
        "--side", rich_help_panel=options.ENCODING, help="Long side of the model input in pixels instead of --grid."
    ),
]
_Window = Annotated[
    int | None,
    typer.Option(
        "--window", rich_help_panel=options.ENCODING,
        help="Encode in windows of N x N patches, blended. [the whole image at once, if the memory is large enough]",
    ),
]  # fmt: skip
_Upsample = Annotated[
    str, options.choice(UPSAMPLERS, "--upsample", help="From patches to pixels.", panel=options.FIGURE)
]
_Width = Annotated[float, typer.Option("--width", rich_help_panel=options.FIGURE, help="Width of a figure, mm.")]
_Title = Annotated[str, typer.Option("--title", rich_help_panel=options.FIGURE, help="A line above the figure.")]
_FontSize = Annotated[
    float, typer.Option("--font-size", rich_help_panel=options.FIGURE, help="Size of captions, points, 6 or more.")
]
_Cell = Annotated[
    str,
    options.choice(
        CELLS,
        "--cell",
        help="fit: whole pictures; square: their middle; height: rows equally tall.",
        panel=options.FIGURE,
    ),
]
_Colormap = Annotated[
    str,
    typer.Option("--colormap", rich_help_panel=options.FIGURE, help="Color map of maps and of --show first."),
]
_Dpi = Annotated[int, typer.Option("--dpi", rich_help_panel=options.FIGURE, help="Pixels per inch of pictures.")]


def pca(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="PLACE",
            parser=options.path,
            help="A folder for a picture of each image; one figure, FILE.png, .pdf or .svg; one page for the browser, "
            "FILE.html; with --video a film.",
        ),
    ],
    inputs: options.Inputs = None,
    show: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            autocompletion=options.starting_with(SHOWS),
            help="A column each: pca (three components), first (the first alone), kmeans. [default: pca]",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            rich_help_panel=options.MODEL,
            autocompletion=options.starting_with(options.MODEL_NAMES),
            help=f"A column each: a model, a folder or a file; repeat it. [default: {PcaSettings.models[0]}]",
        ),
    ] = None,
    readout: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            rich_help_panel=options.MODEL,
            autocompletion=options.starting_with(READOUTS),
            help=f"A column each: {', '.join(READOUTS)}. [default: {PcaSettings.readouts[0]}]",
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="N,...",
            rich_help_panel=options.MODEL,
            help=f"A column each: the tokens after transformer block N and the final norm; {_LAYER_HELP}",
        ),
    ] = None,
    basis: Annotated[
        str,
        typer.Option(
            rich_help_panel=COLOURS,
            autocompletion=options.starting_with((TOGETHER, EACH)),
            help="together (one basis for all images), each, or the file of a stored basis.",
        ),
    ] = PcaSettings.basis,
    save_basis: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", parser=options.path, rich_help_panel=COLOURS, help="Store the basis in this file."
        ),
    ] = PcaSettings.save_basis,
    color_mapping: Annotated[
        str,
        options.choice(
            COLOR_MAPPINGS,
            "--look",
            panel=COLOURS,
            help="sigmoid gives soft, saturated colours; percentile stretches the contrast.",
        ),
    ] = PcaSettings.color_mapping,
    foreground: Annotated[
        bool, typer.Option("--foreground", rich_help_panel=COLOURS, help="Fit and colour the main subject alone.")
    ] = PcaSettings.foreground,
    hue: Annotated[
        float, typer.Option(metavar="DEG", rich_help_panel=COLOURS, help="Turn the colours; 120 makes red green.")
    ] = PcaSettings.hue_deg,
    flip: Annotated[
        list[str] | None,
        typer.Option(metavar="N,...", rich_help_panel=COLOURS, help="Mirror components, such as 1,3."),
    ] = None,
    align: Annotated[
        bool,
        typer.Option(
            "--align", rich_help_panel=COLOURS, help="Rotate the colours of every column towards those of the first."
        ),
    ] = PcaSettings.align,
    clusters: Annotated[int, typer.Option(rich_help_panel=COLOURS, help="Clusters of k-means.")] = PcaSettings.clusters,
    fit_images: Annotated[
        int,
        typer.Option(rich_help_panel=COLOURS, help="Fit the common basis to at most N images, spread evenly over all."),
    ] = PcaSettings.fit_images,
    upsample: _Upsample = PcaSettings.upsampler,
    grid: _Grid = GridChoice.side,
    side: _Side = GridChoice.side_px,
    window: _Window = GridChoice.window_side,
    width: _Width = FigureStyle.width_mm,
    title: _Title = FigureStyle.title,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", rich_help_panel=options.FIGURE, help="Caption of a column after the image; repeat it."),
    ] = None,
    font_size: _FontSize = FigureStyle.font_pt,
    cell: _Cell = FigureStyle.cell,
    colormap: _Colormap = FigureStyle.colormap,
    dpi: _Dpi = FigureStyle.dpi,
    video: Annotated[
        bool,
        typer.Option(
            "--video", rich_help_panel=options.FILM, help="Make a film, FILE.mp4, of a film or of a folder of frames."
        ),
    ] = PcaSettings.video,
    rate: Annotated[
        float, typer.Option(rich_help_panel=options.FILM, help="Frames a second of a film from a folder.")
    ] = PcaSettings.rate,
    head: Annotated[
        list[str] | None,
        typer.Option(
            "--head",
            metavar="NAME,...",
            rich_help_panel=options.FIGURE,
            autocompletion=options.starting_with(HEAD_COLUMNS),
            help="Further columns by trained heads of the first --model: depth (metres, one scale for all images), "
            "normals.",
        ),
    ] = None,
    device: options.Device = PcaSettings.device,
    dtype: options.Dtype = PcaSettings.dtype,
    images: options.Images = PcaSettings.images,
    like: options.Like = None,
    overwrite: options.Overwrite = PcaSettings.overwrite,
    keep_suffix: options.KeepSuffix = PcaSettings.keep_suffix,
    dry_run: options.DryRun = PcaSettings.dry_run,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Draw the principal components of patch features as colours: pictures, one figure, or a film.

    Example: densezero pca photos --model tipsv2-l14 --model timm:vit_base_patch14_dinov2 --align --out figure.pdf
    """
    if like is not None and is_given(context, "grid") and not is_given(context, "side"):
        side = None
    settings = PcaSettings(
        tuple(inputs or ()), out, device, dtype, overwrite, images, keep_suffix, dry_run,
        tuple(model or PcaSettings.models), options.split_names(readout, PcaSettings.readouts),
        options.split_names(show, PcaSettings.shows), basis, save_basis, color_mapping, foreground, align, clusters,
        upsample, GridChoice(grid, side, window), FigureStyle(width, title, font_size, cell, colormap, dpi),
        tuple(label or ()), hue, _components(flip), fit_images, video, rate, _layers(layer),
        options.split_names(head),
    )  # fmt: skip
    from densezero.jobs.features.pca import draw_pca

    shower = Shower(quiet=quiet, verbose=verbose)
    shower.summarise(draw_pca(settings, shower))


def similarity(
    context: typer.Context,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", parser=options.path, help="Image files and folders, a row each."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", parser=options.path, help="The figure: FILE.png, .pdf or .svg."),
    ],
    text: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="A map for these words; may be repeated.")
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(help="A map of patches like the one at X,Y of the first image, pixels; may be repeated."),
    ] = None,
    model: options.Model = SimilaritySettings.model,
    readout: _Readout = SimilaritySettings.readout,
    layer: _Layer = SimilaritySettings.layer,
    templates: Annotated[
        str,
        typer.Option(help="Sentences that each text is set into: plain takes it as it is; tcl9, imagenet80, a file."),
    ] = SimilaritySettings.templates,
    each: Annotated[
        bool, typer.Option("--each", help="Give every map a scale of its own, and say so.")
    ] = SimilaritySettings.each,
    alone: Annotated[
        bool, typer.Option("--alone", help="Draw the maps without the image under them.")
    ] = SimilaritySettings.alone,
    upsample: _Upsample = SimilaritySettings.upsampler,
    grid: _Grid = GridChoice.side,
    side: _Side = GridChoice.side_px,
    window: _Window = GridChoice.window_side,
    width: _Width = FigureStyle.width_mm,
    title: _Title = FigureStyle.title,
    font_size: _FontSize = FigureStyle.font_pt,
    cell: _Cell = FigureStyle.cell,
    colormap: _Colormap = FigureStyle.colormap,
    dpi: _Dpi = FigureStyle.dpi,
    device: options.Device = SimilaritySettings.device,
    dtype: options.Dtype = SimilaritySettings.dtype,
    overwrite: options.Replace = SimilaritySettings.overwrite,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Draw how like every patch is to words, or to the patch at a point: images in rows, words in columns.

    Example: densezero similarity photo.jpg --text "a boat" --text "the sea" --out boat.png
    """
    if layer is not None and not is_given(context, "readout"):
        readout = LAYER_READOUT
    settings = SimilaritySettings(
        tuple(images), out, tuple(text or ()), tuple(map(_point, point or ())), model, readout, templates, each, alone,
        upsample, GridChoice(grid, side, window), FigureStyle(width, title, font_size, cell, colormap, dpi), device,
        dtype, overwrite, layer,
    )  # fmt: skip
    from densezero.jobs.features.similarity import draw_similarity

    shower = Shower(quiet=quiet, verbose=verbose)
    shower.summarise(draw_similarity(settings, shower))


def features(
    context: typer.Context,
    out: options.OutFolder,
    inputs: options.Inputs = None,
    model: options.Model = FeaturesSettings.model,
    readout: _Readout = FeaturesSettings.readout,
    layer: _Layer = FeaturesSettings.layer,
    form: Annotated[str, options.choice(GRID_FORMATS, "--format", help="Of the files.")] = FeaturesSettings.form,
    half: Annotated[bool, typer.Option("--half", help="Write float16, half the size.")] = FeaturesSettings.half,
    grid: _Grid = GridChoice.side,
    side: _Side = GridChoice.side_px,
    window: _Window = GridChoice.window_side,
    device: options.Device = FeaturesSettings.device,
    dtype: options.Dtype = FeaturesSettings.dtype,
    images: options.Images = FeaturesSettings.images,
    like: options.Like = None,
    overwrite: options.Overwrite = FeaturesSettings.overwrite,
    keep_suffix: options.KeepSuffix = FeaturesSettings.keep_suffix,
    dry_run: options.DryRun = FeaturesSettings.dry_run,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write the raw feature grids of images: `features` (rows, columns, channels), and `about` as JSON.

    Example: densezero features photos --model tipsv2-l14 --out grids
    """
    if like is not None and is_given(context, "grid") and not is_given(context, "side"):
        side = None
    settings = FeaturesSettings(
        tuple(inputs or ()), out, device, dtype, overwrite, images, keep_suffix, dry_run, model, readout, form, half,
        GridChoice(grid, side, window), layer,
    )  # fmt: skip
    from densezero.jobs.features.grids import write_features

    shower = Shower(quiet=quiet, verbose=verbose)
    shower.summarise(write_features(settings, shower))


def _components(given: list[str] | None) -> tuple[int, ...]:
    """``1,3`` as numbers."""
    from densezero.errors import FeatureError

    names = options.split_names(map(str, given or ()))
    if not all(name.isdecimal() for name in names):
        raise FeatureError(f"Expected --flip as components, for example --flip 1,3; got {', '.join(names)!r}.")
    return tuple(sorted(map(int, names)))


def _layers(given: list[str] | None) -> tuple[int, ...]:
    """``5,8,-1`` as numbers."""
    from densezero.errors import FeatureError

    names = options.split_names(map(str, given or ()))
    try:
        return tuple(int(name) for name in names)
    except ValueError:
        raise FeatureError(
            f"Expected --layer as block numbers, for example --layer 5,8,-1; got {', '.join(names)!r}."
        ) from None


def _point(text: str) -> tuple[float, float]:
    """``X,Y`` as numbers."""
    from densezero.errors import InputError

    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"Expected --point as X,Y in pixels, for example --point 320,200; got {text!r}.") from None
    return x, y
