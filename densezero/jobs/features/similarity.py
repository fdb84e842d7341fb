"""Heat maps of images: the similarity of every patch to words, or to the patch at a point of the first image."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from densezero.encoders.base import DenseEncoder
from densezero.errors import FeatureError, ModelError
from densezero.features import upsample
from densezero.features.encoder_cache import EncoderCache
from densezero.features.figure.colours import check_colormap
from densezero.features.figure.heat import HeatRow, draw_heat, plan_heat
from densezero.features.figure.layout import FigurePlan, possible_files
from densezero.features.similarity import patch_at, share_of, vector_similarity
from densezero.features.sources import Source, shorten_models
from densezero.images import FoundImage, read_rgb, resize_rgb
from densezero.images.sizes import read_hw
from densezero.jobs.features.settings import SimilaritySettings
from densezero.jobs.places import find_inputs, refuse_foreign_files
from densezero.jobs.run import RunSummary, failure_sentence
from densezero.output.pages import write_pages
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener, Progress
from densezero.vocabulary import load_templates
from densezero.vocabulary.text_bank import build_text_bank


def draw_similarity(settings: SimilaritySettings, listener: Listener | None = None) -> RunSummary:
    """Draw the heat maps that are asked for: images in rows, texts and points in columns.

    Images that fail are named and left out.

    Raises:
        DenseZeroError: if the request cannot be met, or no image can be drawn; nothing is written then.
    """
    listener, settings = listener or Listener(), _with_layer_in_title(settings)
    images = find_inputs(settings.inputs, None, listener, Counter())
    check_colormap(settings.style.colormap)
    shares = tuple(share_of(point, read_hw(images[0].path)) for point in settings.points)
    captions = [*settings.texts, *(f"like ({x:g}, {y:g})" for x, y in settings.points)]
    plan = plan_heat([1.0] * len(images), captions, settings.style, each=settings.each)  # no row is taller than this
    files = possible_files(settings.out, len(plan.pages))
    refuse_unusable_outputs(settings.out, files, [image.path for image in images], is_folder=False)
    refuse_foreign_files(files, listener, overwrite=settings.overwrite)
    rows, failed = _make_rows(images, plan, _Maps(settings, shares, listener), listener)
    if not rows:
        raise FeatureError("No image can be drawn. " + " ".join(failed[:3]))
    ratios = [row.rgb.shape[0] / row.rgb.shape[1] for row in rows]
    plan = plan_heat(ratios, captions, settings.style, each=settings.each)
    form = settings.out.suffix.lower()[1:]
    contents = draw_heat(plan, rows, form, each=settings.each, alone=settings.alone)
    for note in write_pages(settings.out, contents):
        listener.note(note)
    return RunSummary(settings.out, len(rows), len(failed), 0)


def _with_layer_in_title(settings: SimilaritySettings) -> SimilaritySettings:
    """Name the layer above the figure, unless the user has given a title."""
    source = Source(settings.model, settings.readout, settings.layer)
    if source.layer is None or settings.style.title:
        return settings
    title = f"{shorten_models([source.model])[source.model]}, {source.output}"
    return replace(settings, style=replace(settings.style, title=title))


def _make_rows(
    images: Sequence[FoundImage], plan: FigurePlan, maps: _Maps, listener: Listener
) -> tuple[list[HeatRow], list[str]]:
    """Make the row of each image; give the sentences of those that fail as well."""
    rows: list[HeatRow] = []
    failed: list[str] = []
    began = time.perf_counter()
    for image in images:
        error = None
        try:
            rows.append(maps.of(image, plan))
        except Exception as reason:
            if maps.shares and not rows:
                raise  # the points lie in the first image
            error = failure_sentence(reason, image.path)
            failed.append(error)
        seconds = time.perf_counter() - began
        listener.image(Progress(str(image.relative), error, len(rows), len(failed), 0, len(images), seconds))
    return rows, failed


class _Maps:
    """Encodes images, and compares them with the texts and with patches of the first image."""

    def __init__(
        self, settings: SimilaritySettings, shares: tuple[tuple[float, float], ...], listener: Listener
    ) -> None:
        self.settings, self.shares = settings, shares
        templates = load_templates(settings.templates)
        self.encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
        self.source = Source(settings.model, settings.readout, settings.layer)
        self.encoders.check([self.source], listener.note)
        encoder = self.encoders.take(settings.model)
        _refuse_without_text(settings, encoder)
        bank = build_text_bank(encoder, [[text] for text in settings.texts], templates, listener.embedding)
        self.texts, self.patches = bank.vectors.cpu(), torch.empty(0)  # (N, D) each, the second after the first image

    def of(self, image: FoundImage, plan: FigurePlan) -> HeatRow:
        """Make the row of one image, at the size at which it is drawn."""
        rgb = read_rgb(image.path)  # (H, W, 3)
        grid = self.encoders.encode(self.source, rgb)  # (gh, gw, D)
        marks = () if len(self.patches) else self.shares
        if marks:
            self.patches = torch.stack([patch_at(grid, share) for share in marks])
        planes = [*vector_similarity(grid, self.texts), *vector_similarity(grid, self.patches)]
        drawn = resize_rgb(rgb, plan.picture_px((int(rgb.shape[0]), int(rgb.shape[1]))))
        return HeatRow(drawn, tuple(upsample(plane, self.settings.upsampler, rgb=drawn) for plane in planes), marks)


def _refuse_without_text(settings: SimilaritySettings, encoder: DenseEncoder) -> None:
    if settings.texts and not encoder.has_text:
        raise ModelError(
            f"{encoder.name} knows no words: it is an image encoder alone. Compare patches with --point X,Y, or take a "
            "model with text, such as tipsv2-l14."
        )
