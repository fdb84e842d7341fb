"""The losses of pretraining: images against captions, and patches against words, prototypes or a teacher.

The loss of image and caption with two class tokens is from TIPS (arXiv 2410.16512), section 3. The losses against a
teacher's prototypes are DINO (arXiv 2104.14294), iBOT (arXiv 2111.07832) and iBOT++ of TIPSv2 (arXiv 2604.12012).
``region_words`` is our own; it trains the embedded model.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def caption_contrast(
    images: Tensor,
    captions: Tensor,
    temperature: Tensor,
    *,
    all_images: Tensor | None = None,
    all_captions: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """InfoNCE over a batch: the mean of image to caption and caption to image.

    With c_ij the cosine of image i and caption j, the loss is the mean over the own rows i of
    ``-(log softmax_j(c_ij / t)[i] + log softmax_j(c_ji / t)[i]) / 2``.

    With R processes, j runs over the rows of all of them, and each process has B own rows. Gathered rows carry their
    gradient back to their owner (``Ranks.gather``); then the averages of losses and gradients over the processes are
    those of the whole batch.

    Source: TIPS (arXiv 2410.16512), section 3.

    Args:
        images: (B, D) class tokens.
        captions: (B, D) text embeddings; row b describes image b.
        temperature: scalar divisor t of the cosines.
        all_images: (R * B, D) class tokens of all processes; None for one process.
        all_captions: (R * B, D) text embeddings of all processes; give both or neither.
        first: row of the gathered ones at which the own rows begin.
    """
    own = torch.arange(first, first + len(images), device=images.device)
    forth = _cosines(images, captions if all_captions is None else all_captions) / temperature  # (B, R * B)
    back = _cosines(captions, images if all_images is None else all_images) / temperature
    return (F.cross_entropy(forth, own) + F.cross_entropy(back, own)) / 2


def two_token_contrast(
    cls: Tensor,
    alt: Tensor,
    caption: Tensor,
    temperature: Tensor,
    gather: Callable[[Tensor], Tensor] | None = None,
    rank: int = 0,
) -> Tensor:
    """Contrast of two class tokens with two texts: the mean of two InfoNCE losses.

    ``(caption_contrast(cls 1, alt) + caption_contrast(cls 2, caption)) / 2``. For several processes see
    ``caption_contrast``: average the losses and the gradients.

    Source: TIPS (arXiv 2410.16512), section 3; TIPSv2 (arXiv 2604.12012).

    Args:
        cls: (B, 2, D) class tokens.
        alt: (B, D) embeddings of the alt texts, for class token 1 (index 0).
        caption: (B, D) embeddings of the synthetic captions, for class token 2 (index 1).
        temperature: scalar divisor of the cosines.
        gather: gives the rows of all processes in the order of their ranks, with gradients: (B, 4, D) to
            (R * B, 4, D). None for one process. Every process has the same B.
        rank: place of this process in that order, from 0.
    """
    pairs = torch.stack([cls[:, 0], alt, cls[:, 1], caption], dim=1).float()  # (B, 4, D)
    everyone = (pairs if gather is None else gather(pairs)).unbind(1)
    own, first = pairs.unbind(1), rank * len(cls)
    losses = [
        caption_contrast(
            own[i], own[i + 1], temperature, all_images=everyone[i], all_captions=everyone[i + 1], first=first
        )
        for i in (0, 2)
    ]
    return (losses[0] + losses[1]) / 2


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosines (N, M) of the rows of (N, D) and (M, D), in float32 under autocast too."""
    with torch.autocast(a.device.type, enabled=False):  # bfloat16 has steps of 0.004, a published temperature
        return F.normalize(a.float(), dim=-1) @ F.normalize(b.float(), dim=-1).T


