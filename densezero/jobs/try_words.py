"""Segments one image in several ways, and draws them side by side."""

from __future__ import annotations

from itertools import product

from densezero.encoders.catalog import load_encoder
from densezero.engine import Segmenter
from densezero.engine.presets import protocol_for, with_changes
from densezero.evaluation.side_by_side import (
    RememberedEncoder,
    Variant,
    draw_side_by_side,
    make_variants,
    share_as_first,
)
from densezero.evaluation.try_settings import MOST_VARIANTS, TrySettings
from densezero.features.figure.layout import possible_files
from densezero.images import read_rgb
from densezero.jobs.places import refuse_foreign_files
from densezero.jobs.run import RunSummary
from densezero.output.areas import class_pixels
from densezero.output.pages import write_pages
from densezero.output.paths import refuse_unusable_outputs
from densezero.output.segmentation import Segmentation
from densezero.progress import Listener
from densezero.vocabulary import load_class_list, load_templates, parse_inline


def try_words(settings: TrySettings, listener: Listener | None = None) -> RunSummary:
    """Segment the image with every list, protocol and refinement, draw the masks, and tell the share of each class.

    For each way but the first, the listener also hears the share of pixels with the same class as in the first.

    The encoder runs once for every size and read-out that the protocols ask for.

    Raises:
        DenseZeroError: if the request cannot be met; nothing is written then.
    """
    listener = listener or Listener()
    files = possible_files(settings.out, MOST_VARIANTS)
    refuse_unusable_outputs(settings.out, files, [settings.image], is_folder=False)
    refuse_foreign_files(files[:1], listener, overwrite=settings.overwrite)
    variants = _variants(settings)
    rgb = read_rgb(settings.image)  # (H, W, 3)
    loaded = load_encoder(settings.model, settings.device, settings.dtype)
    if loaded.note:
        listener.note(loaded.note)
    encoder, results = RememberedEncoder.of(loaded), []
    for variant in variants:
        templates = load_templates(settings.templates or variant.protocol.templates)
        segmenter = Segmenter(encoder, variant.classes, variant.protocol, templates, listener.embedding)
        results.append(segmenter.segment(rgb))
        listener.result(f"{variant.title}\n  {_shares(results[-1])}")
        if len(results) > 1:
            share = share_as_first(results[0], results[-1])
            listener.result(f"  the same class as in the first: {100 * share:.1f} % of the pixels")
    contents = draw_side_by_side(rgb, variants, results, settings.out.suffix.lower()[1:], settings.dpi)
    for note in write_pages(settings.out, contents):
        listener.note(note)
    return RunSummary(settings.out, 1, 0, 0)


def _variants(settings: TrySettings) -> list[Variant]:
    lists = [*map(parse_inline, settings.classes), *map(load_class_list, settings.vocabularies)]
    return make_variants(
        [
            (classes, with_changes(protocol_for(classes, name), settings.short_side_px, refine=how))
            for classes, name, how in product(lists, settings.protocols, settings.refine or (None,))
        ]
    )


def _shares(result: Segmentation) -> str:
    """The classes of an image with the share of its pixels, the largest first."""
    pixels = class_pixels(result.labels, len(result.classes))
    names = result.classes.names
    ordered = sorted(pixels.items(), key=lambda item: -item[1])
    return ", ".join(f"{names[index]} {100 * count / result.labels.size:.1f} %" for index, count in ordered)
