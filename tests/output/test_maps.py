"""Depth and normals as files: read back by other libraries, and drawn."""

import io

import cv2
import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from densezero.errors import OutputError
from densezero.heads.names import TASKS
from densezero.output.depth_picture import choose_ticks, draw_depth
from densezero.output.depth_png import encode_depth_png
from densezero.output.formats import MAP_FORMATS
from densezero.output.map_files import MAP_FILES, MapResult, draw_map, plan_maps
from densezero.output.map_npz import encode_map_npz
from densezero.output.normals_png import STRIP_ROWS, encode_normals_png, normals_to_rgb
from densezero.output.picture import join_pictures


def read(content):
    """The pixels of a PNG by Pillow and by OpenCV, the latter in RGB."""
    with Image.open(io.BytesIO(content)) as image:
        ours = np.array(image)
    other = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return ours, other if other.ndim == 2 else other[..., ::-1]


def test_depth_is_stored_in_millimetres_and_read_by_pillow_and_opencv():
    depth = np.array([[0.001, 1.2344, 1.2346], [10, 65.535, 70]], np.float32)
    ours, other = read(encode_depth_png(depth))
    assert (ours.dtype, other.dtype) == (np.uint16, np.uint16)
    assert ours.tolist() == other.tolist() == [[1, 1234, 1235], [10000, 65535, 65535]]


@pytest.mark.parametrize("wrong", [np.ones((2, 2, 1)), np.ones((0, 3)), np.array([[np.nan]]), np.array([[-0.1]])])
def test_what_is_no_depth_is_refused(wrong):
    for encode in (encode_depth_png, draw_depth):
        with pytest.raises(OutputError, match=r"depth \(H, W\) in metres"):
            encode(wrong)


def test_an_array_comes_back_as_it_was():
    depth = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    with np.load(io.BytesIO(encode_map_npz({"depth": depth})), allow_pickle=False) as arrays:
        assert list(arrays) == ["depth"]
        assert arrays["depth"].dtype == np.float32
        assert np.array_equal(arrays["depth"], depth)


def test_normals_become_colours_by_hand():
    axes = np.array([[[1, 0, 0], [0, -1, 0], [0, 0, 1]]], np.float32)
    assert normals_to_rgb(axes).tolist() == [[[255, 128, 128], [128, 0, 128], [128, 128, 255]]]


