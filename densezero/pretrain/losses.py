"""The losses of the small recipe: image against caption, and patch against the words of its regions.

The loss of image and caption with two class tokens is from TIPS (arXiv 2410.16512), section 3. The loss of patches is
our own; it replaces patch distillation, which needs a large teacher.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def caption_contrast(images: Tensor, captions: Tensor, temperature: Tensor) -> Tensor:
    """InfoNCE over a batch: the mean of image to caption and caption to image.

    Args:
        images: (B, D) class tokens.
        captions: (B, D) text embeddings; row b describes image b.
        temperature: scalar divisor of the cosines.
    """
    cosine = F.normalize(images.float(), dim=-1) @ F.normalize(captions.float(), dim=-1).T  # (B, B)
    own = torch.arange(len(cosine), device=cosine.device)
    logits = cosine / temperature
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def region_words(grid: Tensor, words: Tensor, shares: Tensor, weights: Tensor, temperature: Tensor) -> Tensor:
    """Cross-entropy between each patch and the words of the regions in it, averaged with weights.

    Args:
        grid: (B, gh, gw, D) patch features.
        words: (C, D) text embeddings, one phrase for each concept.
        shares: (B, gh, gw, C) share of the pixels of a patch that belong to each concept; the sum over C is 1.
        weights: (C,) weight of a patch that belongs to one concept alone.
        temperature: scalar divisor of the cosines.
    """
    cosine = F.normalize(grid.float(), dim=-1) @ F.normalize(words.float(), dim=-1).T  # (B, gh, gw, C)
    per_patch = -(shares * F.log_softmax(cosine / temperature, dim=-1)).sum(-1)
    weight = shares @ weights  # (B, gh, gw)
    return (per_patch * weight).sum() / weight.sum()


def patch_shares(labels: Tensor, concepts: int, patch_px: int) -> Tensor:
    """Compute the share of each concept in each patch: (B, h, w) labels to (B, h / patch, w / patch, C) shares."""
    batch, h, w = labels.shape
    gh, gw = h // patch_px, w // patch_px
    patches = labels.view(batch, gh, patch_px, gw, patch_px).transpose(2, 3).reshape(batch, gh, gw, -1).long()
    counts = torch.zeros(batch, gh, gw, concepts)
    return counts.scatter_add_(-1, patches, torch.ones_like(patches, dtype=torch.float32)) / patch_px**2
