"""A Segmenter that labels by a trained decoder in place of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import plain_torch, to_numpy
from densezero.engine.protocol import Protocol
from densezero.engine.score_map import ScoreMap, vote
from densezero.engine.segmenter import Prepared, Scored, Segmenter
from densezero.heads.classes import require_classes
from densezero.heads.head import Head
from densezero.heads.names import DEFAULT_SIDE_PX, OFFICIAL, RATIO
from densezero.heads.predictor import DensePredictor
from densezero.heads.tasks import label_map
from densezero.images import resize_rgb
from densezero.images.region_maps import Regions, region_map
from densezero.images.windows import Window
from densezero.output.segmentation import Labels, Provenance
from densezero.vocabulary import Templates
from densezero.vocabulary.text_bank import TextBank

NO_TEMPLATES: Final = Templates("none, a trained head", ("{}",))


def head_protocol(preset: str = RATIO, side_px: int = DEFAULT_SIDE_PX) -> Protocol:
    """Describe how a head labels an image: the whole image at once; each pixel gets the class of the highest logit.

    Args:
        preset: ``"ratio"`` or ``"official"``, as in ``PRESETS``.
        side_px: short side of the model input, rounded to a multiple of the patch.
    """
    return Protocol(
        f"dpt-{OFFICIAL}" if preset == OFFICIAL else "dpt", side_px, rounding="nearest", window_px=None,
        readout="patch", window_scores="cosine", templates=NO_TEMPLATES.name,
    )  # fmt: skip


class HeadSegmenter(Segmenter):
    """Labels images by a segmentation head. Its scores are logits instead of cosines.

    Args:
        encoder: the one that the head was trained on.
        head: a segmentation head with ADE20K's classes.
        protocol: from ``head_protocol``.

    Raises:
        ModelError: if the head does not fit the encoder, or has other classes.
    """

    def __init__(self, encoder: DenseEncoder, head: Head, protocol: Protocol) -> None:
        classes = require_classes(head)
        self.head = head
        self.predictor = DensePredictor(encoder, head, protocol.short_side_px, protocol.name == f"dpt-{OFFICIAL}")
        channels = torch.arange(len(classes), device="cpu")  # each is a class
        bank = TextBank(torch.eye(len(classes), dtype=torch.float32, device="cpu"), channels, len(classes))
        super().__init__(encoder, classes, protocol, NO_TEMPLATES, text_embeddings=bank)
        self.rule = replace(self.rule, temperature=1.0)
        self.examples = ({"head": head.name, "head_sha256": head.weights_hash},)

    def prepare(self, rgb: NDArray[np.uint8], regions: Regions | None = None) -> Prepared:
        """Resize an image (H, W, 3) for the model. This does not use the model, so it may run in another thread."""
        plan = self.predictor.plan((int(rgb.shape[0]), int(rgb.shape[1])))
        painted = None if regions is None else region_map(regions, plan.image_hw)  # (H, W)
        return Prepared(plan.image_hw, resize_rgb(rgb, plan.input_hw), painted)

    def prepared_bytes(self, hw: tuple[int, int]) -> int:
        """Give the size of what ``prepare`` returns for an image of (H, W), bytes."""
        height, width = self.predictor.plan(hw).input_hw
        return 3 * height * width

    @plain_torch()
    def score(self, images: Sequence[Prepared]) -> list[Scored]:
        """Compute the logits of prepared images, at the decoder's size, then average them over regions."""
        encoded = self.predictor.encode([image.resized for image in images])
        scored = []
        for image, features in zip(images, encoded, strict=True):
            logits = self.head(self.predictor.choose(self.head, features))  # (1, C, h, w)
            grid = logits.permute(0, 2, 3, 1).contiguous()  # (1, h, w, C)
            hw = (grid.shape[1], grid.shape[2])
            scores = ScoreMap(grid, [Window(0, 0, *hw)], hw, softmax=False)
            scored.append(Scored(image.image_hw, vote(scores, image.regions)))
        return scored

    @plain_torch()
    def label(self, scored: Scored) -> Labels:
        """Label every pixel of a scored image: (H, W) uint8. Without regions it is what ``DensePredictor`` gives."""
        if type(scored.scores) is not ScoreMap:
            return super().label(scored)
        return to_numpy(label_map(scored.scores.grids[0].permute(2, 0, 1), scored.image_hw))  # (H, W)

    @cached_property
    def provenance(self) -> Provenance:
        """What every result of this segmenter is made with."""
        return replace(super().provenance, templates=NO_TEMPLATES.name, templates_sha256=NO_TEMPLATES.sha256)