def test_normals_are_read_back_within_a_level_in_strips_as_in_one():
    vectors = np.random.default_rng(1).normal(size=(STRIP_ROWS + 3, 5, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    ours, other = read(encode_normals_png(vectors))
    assert np.array_equal(ours, other)
    assert np.abs(ours / 127.5 - 1 - vectors).max() <= 0.5 / 127.5 + 1e-6


@pytest.mark.parametrize(
    "wrong", [np.ones((2, 2)), np.ones((2, 2, 2)), np.full((1, 1, 3), 1.1), np.full((1, 1, 3), np.nan)]
)
def test_what_is_no_normal_is_refused(wrong):
    with pytest.raises(OutputError, match=r"normals \(H, W, 3\) in \[-1, 1\]"):
        normals_to_rgb(wrong)


def test_the_colours_are_turbo_from_the_nearest_to_the_farthest():
    depth = np.linspace(1, 3, 400, dtype=np.float32)[None].repeat(330, 0)
    drawn = draw_depth(depth)[:330, :400]
    levels = np.rint((depth - 1) / 2 * 255).astype(int)
    turbo = np.rint(colormaps["turbo"](levels)[..., :3] * 255)
    assert np.abs(drawn - turbo).max() <= 1
    assert drawn[0, 0, 2] > drawn[0, 0, 0]  # blue is near
    assert drawn[0, -1, 0] > drawn[0, -1, 2]  # red is far


def test_the_bar_has_the_colour_of_each_depth_at_its_height():
    depth = np.linspace(1, 3, 400, dtype=np.float32)[None].repeat(400, 0)
    drawn = draw_depth(depth)
    rows = np.flatnonzero((drawn[:, 400 + 15 + 2] < 250).any(1))  # the bar begins a font size right of the picture
    top, bottom = rows[0], rows[-1]
    middle = drawn[(top + bottom) // 2, 400 + 17].astype(int)
    assert np.abs(middle - drawn[0, 200]).max() <= 6
    assert np.array_equal(drawn[top, 417], drawn[0, 399])
    assert np.array_equal(drawn[bottom, 417], drawn[0, 0])


@pytest.mark.parametrize(
    ("nearest", "farthest", "ticks"),
    [
        (0.7, 4.2, [1, 2, 3, 4]),
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (2.34, 2.35, [2.34, 2.342, 2.344, 2.346, 2.348, 2.35]),
        (0.001, 0.9, [0.2, 0.4, 0.6, 0.8]),
    ],
)
def test_the_scale_has_round_depths(nearest, farthest, ticks):
    assert choose_ticks(nearest, farthest) == pytest.approx(ticks)


@pytest.mark.parametrize("hw", [(1, 1), (3, 900), (900, 3), (30, 40)])
def test_pictures_of_any_shape_and_of_one_depth_are_drawn(hw):
    drawn = draw_depth(np.full(hw, 2.0, np.float32))
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] >= 150  # room for the scale


def test_pictures_are_joined_on_white():
    joined = join_pictures([np.zeros((2, 3, 3), np.uint8), np.full((4, 1, 3), 7, np.uint8)])
    assert joined[..., 0].tolist() == [[0, 0, 0, 7], [0, 0, 0, 7], [255, 255, 255, 7], [255, 255, 255, 7]]


def test_a_large_map_of_normals_is_drawn_small():
    vectors = np.zeros((10, 4096, 3), np.float32)
    vectors[..., 0] = 1
    drawn = draw_map("normals", MapResult(vectors, np.zeros((10, 4096, 3), np.uint8)))
    assert drawn.shape == (5, 2048, 3)
    assert (drawn == (255, 128, 128)).all()


def test_the_tables_of_tasks_and_formats_agree():
    assert tuple(MAP_FILES) == tuple(MAP_FORMATS) == TASKS
    assert {task: tuple(kinds) for task, kinds in MAP_FILES.items()} == MAP_FORMATS


def test_a_plan_names_the_files_of_each_task():
    plan = plan_maps(["a.jpg", "sub/b.png"], ("depth", "normals"), ["picture", "npz"])
    assert list(plan.files("sub/b.png")) == ["depth/sub/b.npz", "depth-pictures/sub/b.jpg", "normals/sub/b.npz"]
    assert list(plan_maps(["a.jpg"], ("segmentation",), ["png"], keep_suffix=True).files("a.jpg")) == [
        "labels/a.jpg.png"
    ]


@pytest.mark.parametrize(
    ("tasks", "formats", "focal_px", "said"),
    [
        (("depth",), ["pgn"], None, "format of depth to save; got 'pgn'. Did you mean 'png'"),
        (("depth", "normals"), ["picture"], None, "format of normals to save: png, npz; got picture"),
        (("depth",), [], None, "format of depth to save: png, npz, picture, ply; got none"),
        (("depth",), ["png"], 500.0, "--focal above 0 pixels, with --save ply; got another --save"),
        (("depth",), ["ply"], 0.0, "--focal above 0 pixels, with --save ply; got 0"),
    ],
)
def test_formats_that_do_not_fit_are_refused(tasks, formats, focal_px, said):
    with pytest.raises(OutputError, match=said):
        plan_maps(["a.jpg"], tasks, formats, focal_px=focal_px)


def test_two_inputs_with_one_output_are_refused():
    with pytest.raises(OutputError, match="--keep-suffix"):
        plan_maps(["a.jpg", "a.png"], ("depth",), ["png"])
