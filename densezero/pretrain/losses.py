"""The losses of the small recipe: contrast of image and caption, and the words of each region for its patches.

Source of the contrast with two class tokens: TIPS (arXiv 2410.16512), section 3. The region term is ours; it takes
the place of patch distillation, which needs a large teacher.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def caption_contrast(images: Tensor, captions: Tensor, temperature: Tensor) -> Tensor:
    """InfoNCE over a batch, both ways.

    Args:
        images: (B, D) class tokens.
        captions: (B, D) text embeddings; row b describes image b.
        temperature: scalar that divides the cosines.
    """
    cosine = F.normalize(images.float(), dim=-1) @ F.normalize(captions.float(), dim=-1).T  # (B, B)
    own = torch.arange(len(cosine), device=cosine.device)
    logits = cosine / temperature
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def region_words(grid: Tensor, words: Tensor, shares: Tensor, weights: Tensor, temperature: Tensor) -> Tensor:
    """Cross-entropy of each patch against the words of the regions that it shows.

    Args:
        grid: (B, gh, gw, D) patch features.
        words: (C, D) text embeddings, one phrase for each concept.
        shares: (B, gh, gw, C) share of the patch's pixels that each concept covers; they add up to 1.
        weights: (C,) weight of a patch that shows only this concept.
        temperature: scalar that divides the cosines.
    """
    cosine = F.normalize(grid.float(), dim=-1) @ F.normalize(words.float(), dim=-1).T  # (B, gh, gw, C)
    per_patch = -(shares * F.log_softmax(cosine / temperature, dim=-1)).sum(-1)
    weight = shares @ weights  # (B, gh, gw)
    return (per_patch * weight).sum() / weight.sum()


def patch_shares(labels: Tensor, concepts: int, patch_px: int) -> Tensor:
    """Count label maps into patches: (B, h, w) integers to (B, h / patch, w / patch, C) shares."""
    batch, h, w = labels.shape
    gh, gw = h // patch_px, w // patch_px
    patches = labels.view(batch, gh, patch_px, gw, patch_px).transpose(2, 3).reshape(batch, gh, gw, -1).long()
    counts = torch.zeros(batch, gh, gw, concepts)
    return counts.scatter_add_(-1, patches, torch.ones_like(patches, dtype=torch.float32)) / patch_px**2
