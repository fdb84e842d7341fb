import io
import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from densezero.errors import OutputError
from densezero.output.paths import refuse_shared_outputs, stem_of
from densezero.output.picture import encode_grid_npz, encode_grid_safetensors, encode_png

ABOUT = {"encoder": "tower", "readout": "value", "image_hw": [3, 4]}


@pytest.fixture
def grid():
    return np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)


def test_a_png_holds_the_pixels_exactly():
    rgb = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(rgb)))), rgb)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_grid_comes_back_from_npz_without_pickle(grid, dtype):
    with np.load(io.BytesIO(encode_grid_npz(grid.astype(dtype), ABOUT)), allow_pickle=False) as stored:
        assert stored["features"].dtype == dtype
        assert np.array_equal(stored["features"], grid.astype(dtype))
        assert json.loads(str(stored["about"])) == ABOUT


def test_a_grid_comes_back_from_safetensors_also_where_its_memory_is_turned(tmp_path, grid):
    turned = grid.transpose(1, 0, 2)
    (tmp_path / "grid").write_bytes(encode_grid_safetensors(turned, ABOUT))
    with safe_open(str(tmp_path / "grid"), "np") as stored:
        assert np.array_equal(stored.get_tensor("features"), turned)
        assert json.loads(stored.metadata()["about"]) == ABOUT


@pytest.mark.parametrize("encode", [encode_grid_npz, encode_grid_safetensors])
def test_the_same_grid_gives_the_same_bytes(grid, encode):
    assert encode(grid, ABOUT) == encode(grid.copy(), dict(reversed(ABOUT.items())))


def test_a_stem_keeps_folders_and_inner_dots():
    assert stem_of("day 1/a.b.jpg") == "day 1/a.b"


@pytest.mark.parametrize("path", ["/a.jpg", "../a.jpg", "a/../b.jpg", "", "."])
def test_what_is_no_relative_path_is_refused(path):
    with pytest.raises(OutputError, match="relative to the input folder"):
        stem_of(path)


def test_inputs_of_different_stems_share_nothing():
    refuse_shared_outputs(["a.jpg", "b.jpg", "c/a.jpg", "a.b.jpg"], [".png"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["a.jpg", "a.png"], "got 1 .*a.jpg and a.png"),
        (["a.jpg", "A.jpg"], "a.jpg and A.jpg"),
        (["caf\u00e9.jpg", "cafe\u0301.jpg"], "got 1"),
        (["a.jpg", "a.png/b.jpg"], "a.jpg and a.png/b.jpg"),  # a.png would be a file and a folder
        ([f"{n}.{end}" for n in range(7) for end in ("jpg", "png")], r"got 7 .*4\.jpg and 4\.png; \.\.\."),
    ],
)
def test_inputs_that_would_write_one_output_are_refused(inputs, message):
    with pytest.raises(OutputError, match=message):
        refuse_shared_outputs(inputs, [".png"])
