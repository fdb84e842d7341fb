"""Heat maps of one image: the similarity of every patch to words, or to the patch at a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezero.errors import FeatureError, ModelError
from densezero.features import point_similarity, upsample
from densezero.features.encoder_cache import EncoderCache
from densezero.features.figure.heat import HeatMap, draw_heat_maps
from densezero.features.fitted import shrink
from densezero.features.sources import Source
from densezero.images import read_rgb
from densezero.jobs.features.settings import SimilaritySettings
from densezero.jobs.places import refuse_foreign_files
from densezero.jobs.progress import Listener
from densezero.output.atomic import write_bytes
from densezero.output.paths import refuse_unusable_outputs
from densezero.vocabulary import load_templates
from densezero.vocabulary.text_bank import build_text_bank, cosine


def draw_similarity(settings: SimilaritySettings, listener: Listener | None = None) -> None:
    """Draw the heat maps that are asked for into one figure.

    Raises:
        DenseZeroError: if the request cannot be met; nothing is written then.
    """
    listener = listener or Listener()
    refuse_unusable_outputs(settings.out, [settings.out], [settings.image], is_folder=False)
    refuse_foreign_files([settings.out], listener, overwrite=settings.overwrite)
    rgb = read_rgb(settings.image)  # (H, W, 3)
    shares = [_share(point, rgb.shape[0], rgb.shape[1]) for point in settings.points]
    templates = load_templates(settings.templates)
    encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
    source = Source(settings.model, settings.readout)
    encoders.check([source], listener.note)
    encoder = encoders.take(settings.model)
    if settings.texts and not encoder.has_text:
        raise ModelError(
            f"{encoder.name} knows no words: it is an image encoder alone. Compare patches with --point X,Y, or take a "
            "model with text, such as tipsv2-l14."
        )
    grid = encoders.encode(source, rgb)  # (gh, gw, D)
    bank = build_text_bank(encoder, [[text] for text in settings.texts], templates, listener.embedding)
    small = shrink(rgb)
    maps = [
        HeatMap(text, upsample(plane, settings.upsampler, rgb=small))
        for text, plane in zip(settings.texts, text_similarity(grid, bank.vectors), strict=True)
    ]
    for (x, y), share in zip(settings.points, shares, strict=True):
        plane = point_similarity(grid, share)  # (gh, gw)
        maps.append(HeatMap(f"like ({x:g}, {y:g})", upsample(plane, settings.upsampler, rgb=small)))
    form = settings.out.suffix.lower()[1:]
    content = draw_heat_maps(small, maps, each=settings.each, points_xy=shares, width_mm=settings.width_mm, form=form)
    write_bytes(settings.out, content)


def _share(point: tuple[float, float], height: int, width: int) -> tuple[float, float]:
    x, y = point
    if not (0 <= x < width and 0 <= y < height):
        raise FeatureError(f"Expected a point within the image, {width} x {height} pixels; got {x:g},{y:g}.")
    return (x + 0.5) / width, (y + 0.5) / height


def text_similarity(grid: Tensor, vectors: Tensor) -> list[NDArray[np.float32]]:
    """Cosine of (gh, gw, D) features with each of (N, D) text vectors: N planes (gh, gw)."""
    if not len(vectors):
        return []
    planes = cosine(grid[None], vectors.cpu())[0]  # (N, gh, gw)
    return list(planes.numpy())
