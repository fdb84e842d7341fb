"""Score maps for tests, and the slow way to their labels: every class upsampled densely by torch."""

import torch
import torch.nn.functional as F

from densezero.engine import Background, Protocol, window_boxes
from densezero.engine.labelling import LabelRule
from densezero.engine.score_map import ScoreMap
from densezero.images import Window
from densezero.vocabulary.text_bank import TextBank

TEMPERATURE = 0.01


def whole_map(grid):
    """A map that is the patch grid (gh, gw, K) itself."""
    hw = (grid.shape[0], grid.shape[1])
    return ScoreMap(grid[None].contiguous(), [Window(0, 0, *hw)], hw, softmax=False)


def one_row(values):
    """A map of one row: a list of scores for each class."""
    return whole_map(torch.tensor(values, dtype=torch.float32).T[None])


def windowed(channels, hw=(42, 56), seed=0, softmax=False, spread=0.1, side=28, stride=14, patches=2):
    """A map of random windows."""
    windows = window_boxes(*hw, side, stride)
    generator = torch.Generator().manual_seed(seed)
    return ScoreMap(
        spread * torch.randn(len(windows), patches, patches, channels, generator=generator), windows, hw, softmax
    )


def bank_of(class_of, classes=None):
    return TextBank(torch.zeros(len(class_of), 2), torch.tensor(class_of), classes or max(class_of) + 1)


def rule_of(protocol, class_of, background=None, classes=None):
    return LabelRule(protocol, bank_of(class_of, classes), background, TEMPERATURE)


def protocol_of(softmax=False, scale=None, threshold=0.0, min_area_share=0.0):
    return Protocol(
        "test", window_px=28, stride_px=14, window_scores="softmax" if softmax else "cosine", scale=scale,
        background=Background(threshold=threshold), min_area_share=min_area_share,
    )  # fmt: skip


def at_size(values, hw):
    """Resize planes (K, h, w)."""
    return F.interpolate(values[None], size=hw, mode="bilinear", align_corners=False)[0]


def oracle_scores(scores, hw, dtype=torch.float32):
    """Upsample every window densely, average, and resize to the image: (K, H, W)."""
    total = torch.zeros(scores.grids.shape[3], *scores.hw, dtype=dtype)
    count = torch.zeros(scores.hw, dtype=dtype)
    for grid, (top, left, bottom, right) in zip(scores.grids.to(dtype), scores.windows, strict=True):
        upsampled = at_size(grid.permute(2, 0, 1), (bottom - top, right - left))
        total[:, top:bottom, left:right] += upsampled.softmax(0) if scores.softmax else upsampled
        count[top:bottom, left:right] += 1
    return at_size(total / count, hw)


def oracle(scores, hw, rule):
    """Label densely: argmax, smallest area, threshold.

    Returns:
        (H, W) labels, and (H, W) True where the choice is clear: the two best scores differ by more than 1e-6 of the
        higher one, and the probability is not at the threshold. Nowhere, where near ties decide which class is small.
    """
    protocol, class_of = rule.protocol, rule.class_of_channel
    values = oracle_scores(scores, hw)  # (K, H, W)
    dropped = torch.zeros(rule.bank.classes).bool()
    if protocol.min_area_share:
        dropped, is_sure = small_classes(values, rule)
        if not is_sure:
            return torch.zeros(hw).long(), torch.zeros(hw).bool()
    allowed = values.masked_fill(dropped[class_of][:, None, None], -torch.inf)
    best, clear = allowed.argmax(0), is_clear(allowed)
    labels = class_of[best]
    if rule.background_index is not None:
        labels = labels.masked_fill(dropped[labels], rule.background_index)  # where every channel is dropped
    threshold = protocol.background.threshold
    if threshold and rule.background_index is not None:
        if protocol.scale is not None:
            logits = values * protocol.scale
        else:
            logits = (values.log() if scores.softmax else values) / rule.temperature
        confidence = logits.softmax(0).gather(0, best[None])[0]
        labels = labels.masked_fill(confidence < threshold, rule.background_index)
        clear &= (confidence - threshold).abs() > 1e-4
    return labels, clear


def is_clear(values):
    """(H, W) True where the two best of (K, H, W) differ by more than 1e-6 of the higher one."""
    if len(values) == 1:
        return torch.ones(values.shape[1:]).bool()
    best = values.topk(2, dim=0).values
    return best[0] - best[1] > 1e-6 * best[0].abs()


def small_classes(values, rule):
    """(C,) classes with too small an area, as SCLIP counts it, and whether no near tie changes that."""
    pixels = rule.class_of_channel[values.argmax(0)].flatten().bincount(minlength=rule.bank.classes)
    foreground = torch.arange(rule.bank.classes) != (-1 if rule.background_index is None else rule.background_index)
    limit = rule.protocol.min_area_share * pixels[foreground].sum()
    small = (pixels <= limit) & foreground
    is_sure = bool(((pixels - limit).abs() > 2 * int((~is_clear(values)).sum()))[foreground].all())
    return torch.zeros_like(small) if bool(small.all()) else small, is_sure
