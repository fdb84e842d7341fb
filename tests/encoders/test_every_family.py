"""What holds for encoders of every family: TIPS towers, open_clip's models and timm's."""

import copy
import pickle
import threading

import pytest
import torch

import densezero
from densezero.encoders import base
from densezero.encoders.device import pixels_at_once
from densezero.errors import ModelError
from tests.conftest import callers_torch_settings
from tests.encoders.towers import small_pair, write_folder

SMALL_CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 56, "patch_size": 14, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
TEXTS = ["a red boat", "sky"]
FAMILIES = ("tips", "open_clip", "timm")
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(params=FAMILIES)
def name(request, tmp_path, tokenizer_file, monkeypatch):
    """A model of each family by its name."""
    if request.param == "tips":
        return str(write_folder(tmp_path, small_pair(), tokenizer_file))
    if request.param == "timm":
        pytest.importorskip("timm")
        return "timm:vit_tiny_patch16_224/random"
    open_clip = pytest.importorskip("open_clip")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", SMALL_CLIP)
    return "open_clip:ViT-B-32/random"


@pytest.fixture(params=["float32", "bfloat16"])
def dtype(request):
    return request.param


@pytest.fixture
def pixels():
    return torch.rand(2, 3, 40, 62, generator=torch.Generator().manual_seed(3))


def vectors(encoder, pixels):
    """Features, and the text vectors of an encoder that has them."""
    features = [encoder.encode_dense(pixels), encoder.encode_dense(pixels, "patch")]
    return [*features, encoder.encode_text(TEXTS)] if encoder.has_text else features


def test_a_callers_torch_settings_change_no_number(name, dtype, pixels):
    expected = vectors(densezero.load_encoder(name, "cpu", dtype), pixels)
    with callers_torch_settings():
        found = vectors(densezero.load_encoder(name, "cpu", dtype), pixels)
    for value, right in zip(found, expected, strict=True):
        assert (value.dtype, value.device.type) == (torch.float32, "cpu")
        torch.testing.assert_close(
            value, right, rtol=0, atol=1e-6
        )  # torch chooses other text attention under a default device


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda encoder: pickle.loads(pickle.dumps(encoder))])
def test_a_copy_gives_equal_features_and_texts(name, dtype, pixels, copied):
    encoder = densezero.load_encoder(name, "cpu", dtype)
    fresh = copied(encoder)
    expected = vectors(encoder, pixels)
    for other in (fresh, copied(encoder)):  # made before and after the first use
        assert all(map(torch.equal, vectors(other, pixels), expected))
        assert other.weights_hash == encoder.weights_hash
        assert other.text_hash == encoder.text_hash
        assert (other.device, other.dtype, other.batch_pixels) == (encoder.device, encoder.dtype, encoder.batch_pixels)


def test_a_loaded_encoder_can_be_trained_further(name):
    """Loading under torch's inference mode would give tensors that refuse gradients for ever."""
    with torch.inference_mode():
        encoder = densezero.load_encoder(name, "cpu", "float32")
    held = [value for module in modules_of(encoder) for value in [*module.parameters(), *module.buffers()]]
    assert held and not any(value.is_inference() for value in held)


def modules_of(encoder):
    return [value for value in vars(encoder).values() if isinstance(value, torch.nn.Module)]


def test_pixels_of_another_type_and_memory_order_give_the_same(name, pixels):
    encoder = densezero.load_encoder(name, "cpu", "float32")
    expected = encoder.encode_dense(pixels)
    turned = pixels.to(memory_format=torch.channels_last)
    torch.testing.assert_close(encoder.encode_dense(turned), expected, rtol=0, atol=2e-5)
    assert torch.equal(encoder.encode_dense(pixels.double()), expected)


def test_8_bit_pixels_are_refused_with_what_to_do(name, pixels):
    with pytest.raises(ModelError, match=r"got torch\.uint8\. Divide 8-bit pixels by 255"):
        densezero.load_encoder(name, "cpu", "float32").encode_dense((pixels * 255).to(torch.uint8))


