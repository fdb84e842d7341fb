"""``densezero segment``: from images and words to masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli.show import Shower
from densezero.jobs.settings import SegmentSettings


def segment(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Image files and folders; folders are searched recursively."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    classes: Annotated[
        str | None,
        typer.Option("--classes", "-c", help='Class names: "sky, grass, boat=sailing ship|yacht".'),
    ] = SegmentSettings.classes,
    vocabulary: Annotated[
        str | None, typer.Option(help="A packaged class list (see `densezero vocabularies list`), or a file.")
    ] = SegmentSettings.vocabulary,
    model: Annotated[
        str, typer.Option("--model", "-m", help="A model (see `densezero models list`), a folder, or a *_vision.npz.")
    ] = SegmentSettings.model,
    save: Annotated[
        str, typer.Option(help="What to write, out of: labels, overlay, coco, polygons, scores, csv.")
    ] = ",".join(SegmentSettings.save),
    protocol: Annotated[
        str, typer.Option(help="tips-slide, tips-simple, ovss, ovss-naclip, ovss-clearclip or ovss-proxyclip.")
    ] = SegmentSettings.protocol,
    templates: Annotated[
        str | None,
        typer.Option(help="Prompt templates: tcl9, imagenet80, imagenet7, plain, or a file. [the protocol's]"),
    ] = SegmentSettings.templates,
    short_side: Annotated[
        int | None, typer.Option(help="Short side of the model input, pixels. [the protocol's]")
    ] = SegmentSettings.short_side_px,
    background_word: Annotated[
        list[str] | None, typer.Option(help="Add a class called background with this word; may be repeated.")
    ] = None,
    background_threshold: Annotated[
        float | None,
        typer.Option(help="Pixels whose best class has a lower probability become background. [the protocol's]"),
    ] = SegmentSettings.background_threshold,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = SegmentSettings.device,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = SegmentSettings.dtype,
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--resume", help="Do again what an earlier run has written, or go on from it.")
    ] = SegmentSettings.overwrite,
) -> None:
    """Segment images with class names: label maps, overlays and more into a folder.

    Example: densezero segment photos --classes "sky, grass, boat=sailing ship|yacht" --out masks
    """
    formats = tuple(name.strip() for name in save.split(",") if name.strip())
    words = tuple(background_word or ())
    settings = SegmentSettings(
        tuple(inputs), out, classes, vocabulary, model, protocol, templates, short_side, words, background_threshold,
        formats, device, dtype, overwrite,
    )  # fmt: skip
    from densezero.jobs.segment import segment_images

    shower = Shower()
    shower.summarise(segment_images(settings, shower))
