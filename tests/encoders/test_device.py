"""Where to compute and in which numeric type, on machines of several kinds."""

import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from densezero.encoders.device import (
    free_memory,
    images_at_once,
    is_out_of_memory,
    pick_device,
    pick_dtype,
    pixels_at_once,
    plain_torch,
    to_device,
    to_numpy,
)
from densezero.errors import ModelError
from tests.conftest import callers_torch_settings


@pytest.fixture
def machine(monkeypatch):
    """Make torch see a machine with so many CUDA devices, and an Apple GPU or none."""

    def build(cuda=0, mps=False, bfloat16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bfloat16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return build


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(2, True, "cuda"), (1, False, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_takes_cuda_then_an_apple_gpu_then_the_processor(machine, cuda, mps, expected):
    machine(cuda=cuda, mps=mps)
    assert pick_device() == pick_device("auto") == torch.device(expected)


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1", "mps"])
def test_a_named_device_is_taken_where_the_machine_has_it(machine, name):
    machine(cuda=2, mps=True)
    assert pick_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_the_machine_lacks_is_refused_with_a_way_out(machine, name):
    machine()
    with pytest.raises(ModelError, match=rf"'{name}' was asked for.* Use --device auto or cpu"):
        pick_device(name)


@pytest.mark.parametrize("name", ["cuda:2", "cuda:300", "cuda:999"])
def test_a_cuda_number_above_the_last_is_refused(machine, name):
    machine(cuda=2)
    with pytest.raises(ModelError, match=rf"'{name}' was asked for; this machine has 2 CUDA devices, counted from"):
        pick_device(name)


@pytest.mark.parametrize(
    "name",
    ["", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:0:1", "cuda:1000000", "cuda:٣", "auto:1", "cpu:1", "meta"],
)
def test_any_other_word_is_refused_with_those_that_are_known(machine, name):
    machine(cuda=2, mps=True)
    with pytest.raises(ModelError, match="Expected a device out of auto, cpu, cuda, mps") as caught:
        pick_device(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)]
)
def test_a_named_numeric_type_is_taken_on_every_device(name, expected):
    assert pick_dtype(name, torch.device("cpu")) == pick_dtype(name, torch.device("cuda")) == expected


@pytest.mark.parametrize("name", ["", "float64", "Float32", "int8", "half"])
def test_an_unknown_numeric_type_is_refused_with_those_that_are_known(name):
    with pytest.raises(ModelError, match="out of auto, float32, bfloat16, float16; got ") as caught:
        pick_dtype(name, torch.device("cpu"))
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(("bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_computes_in_half_precision_on_cuda_devices(machine, bfloat16, expected):
    machine(cuda=1, bfloat16=bfloat16)
    assert pick_dtype("auto", torch.device("cuda")) == expected


@pytest.mark.parametrize(("free_gb", "windows"), [(1, 4), (16, 39), (80, 64)])
def test_a_cuda_device_takes_as_many_windows_as_its_memory_holds(monkeypatch, free_gb, windows):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free_gb * 10**9, 90 * 10**9))
    assert pixels_at_once(torch.device("cuda")) // (448 * 448) == windows
    assert pixels_at_once(torch.device("cpu")) // (448 * 448) == 4


@pytest.mark.parametrize(("free_gb", "images"), [(1, 2), (8, 9), (80, 16)])
def test_a_cuda_device_takes_as_many_images_as_fill_a_batch_of_windows(monkeypatch, free_gb, images):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free_gb * 10**9, 90 * 10**9))
    device = torch.device("cuda")
    assert images_at_once(device, pixels_at_once(device)) == images


def test_a_processor_takes_images_one_by_one_and_an_apple_gpu_two():
    for kind, images in (("cpu", 1), ("mps", 2)):
        device = torch.device(kind)
        assert images_at_once(device, pixels_at_once(device)) == images
    assert images_at_once(torch.device("mps"), batch_pixels=1) == 1


OUT_OF_MEMORY = [
    MemoryError(),
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    RuntimeError("MPS backend out of memory (MPS allocated: 5.44 GB, max allowed: 6.80 GB)."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: ..."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: not enough memory: you tried to ..."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:20])
def test_an_error_that_says_that_memory_ran_out_is_known(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory"), KeyboardInterrupt()])
def test_other_errors_are_not_taken_for_it(error):
    assert not is_out_of_memory(error)


def test_the_processors_own_allocator_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("kind", ["cpu", "mps", "cuda:1"])
def test_freeing_memory_empties_the_cache_of_that_gpu_alone(monkeypatch, kind):
    calls = []
    monkeypatch.setattr(torch.cuda, "device", lambda device: calls.append(str(device)) or nullcontext())
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("cuda emptied"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: calls.append("mps emptied"))
    free_memory(torch.device(kind))
    assert calls == {"cpu": [], "mps": ["mps emptied"], "cuda:1": ["cuda:1", "cuda emptied"]}[kind]


def test_auto_computes_in_float32_on_an_apple_gpu():
    assert pick_dtype("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize("probe", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_auto_computes_in_bfloat16_on_processors_with_the_instructions(monkeypatch, probe):
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    for name in probes:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert pick_dtype("auto", torch.device("cpu")) == torch.float32
    monkeypatch.setattr(torch.cpu, probe, lambda: True, raising=False)
    assert pick_dtype("auto", torch.device("cpu")) == torch.bfloat16


def test_a_torch_without_the_probes_computes_in_float32(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert pick_dtype("auto", torch.device("cpu")) == torch.float32


@pytest.fixture
def own_torch_settings():
    with callers_torch_settings():
        yield


def test_a_callers_torch_settings_do_not_reach_us_and_stay_as_they_were(own_torch_settings):
    with plain_torch():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert (product.dtype, product.device.type) == (torch.float32, "cpu")
        assert product.is_inference()
    outside = torch.ones(2)
    assert (outside.dtype, outside.device.type) == (torch.float64, "meta")
    assert torch.is_autocast_enabled("cpu") and not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("outside", [torch.inference_mode, torch.enable_grad])
def test_without_inference_mode_tensors_need_no_gradient_and_can_be_trained_later(outside):
    with outside(), plain_torch(inference=False):
        weight = torch.ones(2)
        assert not (weight * weight).requires_grad
    assert not weight.is_inference()
    weight.requires_grad_().sum().backward()
    assert weight.grad.tolist() == [1, 1]


def test_a_callers_torch_settings_come_back_after_an_error(own_torch_settings):
    with pytest.raises(ZeroDivisionError), plain_torch():
        1 / 0  # noqa: B018
    assert torch.get_default_dtype() == torch.float64 and torch.is_autocast_enabled("cpu")


def test_two_threads_that_compute_at_once_leave_the_callers_default_type(own_torch_settings):
    inside, may_leave = threading.Barrier(2), threading.Event()
    seen = []

    def stay():
        with plain_torch():
            inside.wait()
            may_leave.wait()
            seen.append(torch.get_default_dtype())

    thread = threading.Thread(target=stay)
    with plain_torch():
        thread.start()
        inside.wait()
    assert torch.get_default_dtype() == torch.float32, "the other thread still computes"
    may_leave.set()
    thread.join()
    assert seen == [torch.float32]
    assert torch.get_default_dtype() == torch.float64


def test_an_array_goes_to_a_device_and_back_unchanged():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(to_numpy(to_device(array, torch.device("cpu"))), array)
