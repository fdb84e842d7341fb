"""Attention, and what a read-out does inside that of a last block, for every tower alike.

Sources: value, MaskCLIP (arXiv 2112.01071); v-v, CLIP Surgery (arXiv 2304.05653); q-q and k-k, SCLIP
(arXiv 2312.01597); without residual and MLP, ClearCLIP (arXiv 2407.12442).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.products import linear

QUERIES_AND_KEYS = {"patch": ("q", "k"), "q-q": ("q", "q"), "k-k": ("k", "k"), "v-v": ("v", "v")}
THIRDS = {"q": 0, "k": 1, "v": 2}
KEPT_BYTES = 32 * 2**20  # of attention weights at once, in a buffer that is kept from block to block

_kept = threading.local()


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
    return merge_heads(attend(queries, keys, values))


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Mix values by softmax(q k^T / sqrt(d)), by the fastest way for their device and numeric type.

    In half precision on a processor, three calls into a kept buffer take less than half the time of torch's fused
    attention; fresh memory for the weights would cost more than the products. Everywhere else torch's own is fastest.

    Args:
        queries: (B, heads, N, d).
        keys: (B, heads, M, d).
        values: (B, heads, M, d).

    Returns:
        (B, heads, N, d).
    """
    halves = queries.dtype in (torch.bfloat16, torch.float16)
    if queries.device.type == "cpu" and halves and not torch.is_grad_enabled():
        return attend_in_kept_buffer(queries, keys, values)
    return F.scaled_dot_product_attention(queries, keys, values)


def attend_in_kept_buffer(queries: Tensor, keys: Tensor, values: Tensor, kept_bytes: int = KEPT_BYTES) -> Tensor:
    """As ``attend``: some heads and some queries at a time, so that their weights fit in the kept buffer."""
    batch, heads, count, depth = queries.shape
    row_bytes = keys.shape[2] * queries.dtype.itemsize
    rows = min(count, max(1, kept_bytes // row_bytes))
    group = min(heads, max(1, kept_bytes // (row_bytes * rows)))
    mixed = values.new_empty(batch, count, heads, depth).transpose(1, 2)  # as merge_heads wants it in memory
    for image in range(batch):
        for head in range(0, heads, group):
            some = slice(head, head + group)
            columns, weighted = keys[image, some].transpose(1, 2), values[image, some]
            for row in range(0, count, rows):
                asked = queries[image, some, row : row + rows]  # (group, rows, d)
                weights = _kept_buffer(asked.shape[0], asked.shape[1], columns.shape[2], queries.dtype)
                torch.baddbmm(weights, asked, columns, beta=0, alpha=depth**-0.5, out=weights)
                torch.softmax(weights, -1, out=weights)
                mixed[image, some, row : row + rows] = torch.bmm(weights, weighted)
    return mixed


def _kept_buffer(group: int, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """(group, rows, columns) of this thread's buffer; its contents are whatever was there."""
    size = group * rows * columns
    buffer: Tensor | None = getattr(_kept, str(dtype), None)
    if buffer is None or buffer.numel() < size:
        with torch.inference_mode(False):  # else it could be written in inference mode alone
            buffer = torch.empty(size, dtype=dtype)
        setattr(_kept, str(dtype), buffer)
    return buffer[:size].view(group, rows, columns)


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
    return linear(tokens, weight[rows], None if bias is None else bias[rows])


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Turn (B, N, heads * d) into (B, heads, N, d)."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(tokens: Tensor) -> Tensor:
    """Turn (B, heads, N, d) into (B, N, heads * d)."""
    return tokens.transpose(1, 2).flatten(2)