def sharpen(logits: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """Turn a teacher's logits into targets: ``softmax((logits - centre) / temperature)``, without a gradient.

    Centering keeps one prototype from taking all; a low temperature keeps the targets from becoming uniform.

    Source: DINO (arXiv 2104.14294), section 3.1.

    Args:
        logits: (..., K) of the teacher's head.
        centre: (K,) running mean of the teacher's logits; zeros for no centering.
        temperature: divisor, lower than the student's.

    Returns:
        (..., K) float32 in [0, 1]; the sum over K is 1.
    """
    return F.softmax((logits.detach().float() - centre.detach().float()) / temperature, dim=-1)


def move_centre(centre: Tensor, logits: Tensor, momentum: float) -> Tensor:
    """Compute the next centre: ``momentum * centre + (1 - momentum) * mean(logits)``, without a gradient.

    With several processes the caller averages the result over them. This is exact if all have equally many logits.

    Source: DINO (arXiv 2104.14294), section 3.1, equation 4.

    Args:
        centre: (K,) the present centre.
        logits: (..., K) of the teacher's head; the mean is over all axes but the last.
        momentum: share of the present centre that stays, in [0, 1].

    Returns:
        (K,) float32.
    """
    mean = logits.detach().float().reshape(-1, logits.shape[-1]).mean(0)
    return momentum * centre.detach().float() + (1 - momentum) * mean


def prototype_cross_entropy(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Cross-entropy over prototypes: ``-sum_k targets_k * log softmax(logits / temperature)_k``.

    Source: DINO (arXiv 2104.14294), section 3.1, equation 2.

    Args:
        logits: (..., K) of the student's head.
        targets: (..., K) from ``sharpen``; they get no gradient.
        temperature: divisor of the student's logits.

    Returns:
        (...) float32.
    """
    return -(targets.detach().float() * F.log_softmax(logits.float() / temperature, dim=-1)).sum(-1)


def dino(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Compare local crops with the whole image: the mean of the cross-entropy over crops and images.

    ``1 / (B M) sum_b sum_m H(targets_b, logits_bm)`` with H = ``prototype_cross_entropy``.

    Source: DINO (arXiv 2104.14294), section 3.1, equation 3, with local crops alone as in TIPS (arXiv 2410.16512).

    Args:
        logits: (B, M, K) of the student, for the class tokens of M local crops.
        targets: (B, K) of the teacher, for the class token of the whole image.
        temperature: divisor of the student's logits.
    """
    return prototype_cross_entropy(logits, targets[:, None], temperature).mean()


def ibot(logits: Tensor, targets: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Predict the teacher's prototypes of the masked patches.

    The mean over images b of ``1 / |M_b| sum_{p in M_b} H(targets_bp, logits_bp)`` with M_b the masked patches of the
    image and H = ``prototype_cross_entropy``. Images without a masked patch do not count. The loss is 0 if there is no
    masked patch; ``backward`` works then too.

    Source: iBOT (arXiv 2111.07832), section 3.

    Args:
        logits: (B, P, K) of the student, which sees the masked image.
        targets: (B, P, K) of the teacher, which sees the whole image.
        mask: (B, P) bool, True for a masked patch.
        temperature: divisor of the student's logits.
    """
    per_patch = prototype_cross_entropy(logits, targets, temperature)  # (B, P)
    masked = mask.sum(1)  # (B,)
    per_image = (per_patch * mask).sum(1) / masked.clamp(min=1)
    return per_image.sum() / (masked > 0).sum().clamp(min=1)


def ibot_plus_plus(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Predict the teacher's prototypes of all patches, masked or not.

    ``1 / (B P) sum_b sum_p H(targets_bp, logits_bp)`` with H = ``prototype_cross_entropy``. With every patch masked it
    equals ``ibot``. Patch distillation is this loss too: the student sees the image without a mask, and the teacher is
    frozen.

    Source: TIPSv2 (arXiv 2604.12012), section 3.

    Args:
        logits: (B, P, K) of the student.
        targets: (B, P, K) of the teacher, which sees the whole image.
        temperature: divisor of the student's logits.
    """
    return prototype_cross_entropy(logits, targets, temperature).mean()


def region_words(
    grid: Tensor,
    words: Tensor,
    labels: Tensor,
    temperature: Tensor,
    mean: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Cross-entropy between the pixels of labelled regions and their words, through the cosines of the patches.

    The cosines of patches and words are interpolated to the labels, as a mask is made. With n_c labels of concept c
    in the batch, a label of c weighs ``n_c ** -0.5``, so that small things count. Our own; close to supervision.

    Args:
        grid: (B, gh, gw, D) patch features.
        words: (C, D) text embeddings, one phrase for each concept.
        labels: (B, h, w) concept indices, at any resolution.
        temperature: scalar divisor of the cosines.
        mean: averages a tensor over the processes (``Ranks.mean``); None for one process. Then the averages of losses
            and gradients over the processes are those of the whole batch.
    """
    cosines = torch.einsum("byxd,cd->bcyx", F.normalize(grid.float(), dim=-1), F.normalize(words.float(), dim=-1))
    cosines = F.interpolate(cosines, labels.shape[1:], mode="bilinear", align_corners=False)  # (B, C, h, w)
    labels, mean = labels.long(), mean or (lambda tensor: tensor)
    counts = mean(labels.flatten().bincount(minlength=len(words)).float())  # (C,)
    weight = counts.clamp(min=1e-9) ** -0.5 * (counts > 0)
    per_label = F.cross_entropy(cosines / temperature, labels, weight, reduction="sum")
    return per_label / (counts * weight).sum()
