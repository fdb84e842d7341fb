"""Batches for pretraining: a pure function of seed and step, so that training can stop and go on, on any machines."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.errors import DenseZeroError, InputError
from densezero.pretrain.data.base import Sample, Skipped, Source
from densezero.pretrain.data.crops import random_box, resized_crop, resized_labels
from densezero.pretrain.data.masking import block_mask
from densezero.pretrain.settings import CaptionKind

GLOBAL_AREA: Final = (0.4, 1.0)  # share of the image in its global crop
LOCAL_AREA: Final = (0.05, 0.3)  # share of the image in each local crop
_ORDER, _ITEM, _PHRASES = 5, 6, 7  # second numbers of seeds
LABEL_STEP: Final = 4  # pixels for each label: finer ones cost time and say little more
_FEW = 4  # images of a batch that may be replaced, however small it is
_MOST_IN_A_ROW = 64  # samples that cannot be read, before the source is given up
_MOST_CHARACTERS: Final = 4096  # of a caption; what is after the first 64 pieces is not read, and would take time
_SIDES: Final = re.compile(r"\b(left|right)\b", re.IGNORECASE)


class PretrainBatch(NamedTuple):
    """A batch, or the part of one rank: B images in two kinds of crops, with two captions, and labels by choice.

    Args:
        pixels: (B, 3, s, s) float32 in [0, 1], the global crops.
        local: (B, M, 3, l, l) float32 in [0, 1], the local crops; M may be 0.
        mask: (B, P) bool, True where a patch of the global crop is masked; patches are in reading order.
        alt: a text from the web for each image.
        captions: a short or long description of each image.
        labels: (B, s / 4, s / 4) uint8 index into ``phrases``, of the global crops; (B, 0, 0) without labels.
        phrases: a phrase for each label.
    """

    pixels: Tensor
    local: Tensor
    mask: Tensor
    alt: list[str]
    captions: list[str]
    labels: Tensor
    phrases: list[str]


class _Item(NamedTuple):
    pixels: Tensor  # (3, s, s) uint8
    local: Tensor  # (M, 3, l, l) uint8
    mask: NDArray[np.bool_]
    alt: str
    caption: str
    labels: Tensor  # (s / 4, s / 4) uint8


class Batches:
    """Batches of a source. Each sample comes once in an epoch, in an order that depends on seed and epoch.

    A sample that cannot be read is replaced by the next one of the source, and named once in ``skipped``.

    Args:
        source: where the samples come from.
        seed: of all random choices.
        side_px: side of the global crops; a multiple of ``patch_px``.
        patch_px: side of a patch.
        batch: images of a whole batch, of all ranks together.
        mask_ratio: share of masked patches, 0 to 1.
        local_crops: local crops of each image.
        local_px: side of the local crops.
        caption_kind: which description is taken; ``both`` chooses one at random for each image.
        with_labels: whether to give the labels of the pixels, which only drawn scenes have.

    Raises:
        InputError: a setting is out of range, or the source has fewer samples than a batch.
    """

    def __init__(
        self,
        source: Source,
        *,
        seed: int,
        side_px: int,
        patch_px: int,
        batch: int,
        mask_ratio: float,
        local_crops: int,
        local_px: int,
        caption_kind: CaptionKind,
        with_labels: bool = False,
    ) -> None:
        if side_px < patch_px or side_px % patch_px:
            raise InputError(f"expected a side of whole patches of {patch_px} px, got {side_px} px")
        if not 0 <= mask_ratio <= 1:
            raise InputError(f"expected a mask ratio from 0 to 1, got {mask_ratio}")
        if caption_kind not in get_args(CaptionKind):
            raise InputError(f"expected short, long or both as the kind of captions, got {caption_kind!r}")
        if not 1 <= batch <= len(source):
            raise InputError(
                f"expected a batch of 1 to {len(source)} images, the samples of the source, got {batch}; make the "
                "batch smaller"
            )
        self.source, self.seed, self.batch = source, seed, batch
        self.side_px, self.grid = side_px, side_px // patch_px
        self.mask_ratio, self.caption_kind = mask_ratio, caption_kind
        self.local_crops, self.local_px, self.with_labels = local_crops, local_px, with_labels
        self.skipped = Skipped()
        self._named: set[int] = set()
        self._orders: dict[int, NDArray[np.int64]] = {}

    def at(self, step: int, rank: int = 0, ranks: int = 1) -> PretrainBatch:
        """Make the batch of a step, or the part of one of several ranks.

        The parts of all ranks together are the whole batch. The same step always gives the same batch.

        Args:
            step: from 0.
            rank: number of this process, from 0.
            ranks: number of processes; a divisor of the batch size.

        Raises:
            InputError: more than half of the images cannot be read, or the batch cannot be divided among the ranks.
        """
        if self.batch % ranks:
            raise InputError(f"expected a batch size that {ranks} ranks can share evenly, got {self.batch}")
        count = self.batch // ranks
        items: list[_Item] = []
        replaced = 0
        for position in range(rank * count, (rank + 1) * count):
            rng = np.random.default_rng((self.seed, _ITEM, step, position))
            sample, is_replaced = self._read(self._index(step * self.batch + position), rng)
            replaced += is_replaced
            if replaced > max(_FEW, count // 2):
                raise InputError(
                    f"expected images that can be read, but {replaced} of {len(items) + 1} cannot: "
                    + "; ".join(self.skipped.describe())
                )
            items.append(self._make_item(sample, rng))
        rng = np.random.default_rng((self.seed, _PHRASES, step))
        return _join(items, self.source.phrases(rng) if self.with_labels else [])

    def _index(self, number: int) -> int:
        """Return the index in the source of an image of the endless sequence of epochs."""
        epoch, place = divmod(number, len(self.source))
        if epoch not in self._orders:
            while len(self._orders) > 1:  # a batch touches two epochs at most
                del self._orders[min(self._orders)]
            rng = np.random.default_rng((self.seed, _ORDER, epoch))
            self._orders[epoch] = rng.permutation(len(self.source))
        return int(self._orders[epoch][place])

    def _read(self, index: int, rng: np.random.Generator) -> tuple[Sample, bool]:
        """Read a sample, or the next one that can be read. Also return whether it was replaced."""
        for offset in range(min(_MOST_IN_A_ROW, len(self.source))):
            wanted = (index + offset) % len(self.source)
            try:
                return self.source.read(wanted, rng), offset > 0
            except DenseZeroError as error:
                if wanted not in self._named:
                    self._named.add(wanted)
                    self.skipped.add(str(error), "cannot be read")
        raise InputError(
            "expected images that can be read, but all of many in a row cannot: " + "; ".join(self.skipped.describe())
        )

    def _make_item(self, sample: Sample, rng: np.random.Generator) -> _Item:
        alt, caption = self._choose_captions(sample, rng)
        may_flip = not _SIDES.search(f"{alt} {caption}")  # "left of" is false in a mirrored picture
        hw = sample.rgb.shape[:2]
        views = [(GLOBAL_AREA, self.side_px)] + [(LOCAL_AREA, self.local_px)] * self.local_crops
        boxes = [(random_box(rng, hw, area), side_px, may_flip and rng.random() < 0.5) for area, side_px in views]
        crops = [resized_crop(sample.rgb, box, side_px, flip) for box, side_px, flip in boxes]
        no_crops = torch.zeros((0, 3, self.local_px, self.local_px), dtype=torch.uint8)
        local = torch.stack(crops[1:]) if self.local_crops else no_crops
        labels = torch.zeros((0, 0), dtype=torch.uint8)
        if self.with_labels and sample.labels is not None:
            box, side_px, flip = boxes[0]
            labels = resized_labels(sample.labels, box, side_px // LABEL_STEP, flip)
        return _Item(crops[0], local, block_mask(rng, self.grid, self.grid, self.mask_ratio), alt, caption, labels)

    def _choose_captions(self, sample: Sample, rng: np.random.Generator) -> tuple[str, str]:
        """Choose alt text and description. Where one is missing, another text of the sample takes its place."""
        takes_long = rng.random() < 0.5 if self.caption_kind == "both" else self.caption_kind == "long"
        wanted, other = (sample.long, sample.short) if takes_long else (sample.short, sample.long)
        texts = sample.alt or sample.short or sample.long, wanted or other or sample.alt
        return texts[0][:_MOST_CHARACTERS], texts[1][:_MOST_CHARACTERS]


def _join(items: list[_Item], phrases: list[str]) -> PretrainBatch:
    return PretrainBatch(
        pixels=torch.stack([item.pixels for item in items]).float() / 255,
        local=torch.stack([item.local for item in items]).float() / 255,
        mask=torch.from_numpy(np.stack([item.mask.ravel() for item in items])),
        alt=[item.alt for item in items],
        captions=[item.caption for item in items],
        labels=torch.stack([item.labels for item in items]),
        phrases=phrases,
    )
