"""Score maps like those of photographs, and labels by way of every channel."""

import torch
import torch.nn.functional as F

from densezero.engine import Protocol, window_boxes
from densezero.engine.labelling import LabelRule, label_map
from densezero.engine.scores import BlendedScores, GridScores
from densezero.engine.upsample import Span
from densezero.vocabulary.text_bank import TextBank

SIMPLE = Protocol("simple", window_px=None, window_scores="cosine")
SIZES = [(97, 130), (5, 7), (64, 1), (1, 90), (300, 41)]


def smooth(words, gh, gw, seed=0, spread=0.2):
    """Cosines that change slowly from patch to patch, as those of photographs do."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, words, max(gh // 6, 1), max(gw // 6, 1), generator=generator)
    fine = 0.05 * torch.randn(words, gh, gw, generator=generator)
    return spread * (F.interpolate(coarse, size=(gh, gw), mode="bilinear", align_corners=False)[0] + fine)


def whole_image(words, seed=0):
    return GridScores(smooth(words, 9, 12, seed))


def windowed(words, seed=0, softmax=True, stride=21):
    windows = window_boxes(75, 96, 56, stride)
    grids = torch.stack([smooth(words, 8, 8, seed + index) for index in range(len(windows))])
    return BlendedScores(grids, windows, (75, 96), softmax)


def labels_of(scores, hw):
    bank = TextBank(torch.zeros(scores.channels, 2), torch.arange(scores.channels), scores.channels)
    return label_map(scores, hw, LabelRule(SIMPLE, bank, None, None))


def agreeing(words):
    """Windows that see nearly the same scores where they overlap."""
    windows = window_boxes(70, 140, 70, 42)
    field = F.interpolate(smooth(words, 5, 10)[None], size=(70, 140), mode="bilinear", align_corners=False)
    crops = [field[:, :, box.top : box.bottom, box.left : box.right] for box in windows]
    grids = torch.cat([F.interpolate(crop, size=(5, 5), mode="area") for crop in crops])
    return BlendedScores(grids, windows, (70, 140), softmax=True)


def labels_of_all_channels(scores, hw):
    return scores.resized(Span(0, hw[0]), Span(0, hw[1]), hw).argmax(0)
