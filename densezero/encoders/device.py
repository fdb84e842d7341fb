"""Where to compute, and in which numeric type: the only place that decides."""

from __future__ import annotations

import re

import torch

from densezero.errors import ModelError

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """Turn a device's name into a device; ``auto`` takes CUDA, then an Apple GPU, then the processor.

    Raises:
        ModelError: for an unknown name or a device that this machine lacks.
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
    """Turn a numeric type's name into a type; ``auto`` takes bfloat16 where the hardware computes in it.

    Raises:
        ModelError: for an unknown name.
    """
    if name == "auto":
        return torch.bfloat16 if _computes_bfloat16(device) else torch.float32
    if name not in DTYPES:
        raise ModelError(f"Expected a numeric type out of auto, {', '.join(DTYPES)}; got {name!r}.")
    return DTYPES[name]


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # Emulated bfloat16 is slower than float32, so only processors with the instructions count.
        supported = (
            getattr(torch.cpu, probe, None) for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
        return any(probe() for probe in supported if probe is not None)
    return False
