"""What a read-out does inside the attention of a last block, for every tower alike.

Sources: value, MaskCLIP (arXiv 2112.01071); v-v, CLIP Surgery (arXiv 2304.05653); q-q and k-k, SCLIP
(arXiv 2312.01597); without residual and MLP, ClearCLIP (arXiv 2407.12442).
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

QUERIES_AND_KEYS = {"patch": ("q", "k"), "q-q": ("q", "q"), "k-k": ("k", "k"), "v-v": ("v", "v")}
THIRDS = {"q": 0, "k": 1, "v": 2}


def mix_values(project: Callable[[str], Tensor], mixing: str) -> Tensor:
    """Mix the values of tokens as a read-out says.

    Args:
        project: gives the queries, keys or values, (B, heads, N, d), for ``"q"``, ``"k"`` or ``"v"``; only those that
            the read-out needs are asked for.
        mixing: ``"value"`` or a name of ``QUERIES_AND_KEYS``.

    Returns:
        (B, N, heads * d), before the attention's projection.
    """
    values = project("v")
    if mixing == "value":
        return merge_heads(values)
    known = {"v": values}
    for part in QUERIES_AND_KEYS[mixing]:
        if part not in known:
            known[part] = project(part)
    queries, keys = (known[part] for part in QUERIES_AND_KEYS[mixing])
    return merge_heads(F.scaled_dot_product_attention(queries, keys, values))


def project_third(tokens: Tensor, weight: Tensor, bias: Tensor | None, part: str) -> Tensor:
    """Apply one third of a packed query-key-value layer: (B, N, D) to (B, N, A).

    Args:
        tokens: (B, N, D).
        weight: (3 A, D), queries first, then keys, then values.
        bias: (3 A,), or None.
        part: ``"q"``, ``"k"`` or ``"v"``.
    """
    width, third = weight.shape[0] // 3, THIRDS[part]
    rows = slice(third * width, (third + 1) * width)
    return F.linear(tokens, weight[rows], None if bias is None else bias[rows])


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Turn (B, N, heads * d) into (B, heads, N, d)."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(tokens: Tensor) -> Tensor:
    """Turn (B, heads, N, d) into (B, N, heads * d)."""
    return tokens.transpose(1, 2).flatten(2)
