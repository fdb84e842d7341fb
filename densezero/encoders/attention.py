"""Attention, and the attention of each read-out in a last block, for the towers of every family.

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
PARTS = "qkv"  # in their order in a query-key-value layer
BUFFER_BYTES = 32 * 2**20  # of attention weights at once, in a buffer that every block reuses

_buffers = threading.local()


def mix_values(project: Callable[[str], Tensor], attention: str) -> Tensor:
    """Compute the attention of a read-out.

    Args:
        project: gives the queries, keys or values, (B, heads, N, d), for ``"q"``, ``"k"`` or ``"v"``. It is called only
            for those that the read-out needs.
        attention: ``"value"`` or a name of ``QUERIES_AND_KEYS``.

    Returns:
        (B, N, heads * d), before the attention's projection.
    """
    values = project("v")
    if attention == "value":
        return merge_heads(values)
    known = {"v": values}
    for part in QUERIES_AND_KEYS[attention]:
        if part not in known:
            known[part] = project(part)
    queries, keys = (known[part] for part in QUERIES_AND_KEYS[attention])
    return merge_heads(attend(queries, keys, values))


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Give softmax(q k^T / sqrt(d)) v, by the fastest way for the device and numeric type.

    In half precision on a CPU, three calls with a reused buffer take less than half the time of torch's fused
    attention. New memory for the weights would cost more than the products. Everywhere else torch's own is fastest.

    Args:
        queries: (B, heads, N, d).
        keys: (B, heads, M, d).
        values: (B, heads, M, d).

    Returns:
        (B, heads, N, d).
    """
    halves = queries.dtype in (torch.bfloat16, torch.float16)
    if queries.device.type == "cpu" and halves and not torch.is_grad_enabled():
        return attend_in_buffer(queries, keys, values)
    return F.scaled_dot_product_attention(queries, keys, values)


def attend_in_buffer(queries: Tensor, keys: Tensor, values: Tensor, buffer_bytes: int = BUFFER_BYTES) -> Tensor:
    """As ``attend``, for some heads and some queries at a time: as many as have their weights fit in the buffer."""
    batch, heads, count, depth = queries.shape
    row_bytes = keys.shape[2] * queries.dtype.itemsize
    rows = min(count, max(1, buffer_bytes // row_bytes))
    group = min(heads, max(1, buffer_bytes // (row_bytes * rows)))
    mixed = values.new_empty(batch, count, heads, depth).transpose(1, 2)  # in the memory order of merge_heads
    for image in range(batch):
        for head in range(0, heads, group):
            some = slice(head, head + group)
            columns, weighted = keys[image, some].transpose(1, 2), values[image, some]
            for row in range(0, count, rows):
                chosen = queries[image, some, row : row + rows]  # (group, rows, d)
                weights = _buffer(chosen.shape[0], chosen.shape[1], columns.shape[2], queries.dtype)
                torch.baddbmm(weights, chosen, columns, beta=0, alpha=depth**-0.5, out=weights)
                torch.softmax(weights, -1, out=weights)
                mixed[image, some, row : row + rows] = torch.bmm(weights, weighted)
    return mixed


def _buffer(group: int, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """(group, rows, columns) of this thread's buffer, with arbitrary contents."""
    size = group * rows * columns
    buffer: Tensor | None = getattr(_buffers, str(dtype), None)
    if buffer is None or buffer.numel() < size:
        with torch.inference_mode(False):  # a tensor made in inference mode cannot be written outside it
            buffer = torch.empty(size, dtype=dtype, device="cpu")
        setattr(_buffers, str(dtype), buffer)
    return buffer[:size].view(group, rows, columns)


def project_part(tokens: Tensor, weight: Tensor, bias: Tensor | None, part: str) -> Tensor:
    """Apply the query, key or value part of a query-key-value layer: (B, N, D) to (B, N, A).

    Args:
        tokens: (B, N, D).
        weight: (3 A, D), queries first, then keys, then values.
        bias: (3 A,), or None.
        part: ``"q"``, ``"k"`` or ``"v"``.
    """
    width, index = weight.shape[0] // 3, PARTS.index(part)
    rows = slice(index * width, (index + 1) * width)
    return linear(tokens, weight[rows], None if bias is None else bias[rows])


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Turn (B, N, heads * d) into (B, heads, N, d)."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)


def merge_heads(tokens: Tensor) -> Tensor:
    """Turn (B, heads, N, d) into (B, N, heads * d)."""
    return tokens.transpose(1, 2).flatten(2)
