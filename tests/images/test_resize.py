import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from densezero.errors import InputError
from densezero.images import ResizePlan, plan_resize, resize_rgb, to_pixels

GOLDEN = Path(__file__).parent.parent / "golden" / "resize_io.npz"


def draw_noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def cubic(distance, a=-0.5):
    """Keys' cubic convolution kernel (1981), whose a is -0.5 in Pillow."""
    near, far = np.abs(distance) < 1, (np.abs(distance) >= 1) & (np.abs(distance) < 2)
    d = np.abs(distance)
    return near * ((a + 2) * d**3 - (a + 3) * d**2 + 1) + far * (a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a)


def cubic_matrix(length, new_length):
    """(new, old) weights in float64; the kernel is widened when the image becomes smaller."""
    scale = length / new_length
    width = max(scale, 1.0)
    centres = (np.arange(new_length) + 0.5) * scale
    weights = cubic((np.arange(length)[None] + 0.5 - centres[:, None]) / width)
    return weights / weights.sum(axis=1, keepdims=True)


def round_to_levels(values):
    return np.clip(np.round(values), 0, 255)


def resize_in_float64(rgb, hw):
    """Columns first, then rows, rounded to levels in between, as Pillow does unless only the height shrinks."""
    wide = round_to_levels(np.einsum("xw,hwc->hxc", cubic_matrix(rgb.shape[1], hw[1]), rgb.astype(np.float64)))
    return round_to_levels(np.einsum("yh,hxc->yxc", cubic_matrix(rgb.shape[0], hw[0]), wide))


def test_the_resize_equals_the_reference_byte_for_byte():
    golden = np.load(GOLDEN)
    assert np.array_equal(resize_rgb(golden["image"], golden["resized"].shape[:2]), golden["resized"])


@pytest.mark.parametrize("hw", [(97, 61), (20, 30), (64, 17), (90, 7), (1, 1)])
def test_the_resize_is_cubic_convolution_with_antialias(hw):
    rgb = draw_noise(40, 52)
    difference = np.abs(resize_rgb(rgb, hw).astype(float) - resize_in_float64(rgb, hw))
    assert difference.max() <= 1  # Pillow's weights are fixed-point numbers
    assert (difference > 0).mean() < 0.02


def test_a_step_edge_doubled_has_the_overshoot_worked_out_by_hand():
    # distances 1.25, 0.25, 0.75, 1.75 weigh -9/128, 111/128, 29/128, -3/128; Pillow drops what lies beyond the edge
    row = np.array([[[0] * 3, [0] * 3, [128] * 3, [128] * 3]], dtype=np.uint8)
    # column 3 (between the two halves, nearer the dark one): 128 × (29 - 3) / 128 = 26; column 4: 128 × (111 - 9) / 128
    # = 102; column 5: 128 × (29 + 111 - 3) / (29 + 111 - 3 - 9) = 137
    resized = resize_rgb(row, (1, 8))
    assert resized[0, :, 0].tolist()[3:6] == [26, 102, 137]


def test_resizing_to_the_same_size_changes_nothing():
    rgb = draw_noise(13, 29)
    assert np.array_equal(resize_rgb(rgb, (13, 29)), rgb)


def test_resizing_commutes_with_mirroring():
    rgb = draw_noise(31, 45)
    mirrored = resize_rgb(np.ascontiguousarray(rgb[:, ::-1]), (44, 70))
    assert np.abs(mirrored[:, ::-1].astype(int) - resize_rgb(rgb, (44, 70))).max() <= 1


def test_a_view_of_an_array_is_resized_like_its_copy():
    view = draw_noise(40, 40)[::2, ::-1]
    assert np.array_equal(resize_rgb(view, (30, 50)), resize_rgb(view.copy(), (30, 50)))


def test_the_result_is_a_writable_array_of_its_own():
    rgb = draw_noise(5, 6)
    resize_rgb(rgb, (5, 6))[:] = 0
    assert rgb.any()


def test_pixels_are_channels_first_in_zero_to_one():
    rgb = np.array([[[0, 51, 255], [255, 0, 102]]], dtype=np.uint8)
    pixels = to_pixels(rgb, ResizePlan((1, 2), (1, 2)))
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, np.array([[[[0, 1]], [[0.2, 0]], [[1, 0.4]]]], dtype=np.float32))


def test_pixels_are_the_resized_levels_over_255():
    rgb = draw_noise(30, 45)
    plan = plan_resize((30, 45), 56)
    pixels = to_pixels(rgb, plan)
    assert pixels.shape == (1, 3, 56, 84)
    levels = resize_rgb(rgb, plan.input_hw)
    assert np.array_equal(pixels[0].transpose(1, 2, 0), levels.astype(np.float32) / np.float32(255))


def test_pixels_equal_those_of_torch():
    torch = pytest.importorskip("torch")
    rgb = draw_noise(9, 11)
    expected = torch.from_numpy(rgb).permute(2, 0, 1)[None].float().div(255).numpy()
    assert np.array_equal(to_pixels(rgb, ResizePlan((9, 11), (9, 11))), expected)


def test_an_image_of_another_size_than_planned_is_refused():
    with pytest.raises(InputError, match=r"\(10, 20\).*\(20, 10\)"):
        to_pixels(draw_noise(20, 10), ResizePlan((10, 20), (10, 20)))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_an_array_that_is_no_rgb_image_is_refused(array):
    with pytest.raises(InputError, match="uint8 of shape"):
        resize_rgb(array, (4, 4))


def test_a_size_without_pixels_is_refused():
    with pytest.raises(InputError, match="0 × 4"):
        resize_rgb(draw_noise(4, 4), (0, 4))


def test_importing_images_loads_neither_torch_nor_opencv():
    probe = "import sys, densezero.images; print([name for name in ('torch', 'cv2') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
