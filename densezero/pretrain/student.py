"""The model in training: both towers, the temperature, and the projection heads; and how a masked image is encoded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from densezero.encoders.positions import resize_positions
from densezero.encoders.tips.config import TextConfig, VisionConfig
from densezero.encoders.tips.text import TextTower
from densezero.encoders.tips.vision import PREFIX_TOKENS, VisionFeatures, VisionTower
from densezero.pretrain.heads import ProjectionHead
from densezero.pretrain.settings import ModelSettings, TeacherSettings

LEAST_TEMPERATURE = 0.01
FIRST_TEMPERATURE = 0.07
PIXEL_MEAN = 0.5
TEXT_GROUPS = 4


class Student(nn.Module):
    """Vision tower, text tower, temperature of the contrast, and a projection head each for patches and for crops.

    Args:
        model: sizes.
        teacher: sizes of the heads.
        vocab_size: pieces of the tokenizer.
    """

    def __init__(self, model: ModelSettings, teacher: TeacherSettings, vocab_size: int) -> None:
        super().__init__()
        width = model.width
        vision = VisionConfig(width, model.depth, model.heads, 4 * width, "mlp", model.patch_px, model.native_px)
        self.vision = VisionTower(vision)
        self.text = TextTower(TextConfig(width, model.text_depth, model.heads, 4 * width, vocab_size))
        self.log_temperature = nn.Parameter(torch.tensor(FIRST_TEMPERATURE).log())
        initialise(self.vision, self.text)
        sizes = (width, teacher.prototypes, teacher.hidden, teacher.bottleneck)
        self.heads = nn.ModuleDict({name: ProjectionHead(*sizes) for name in ("patches", "crops")})

    @property
    def temperature(self) -> Tensor:
        """Divisor of the cosines of the contrast, at least 0.01."""
        return self.log_temperature.exp().clamp(min=LEAST_TEMPERATURE)


def initialise(vision: VisionTower, text: TextTower) -> None:
    """Draw the first weights of both towers from torch's random numbers."""
    for module in (*vision.modules(), *text.modules()):
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.weight.shape[1] ** -0.5 * 0.6)
            nn.init.zeros_(module.bias)
    _centre_pixels(vision)
    for parameter in (vision.cls_token, vision.pos_embed, vision.register_tokens, vision.mask_token):
        nn.init.normal_(parameter, std=0.02)
    for name, parameter in text.named_parameters():
        if name.endswith("in_proj_weight"):
            nn.init.xavier_uniform_(parameter)
    nn.init.normal_(text.token_embedding.weight, std=text.config.width**-0.5)


@torch.no_grad()
def _centre_pixels(vision: VisionTower) -> None:
    """Let the patch projection start as if pixels had mean 0: else all patches begin nearly alike, and stay so."""
    projection = vision.patch_embed.proj
    nn.init.normal_(projection.weight, std=2 * projection.weight[0].numel() ** -0.5)
    assert projection.bias is not None, "the published layout has one"
    projection.bias.copy_(-PIXEL_MEAN * projection.weight.sum((1, 2, 3)))


def encode(vision: VisionTower, pixels: Tensor, mask: Tensor | None = None) -> VisionFeatures:
    """Encode images, with some patches replaced by the mask token.

    Args:
        vision: the tower.
        pixels: (B, 3, h, w) in [0, 1].
        mask: (B, P) bool, True where a patch is hidden, P patches in reading order; None hides none.

    Returns:
        Class tokens (B, 2, D) and grid (B, gh, gw, D), after the final norm, by the read-out ``patch``.
    """
    return vision.read_out(masked_trunk(vision, pixels, mask), vision.grid_hw(pixels), "patch")


def masked_trunk(vision: VisionTower, pixels: Tensor, mask: Tensor | None) -> Tensor:
    """Run all blocks but the last on images with hidden patches: tokens (B, 2 + P, D)."""
    tokens = vision.embed(pixels)  # (B, 2 + P, D)
    if mask is not None:
        side = vision.config.native_px // vision.config.patch_px
        positions = resize_positions(vision.pos_embed[0, 1:], (side, side), vision.grid_hw(pixels), "bilinear")
        hidden = (vision.mask_token + positions).to(tokens.dtype)  # (P, D)
        patches = torch.where(mask[..., None], hidden, tokens[:, PREFIX_TOKENS:])
        tokens = torch.cat([tokens[:, :PREFIX_TOKENS], patches], dim=1)
    for block in vision.blocks[:-1]:
        tokens = block(tokens)
    return tokens


def encode_texts(text: TextTower, ids: Tensor, paddings: Tensor) -> Tensor:
    """Encode texts in four groups of like length: the same embeddings, without the work on most of the padding.

    Args:
        text: the tower.
        ids: (N, T) piece ids.
        paddings: (N, T), 1 where a position is padding.

    Returns:
        (N, D) embeddings, in the order of the texts.
    """
    lengths = (paddings == 0).sum(1)  # (N,)
    order = lengths.argsort(stable=True)
    embeddings = []
    for rows in order.chunk(TEXT_GROUPS):
        longest = max(int(lengths[rows].max()), 1)
        embeddings.append(text(ids[rows, :longest], paddings[rows, :longest]))
    return torch.cat(embeddings)[order.argsort()]
