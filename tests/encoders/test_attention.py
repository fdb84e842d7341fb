"""Attention in the reused buffer: the numbers of its definition, and nothing left over from an earlier call."""

import threading

import pytest
import torch

from densezero.encoders import attention
from densezero.encoders.attention import attend, attend_in_buffer


def attention_by_definition(q, k, v):
    return ((q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5).softmax(-1) @ v


@pytest.mark.parametrize("buffer_bytes", [1, 4 * 9 * 4, 2**20])
@torch.inference_mode()
def test_attention_in_the_buffer_equals_its_definition(buffer_bytes):
    q, k, v = torch.randn(2, 3, 7, 8), torch.randn(2, 3, 9, 8), torch.randn(2, 3, 9, 8)
    found = attend_in_buffer(q, k, v, buffer_bytes)
    torch.testing.assert_close(found, attention_by_definition(q, k, v), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_attention_stays_near_double_precision(dtype):
    q, k, v = (torch.randn(1, 2, 40, 16, dtype=torch.float64) for _ in range(3))
    with torch.inference_mode():
        found = attend(*(part.to(dtype) for part in (q, k, v)))
    assert found.dtype == dtype
    assert (found.double() - attention_by_definition(q, k, v)).abs().max() < 0.05


@torch.inference_mode()
def test_what_an_earlier_block_left_in_the_buffer_is_never_seen():
    q, k, v = (torch.randn(1, 2, 5, 4) for _ in range(3))
    attend_in_buffer(torch.full((1, 2, 5, 4), torch.nan), k, v)
    assert attend_in_buffer(q, k, v).isfinite().all()


def test_every_thread_has_a_buffer_of_its_own():
    seen = []

    def look():
        attend_in_buffer(*(torch.randn(1, 1, 2, 4) for _ in range(3)))
        seen.append(getattr(attention._buffers, "torch.float32").data_ptr())

    with torch.inference_mode():
        attend_in_buffer(*(torch.randn(1, 1, 2, 4) for _ in range(3)))
    mine = getattr(attention._buffers, "torch.float32")
    thread = threading.Thread(target=look)
    with torch.no_grad():
        look()
        thread.start()
        thread.join()
    assert seen[0] == mine.data_ptr() != seen[1]


def test_gradients_flow_through_attention_in_training():
    q = torch.randn(1, 1, 3, 4, dtype=torch.bfloat16, requires_grad=True)
    attend(q, q, q).sum().backward()
    assert q.grad is not None
