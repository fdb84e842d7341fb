"""Chooses the device, the numeric type and the batch size, and keeps the caller's torch settings away."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.errors import ModelError

DEVICES = ("auto", "cpu", "cuda", "mps")
WINDOW_PX = 448 * 448
WINDOWS_AT_ONCE, MOST_WINDOWS = 4, 64
WINDOWS_AN_IMAGE, MOST_IMAGES = 2, 16
CUDA_PX_BYTES = 500  # memory for a pixel in the largest published tower, with the scores of many words
# Parts of the messages of torch's allocators and libraries. CPUs and Apple GPUs raise a plain RuntimeError.
OUT_OF_MEMORY = ("out of memory", "allocate memory", "not enough memory", "STATUS_ALLOC_FAILED")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """Turn a device's name into a device; ``auto`` takes CUDA, else an Apple GPU, else the CPU.

    Raises:
        ModelError: for an unknown name, or a device that this machine does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", name, re.ASCII):
        raise ModelError(f"Expected a device out of {', '.join(DEVICES)} (or cuda:N); got {name!r}.")
    kind, _, index = name.partition(":")
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available[kind]:
        raise ModelError(f"Device {name!r} was asked for, but torch sees none here. Use --device auto or cpu.")
    if index and int(index) >= torch.cuda.device_count():
        raise ModelError(
            f"Device {name!r} was asked for; this machine has {torch.cuda.device_count()} CUDA devices, "
            "counted from cuda:0."
        )
    return torch.device(kind, int(index)) if index else torch.device(kind)


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """Turn a numeric type's name into a type.

    ``auto`` takes bfloat16 if the hardware computes in it, float16 on other CUDA devices, else float32.

    Raises:
        ModelError: for an unknown name.
    """
    if name == "auto":
        if _computes_bfloat16(device):
            return torch.bfloat16
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise ModelError(f"Expected a numeric type out of auto, {', '.join(DTYPES)}; got {name!r}.")
    return DTYPES[name]


def pixels_at_once(device: torch.device) -> int:
    """Choose the number of pixels to encode in one batch.

    A CPU reaches its full rate with four windows of 448 px; more only need more memory. A CUDA device gets as many
    windows as fit in a quarter of its free memory, at most 64. Free memory changes: call this once for an encoder.
    """
    if device.type != "cuda":
        return WINDOWS_AT_ONCE * WINDOW_PX
    free, _ = torch.cuda.mem_get_info(device)
    return min(max(free // 4 // CUDA_PX_BYTES, WINDOWS_AT_ONCE * WINDOW_PX), MOST_WINDOWS * WINDOW_PX)


def images_at_once(device: torch.device, batch_pixels: int) -> int:
    """Choose how many images of a folder share one batch of windows.

    On a CPU more than one image is no faster. The two or three windows of one image are too few for a GPU's full rate.

    Args:
        device: where the encoder computes.
        batch_pixels: number of pixels to encode in one batch.
    """
    if device.type == "cpu":
        return 1
    return min(max(batch_pixels // (WINDOWS_AN_IMAGE * WINDOW_PX), 1), MOST_IMAGES)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a CPU, a CUDA device or an Apple GPU."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(part in str(error) for part in OUT_OF_MEMORY)


def free_memory(device: torch.device) -> None:
    """Release the GPU memory that torch keeps for later use. On a CPU this does nothing."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


@contextmanager
def plain_torch(inference: bool = True) -> Iterator[None]:
    """Compute with torch's own defaults, whatever the caller has set: float32, CPU, no autocast, no gradients.

    Without this, a caller's ``torch.autocast``, ``set_default_dtype`` or ``set_default_device`` would change our
    numbers, or mix types and devices. Use it on every public function that computes: ``@plain_torch()``.

    Args:
        inference: use torch's inference mode. Use False to load weights: inference tensors can never be trained.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(inference))
        stack.enter_context(torch.no_grad())
        for kind in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0).device.type != "cpu":  # get_default_device fails in some versions of torch
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_FLOAT32_BY_DEFAULT)
        yield


class _Float32ByDefault:
    """Sets torch's default numeric type, which belongs to the whole process, while any thread computes.

    The first thread in changes it, and only if it must be changed; the last one out restores it.
    """

    def __init__(self) -> None:
        self._lock, self._threads, self._before = threading.Lock(), 0, torch.float32

    def __enter__(self) -> None:
        with self._lock:
            if not self._threads:
                self._before = torch.get_default_dtype()
            self._threads += 1
            if torch.get_default_dtype() != torch.float32:
                torch.set_default_dtype(torch.float32)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads and self._before != torch.float32:
                torch.set_default_dtype(self._before)


_FLOAT32_BY_DEFAULT = _Float32ByDefault()


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device. A copy to CUDA starts from pinned memory and does not block."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def upload_pixels(levels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Copy an image (h, w, 3) to a device as bytes, and scale it there: (1, 3, h, w) float32 in [0, 1]."""
    pixels = to_device(levels, device).permute(2, 0, 1)[None].to(torch.float32, memory_format=torch.contiguous_format)
    # With a Python number as the divisor, a GPU would multiply by 1 / 255, which rounds differently.
    return pixels.div_(torch.tensor(255, dtype=torch.float32, device=device))


def to_numpy(tensor: Tensor) -> NDArray[Any]:
    """Copy a tensor from its device into an array. A copy from CUDA goes into pinned memory."""
    if tensor.device.type != "cuda":
        return np.asarray(tensor.cpu().numpy())
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    pinned.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return np.asarray(pinned.numpy())


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # Without these instructions bfloat16 is emulated, which is slower than float32.
        supported = (
            getattr(torch.cpu, probe, None) for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
        return any(probe() for probe in supported if probe is not None)
    return False
