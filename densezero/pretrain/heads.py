"""The head that compares tokens with learnt prototypes, for the losses against a teacher."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Three linear layers with GELU between them, unit length, and the cosines with K learnt prototypes.

    Source: DINO (arXiv 2104.14294), section 3.2, with prototypes of unit length.

    Args:
        width: channels D of a token.
        prototypes: number K of prototypes.
        hidden: channels between the linear layers.
        bottleneck: channels of the unit vectors that are compared.
    """

    def __init__(self, width: int, prototypes: int, hidden: int = 2048, bottleneck: int = 256) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)
        self.apply(_initialise)

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute the cosines with the prototypes: (..., D) to (..., K) in [-1, 1]."""
        units = F.normalize(self.mlp(tokens).float(), dim=-1)  # (..., bottleneck)
        return F.linear(units, F.normalize(self.prototypes.weight.float(), dim=-1))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        # As long as the tokens: a short vector, made a unit, sends a huge gradient back into the towers.
        nn.init.normal_(module.weight, std=(2 / module.in_features) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
