"""Features on GPUs. Tests that need a GPU are skipped without one; the others show on a processor what can be shown."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from densezero.encoders.device import to_device, upload_pixels
from densezero.features import (
    Alignment,
    DiskCache,
    encode_grid,
    first_component,
    fit_clusters,
    fit_pca,
    plan_grid,
    point_similarity,
    to_rgb,
)
from densezero.features.precision import to_double
from densezero.images import resize_rgb, to_pixels
from tests.engine.conftest import ColourEncoder

GPUS = [
    kind for kind, here in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())) if here
]
on_each_gpu = pytest.mark.parametrize("gpu", GPUS or [pytest.param("", marks=pytest.mark.skip(reason="needs a GPU"))])

READS = tuple(getattr(torch.ops.aten, name) for name in ("item", "is_nonzero", "_local_scalar_dense"))


class Waits(TorchDispatchMode):
    """Counts the operations that wait for a GPU: reads of single numbers, and copies to the processor."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.count = 0
        copy = torch.Tensor.cpu

        def counted(tensor, *args, **options):
            self.count += 1
            return copy(tensor, *args, **options)

        monkeypatch.setattr(torch.Tensor, "cpu", counted)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function.overloadpacket in READS
        return function(*args, **(kwargs or {}))


def picture(height=30, width=40):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_the_probe_sees_a_wait(monkeypatch):
    for mode in (torch.no_grad, torch.inference_mode):
        with monkeypatch.context() as patches, Waits(patches) as waits, mode():
            float(torch.ones(2).sum())
            bool(torch.ones(2).any())
            torch.ones(2).cpu()
        assert waits.count == 3


def test_windows_are_blended_on_the_device_and_copied_once(monkeypatch):
    with Waits(monkeypatch) as waits:
        encode_grid(ColourEncoder(), picture(), grid_side=12, window_side=3)  # 35 windows
    assert waits.count == 1


@pytest.mark.parametrize("work", [fit_pca, lambda grids: fit_clusters(grids, 2)])
def test_more_grids_do_not_make_a_fit_wait_more_often(monkeypatch, random_grid, work):
    counts = []
    for many in (2, 7):
        with monkeypatch.context() as patches, Waits(patches) as waits:
            work([random_grid(seed=seed) for seed in range(many)])
        counts.append(waits.count)
    assert counts[0] == counts[1] > 0


def test_more_pairs_do_not_make_an_alignment_wait_more_often(monkeypatch):
    alignment = Alignment()
    with Waits(monkeypatch) as waits:
        for _ in range(5):
            alignment.add(torch.ones(4, 3), torch.ones(4, 3))
    assert waits.count == 0


def test_coordinates_are_computed_on_the_device_of_the_features(random_grid):
    basis = fit_pca([random_grid()], foreground=True)
    grid = random_grid().to("meta")  # this device refuses operations with tensors of other devices
    assert basis.coordinates(grid).device.type == "meta"
    assert basis.foreground(grid).device.type == "meta"


def test_an_apple_gpu_is_asked_for_no_float64():
    on_processor = torch.arange(3.0)
    apple = SimpleNamespace(device=torch.device("mps"), cpu=lambda: on_processor)  # without a method double
    assert to_double(apple).tolist() == [0, 1, 2]
    assert to_double(on_processor).dtype == torch.float64
    assert to_double(torch.ones(2, device="meta")).device.type == "meta"


@on_each_gpu
def test_the_model_input_on_a_gpu_is_the_processors_to_the_last_bit(gpu):
    plan = plan_grid((100, 60), 14, 30)
    made = upload_pixels(resize_rgb(picture(100, 60), plan.input_hw), torch.device(gpu))
    assert made.device.type == gpu
    assert torch.equal(made.cpu(), torch.from_numpy(to_pixels(picture(100, 60), plan)))


@on_each_gpu
def test_a_grid_of_a_gpu_is_the_processors(gpu):
    class OnGpu(ColourEncoder):
        device = torch.device(gpu)

        def __init__(self):
            super().__init__()
            self.turn = self.turn.to(self.device)

    for window_side in (None, 3):
        made = encode_grid(OnGpu(), picture(), grid_side=12, window_side=window_side)
        torch.testing.assert_close(made, encode_grid(ColourEncoder(), picture(), grid_side=12), atol=1e-5, rtol=1e-5)


@on_each_gpu
@pytest.mark.parametrize("foreground", [False, True])
def test_features_on_a_gpu_give_the_processors_pictures(gpu, random_grid, foreground):
    grids = [random_grid(seed=seed) for seed in range(3)]
    there = [to_device(grid.numpy(), torch.device(gpu)) for grid in grids]
    basis, theirs = fit_pca(grids, foreground=foreground), fit_pca(there, foreground=foreground)
    assert theirs.components.device.type == theirs.high.device.type == "cpu"
    np.testing.assert_allclose(theirs.components, basis.components, atol=1e-5)
    for mapping in ("sigmoid", "percentile"):
        np.testing.assert_allclose(to_rgb(basis, there[0], mapping), to_rgb(basis, grids[0], mapping), atol=1e-5)
    np.testing.assert_allclose(first_component(basis, there[0]), first_component(basis, grids[0]), atol=1e-5)
    np.testing.assert_allclose(
        point_similarity(there[0], (0.2, 0.7)), point_similarity(grids[0], (0.2, 0.7)), atol=1e-5
    )
    clusters = fit_clusters(there, 3)
    assert np.array_equal(clusters.labels(there[0]), clusters.labels(grids[0]))


@on_each_gpu
def test_alignment_and_the_disk_cache_take_tensors_of_a_gpu(gpu, random_grid):
    source, target = torch.randn(2, 4, 5, 3)
    ours, theirs = Alignment(), Alignment()
    ours.add(source, target)
    theirs.add(source.to(gpu), target.to(gpu))
    torch.testing.assert_close(theirs.rotation(), ours.rotation(), atol=1e-5, rtol=0)
    with DiskCache() as cache:
        cache.put("a", source.to(gpu))
        assert torch.equal(cache.get("a"), source)
