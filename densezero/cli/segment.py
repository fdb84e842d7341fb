"""``densezero segment``: from images and words to masks."""

from __future__ import annotations

from typing import Annotated

import typer

from densezero.cli import options
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
            help=f"Pixels of the smallest object in coco-instances. [that of the file that is there, or {MIN_AREA_PX}]",
        ),
    ] = SegmentSettings.min_area_px,
    model: options.Model = SegmentSettings.model,
    protocol: Protocol = SegmentSettings.protocol,
    refine: Refine = SegmentSettings.refine,
    regions: options.Regions = SegmentSettings.regions,
    short_side: ShortSide = SegmentSettings.short_side_px,
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
        options.split_names(save, SegmentSettings.save), min_area, show_confidence, regions,
        tuple(example or ()), classifier,
    )  # fmt: skip
    from densezero.jobs.segment import segment_images

    shower = Shower(quiet=quiet, verbose=verbose)
    shower.summarise(segment_images(settings, shower))
