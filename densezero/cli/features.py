"""``densezero pca``, ``similarity`` and ``features``: pictures of features, and the features themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli.show import Shower
from densezero.jobs.features.settings import FeaturesSettings, GridChoice, PcaSettings, SimilaritySettings

_Inputs = Annotated[
    list[Path], typer.Argument(metavar="INPUT...", help="Image files and folders; folders are searched recursively.")
]
_Model = Annotated[
    str, typer.Option("--model", "-m", help="A model (see `densezero models list`), a folder, or a *_vision.npz.")
]
_Readout = Annotated[str, typer.Option(help="Read-out of the last block: patch, value, q-q, k-k, v-v, ...-bare.")]
_Grid = Annotated[
    int, typer.Option("--grid", help="Patches along the long side; 98 is 1372 px at patch 14, 1568 px at 16.")
]
_Side = Annotated[int | None, typer.Option("--side", help="Long side of the model input in pixels instead of --grid.")]
_Window = Annotated[
    int | None,
    typer.Option("--window", help="Encode in blended windows of so many patches. [whole, if memory takes it]"),
]
_Upsample = Annotated[str, typer.Option("--upsample", help="From patches to pixels: nearest, bilinear or guided.")]
_Width = Annotated[float, typer.Option("--width", help="Width of a figure, mm.")]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
_Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite/--resume", help="Do again what an earlier run has written, or go on from it.")
]


def pca(
    inputs: _Inputs,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="A folder for a picture of each image, or one figure: FILE.png, .pdf, .svg."),
    ],
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="As for segment; repeat it for more columns. [tipsv2-l14]")
    ] = None,
    readout: Annotated[
        list[str] | None, typer.Option(help="Read-out of the last block; repeat it for more columns. [patch]")
    ] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(help="pca (three components), first (the first, in inferno) or kmeans; may be repeated. [pca]"),
    ] = None,
    basis: Annotated[
        str, typer.Option(help="together (one basis for all images), each, or the file of a stored basis.")
    ] = PcaSettings.basis,
    save_basis: Annotated[Path | None, typer.Option(help="Store the basis in this file.")] = PcaSettings.save_basis,
    color_mapping: Annotated[
        str, typer.Option("--look", help="sigmoid (of twice the whitened coordinate) or percentile.")
    ] = PcaSettings.color_mapping,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Fit and colour the foreground alone.")
    ] = PcaSettings.foreground,
    align: Annotated[
        bool, typer.Option("--align", help="Rotate the colours of every column towards those of the first.")
    ] = PcaSettings.align,
    clusters: Annotated[int, typer.Option(help="Clusters of k-means.")] = PcaSettings.clusters,
    upsample: _Upsample = PcaSettings.upsampler,
    grid: _Grid = GridChoice.side,
    side: _Side = GridChoice.side_px,
    window: _Window = GridChoice.window_side,
    width: _Width = PcaSettings.width_mm,
    fit_images: Annotated[
        int, typer.Option(help="A common basis is fitted to so many images at most, spread evenly over all.")
    ] = PcaSettings.fit_images,
    video: Annotated[
        bool, typer.Option("--video", help="Make a film, FILE.mp4, of a film or of a folder of frames.")
    ] = PcaSettings.video,
    rate: Annotated[float, typer.Option(help="Frames a second of a film from a folder.")] = PcaSettings.rate,
    device: _Device = PcaSettings.device,
    dtype: _Dtype = PcaSettings.dtype,
    overwrite: _Overwrite = PcaSettings.overwrite,
) -> None:
    """Draw the principal components of patch features as colours: pictures, one figure, or a film.

    Example: densezero pca photos --model tipsv2-l14 --model timm:vit_base_patch14_dinov2 --align --out figure.pdf
    """
    settings = PcaSettings(
        tuple(inputs), out, tuple(model or PcaSettings.models), tuple(readout or PcaSettings.readouts),
        tuple(show or PcaSettings.shows), basis, save_basis, color_mapping, foreground, align, clusters, upsample,
        GridChoice(grid, side, window), width, fit_images, video, rate, device, dtype, overwrite,
    )  # fmt: skip
    from densezero.jobs.features.pca import draw_pca

    shower = Shower()
    shower.summarise(draw_pca(settings, shower))


def similarity(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The figure: FILE.png, .pdf or .svg.")],
    text: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="A map for these words; may be repeated.")
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(help="A map of patches like the one at X,Y, pixels from the upper left; may be repeated."),
    ] = None,
    model: _Model = SimilaritySettings.model,
    readout: _Readout = SimilaritySettings.readout,
    templates: Annotated[
        str,
        typer.Option(help="Sentences that each text is set into: plain takes it as it is; tcl9, imagenet80, a file."),
    ] = SimilaritySettings.templates,
    each: Annotated[
        bool, typer.Option("--each", help="Give every map a scale of its own, and say so.")
    ] = SimilaritySettings.each,
    upsample: _Upsample = SimilaritySettings.upsampler,
    grid: _Grid = GridChoice.side,
    side: _Side = GridChoice.side_px,
    window: _Window = GridChoice.window_side,
    width: _Width = SimilaritySettings.width_mm,
    device: _Device = SimilaritySettings.device,
    dtype: _Dtype = SimilaritySettings.dtype,
) -> None:
    """Draw how like every patch of an image is to words, or to the patch at a point.

    Example: densezero similarity photo.jpg --text "a boat" --text "the sea" --out boat.png
    """
    settings = SimilaritySettings(
        image, out, tuple(text or ()), tuple(map(_point, point or ())), model, readout, templates, each, upsample,
        GridChoice(grid, side, window), width, device, dtype,
    )  # fmt: skip
    from densezero.jobs.features.similarity import draw_similarity

    shower = Shower()
    draw_similarity(settings, shower)
    shower.end_line()
    typer.echo(out)


def features(
    inputs: _Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    model: _Model = FeaturesSettings.model,
    readout: _Readout = FeaturesSettings.readout,
    form: Annotated[str, typer.Option("--format", help="npz or safetensors.")] = FeaturesSettings.form,
    half: Annotated[bool, typer.Option("--half", help="Write float16, half the size.")] = FeaturesSettings.half,
    grid: _Grid = GridChoice.side,
    side: _Side = GridChoice.side_px,
    window: _Window = GridChoice.window_side,
    device: _Device = FeaturesSettings.device,
    dtype: _Dtype = FeaturesSettings.dtype,
    overwrite: _Overwrite = FeaturesSettings.overwrite,
) -> None:
    """Write the raw feature grids of images: `features` (rows, columns, channels), and `about` as JSON.

    Example: densezero features photos --model tipsv2-l14 --out grids
    """
    settings = FeaturesSettings(
        tuple(inputs), out, model, readout, form, half, GridChoice(grid, side, window), device, dtype, overwrite
    )
    from densezero.jobs.features.grids import write_features

    shower = Shower()
    shower.summarise(write_features(settings, shower))


def _point(text: str) -> tuple[float, float]:
    """``X,Y`` as numbers."""
    from densezero.errors import InputError

    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"Expected --point as X,Y in pixels, for example --point 320,200; got {text!r}.") from None
    return x, y
