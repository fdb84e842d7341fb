"""``densezero segment``: from images and words to masks."""

from __future__ import annotations

from typing import Annotated

import typer

from densezero.cli import map_options, options
from densezero.cli.head_options import Head, Preset
from densezero.cli.like import is_given
from densezero.cli.protocol_options import Protocol, Refine, ShortSide, Templates
from densezero.cli.show import Shower
from densezero.jobs.settings import SegmentSettings
from densezero.output.formats import MIN_AREA_PX, NAMES
from densezero.vocabulary.catalog import CATALOG

WORDS = options.WORDS


def segment(
    context: typer.Context,
    out: options.OutFolder,
    inputs: options.Inputs = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes", "-c", rich_help_panel=WORDS, help='Class names: "sky, grass, boat=sailing ship|yacht".'
        ),
    ] = SegmentSettings.classes,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=WORDS,
            autocompletion=options.starting_with(CATALOG),
            help="A packaged class list (see `densezero vocabularies list`), or a file. In place of --classes.",
        ),
    ] = SegmentSettings.vocabulary,
    example: options.Example = None,
    classifier: options.Classifier = SegmentSettings.classifier,
    head: Head = SegmentSettings.head,
    templates: Templates = SegmentSettings.templates,
    background: options.Background = SegmentSettings.background,
    background_threshold: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=WORDS,
            help="Pixels whose best class has a lower probability become background. [the protocol's]",
        ),
    ] = SegmentSettings.background_threshold,
    unknown: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=WORDS,
            help="Pixels whose best class has a lower probability become unknown, a last class. [off]",
        ),
    ] = SegmentSettings.unknown,
    show_confidence: Annotated[
        bool,
        typer.Option(
            "--show-confidence",
            rich_help_panel=WORDS,
            help="Print how sure the pixels are, to choose one of these probabilities from.",
        ),
    ] = SegmentSettings.show_confidence,
    save: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            autocompletion=options.starting_with(NAMES),
            help=f"What to write: {', '.join(NAMES)}. `densezero formats list` describes each. "
            f"[default: {','.join(SegmentSettings.save)}]",
        ),
    ] = None,
    min_area: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pixels of the smallest object in coco-instances and coco-instances-polygons. "
            f"[that of the file that is there, or {MIN_AREA_PX}]",
        ),
    ] = SegmentSettings.min_area_px,
    model: options.Model = SegmentSettings.model,
    protocol: Protocol = SegmentSettings.protocol,
    refine: Refine = SegmentSettings.refine,
    regions: options.Regions = SegmentSettings.regions,
    short_side: ShortSide = SegmentSettings.short_side_px,
    preset: Preset = SegmentSettings.preset,
    video: Annotated[
        bool,
        typer.Option(
            "--video",
            rich_help_panel=options.FILM,
            help="INPUT is one film, or a folder of frames in their order. Writes files for each frame, and the "
            "overlay as one film.",
        ),
    ] = SegmentSettings.video,
    smooth: Annotated[
        float,
        typer.Option(
            metavar="S",
            rich_help_panel=options.FILM,
            help="Steady the masks: scores of a frame = (1 - S) x its own + S x those of the frame before, smoothed "
            "likewise. Below 1; 0 is off.",
        ),
    ] = SegmentSettings.smooth,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", rich_help_panel=options.FILM, help="Take the first of each N frames.")
    ] = SegmentSettings.every,
    rate: Annotated[
        float, typer.Option(rich_help_panel=options.FILM, help="Frames a second of a folder of frames.")
    ] = SegmentSettings.rate,
    native: map_options.Native = SegmentSettings.native,
    bands: map_options.Bands = SegmentSettings.bands,
    value_range: map_options.ValueRange = SegmentSettings.value_range,
    crs: map_options.Crs = SegmentSettings.crs,
    device: options.Device = SegmentSettings.device,
    dtype: options.Dtype = SegmentSettings.dtype,
    images: options.Images = SegmentSettings.images,
    like: options.Like = None,
    overwrite: options.Overwrite = SegmentSettings.overwrite,
    keep_suffix: options.KeepSuffix = SegmentSettings.keep_suffix,
    dry_run: options.DryRun = SegmentSettings.dry_run,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Segment images with class names: label maps, overlays and more into a folder.

    Example: densezero segment photos --classes "sky, grass, boat=sailing ship|yacht" --out masks
    """
    if like is not None:
        vocabulary = None if is_given(context, "classes") and not is_given(context, "vocabulary") else vocabulary
        classes = None if is_given(context, "vocabulary") and not is_given(context, "classes") else classes
    settings = SegmentSettings(
        tuple(inputs or ()), out, device, dtype, overwrite, images, keep_suffix, dry_run, classes, vocabulary, model,
        protocol, templates, short_side, background, background_threshold, unknown, refine,
        options.split_names(save, map_options.NATIVE_SAVE if native else SegmentSettings.save), min_area,
        show_confidence, regions,
        tuple(example or ()), classifier, video=video, smooth=smooth, every=every, rate=rate,
        head=head, preset=preset, native=native, bands=bands, value_range=value_range, crs=crs,
    )  # fmt: skip
    shower = Shower(quiet=quiet, verbose=verbose)
    if settings.video:
        from densezero.jobs.video import segment_video

        shower.summarise(segment_video(settings, shower))
        return
    if settings.native:
        from densezero.jobs.native import segment_scenes

        shower.summarise(segment_scenes(settings, shower))
        return
    from densezero.jobs.segment import segment_images

    shower.summarise(segment_images(settings, shower))