def test_threads_that_encode_two_sizes_get_the_right_features(name):
    encoder = densezero.load_encoder(name, "cpu", "float32")
    images = [torch.rand(1, 3, *hw, generator=torch.Generator().manual_seed(1)) for hw in ((48, 62), (70, 33))]
    fresh = densezero.load_encoder(name, "cpu", "float32")
    expected = [fresh.encode_dense(image) for image in images]
    differing = []

    def encode(order):
        for index in order * 5:
            if not torch.equal(encoder.encode_dense(images[index]), expected[index]):
                differing.append(index)

    threads = [threading.Thread(target=encode, args=(order,)) for order in ([0, 1], [1, 0], [0], [1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differing == []


# Moving to another device


@pytest.mark.parametrize("has_encoded", [True, False])
def test_moving_takes_everything_along(name, dtype, pixels, monkeypatch, has_encoded):
    """torch's device without memory stands for a GPU."""
    encoder = densezero.load_encoder(name, "cpu", dtype)
    if has_encoded:
        vectors(encoder, pixels)
    monkeypatch.setattr(base, "pick_device", lambda device: torch.device("meta"))
    assert encoder.to("cuda") is encoder
    assert encoder.device.type == "meta"
    assert str(encoder.dtype) == f"torch.{dtype}"
    native = torch.rand(1, 3, encoder.native_px, encoder.native_px)  # positions of other sizes are computed on the CPU
    assert encoder.encode_dense(native).device.type == "meta"
    if encoder.has_text:
        assert encoder.encode_text(TEXTS).device.type == "meta"
    for module in modules_of(encoder):
        assert all(value.is_meta for value in [*module.parameters(), *module.buffers()])


def test_moving_to_the_same_device_changes_nothing(name, dtype, pixels):
    encoder = densezero.load_encoder(name, "cpu", dtype)
    expected = vectors(encoder, pixels)
    assert all(map(torch.equal, vectors(encoder.to("cpu"), pixels), expected))
    assert all(map(torch.equal, vectors(encoder.to(torch.device("cpu")), pixels), expected))


@pytest.mark.parametrize("device", ["meta", "gpu", "cuda:99"])
def test_a_device_that_is_not_here_is_refused_and_nothing_moves(name, pixels, device):
    encoder = densezero.load_encoder(name, "cpu", "float32")
    with pytest.raises(ModelError, match=device):
        encoder.to(device)
    assert encoder.device.type == "cpu"
    assert encoder.encode_dense(pixels).device.type == "cpu"


def test_the_batch_is_chosen_when_an_encoder_is_loaded_or_moved(name, monkeypatch):
    encoder = densezero.load_encoder(name, "cpu", "float32")
    assert encoder.batch_pixels == pixels_at_once(torch.device("cpu"))
    monkeypatch.setattr(base, "pixels_at_once", lambda device: 12345)
    assert encoder.batch_pixels == pixels_at_once(torch.device("cpu"))
    assert encoder.to("cpu").batch_pixels == 12345


@GPU
def test_a_gpu_gives_the_numbers_of_the_processor_and_so_does_the_way_back(name, pixels):
    encoder = densezero.load_encoder(name, "cpu", "float32")
    expected = vectors(encoder, pixels)
    encoder.to("cuda")
    for given in (pixels, pixels.cuda()):
        for value, right in zip(vectors(encoder, given), expected, strict=True):
            torch.testing.assert_close(value.cpu(), right, rtol=0, atol=1e-5 * max(1.0, float(right.abs().amax())))
    loaded = densezero.load_encoder(name, "cuda", "float32")
    assert all(map(torch.equal, vectors(loaded, pixels), vectors(encoder, pixels)))
    assert all(map(torch.equal, vectors(encoder.to("cpu"), pixels), expected))


@GPU
def test_half_precision_on_a_gpu_is_as_near_to_float32_as_on_the_processor(name, pixels):
    exact = densezero.load_encoder(name, "cpu", "float32").encode_dense(pixels)
    errors = {}
    for device in ("cpu", "cuda"):
        found = densezero.load_encoder(name, device, "bfloat16").encode_dense(pixels).cpu()
        errors[device] = float((found - exact).norm() / exact.norm())
    assert errors["cuda"] < 1.5 * errors["cpu"]
