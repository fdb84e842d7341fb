"""Pretraining data: sources of images with captions, and batches of crops with masks."""

from densezero.pretrain.data.base import Sample, Skipped, Source
from densezero.pretrain.data.batches import Batches, PretrainBatch
from densezero.pretrain.data.folder import FolderSource
from densezero.pretrain.data.masking import block_mask
from densezero.pretrain.data.scenes import SceneSource
from densezero.pretrain.data.shards import ShardSource

__all__ = [
    "Batches",
    "FolderSource",
    "PretrainBatch",
    "Sample",
    "SceneSource",
    "ShardSource",
    "Skipped",
    "Source",
    "block_mask",
]
