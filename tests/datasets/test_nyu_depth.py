import sys

import numpy as np
import pytest

from densezero.datasets import load_dataset
from densezero.datasets.nyu_depth import LABELED, ignored_pixels, open_nyu_depth
from densezero.errors import InputError

h5py = pytest.importorskip("h5py")
from tests.datasets.nyu import TEST, draw_nyu, write_splits  # noqa: E402 - needs h5py

SMALL = (24, 32)


def test_test_images_are_read_upright_by_their_numbers_from_one(tmp_path):
    images, depths = draw_nyu(tmp_path, SMALL)
    with open_nyu_depth(tmp_path) as dataset:
        assert dataset.numbers == TEST
        for number in TEST:
            rgb, depth = dataset.read(number)
            assert (rgb.shape, rgb.dtype, depth.dtype) == ((24, 32, 3), np.uint8, np.float32)
            assert np.array_equal(rgb, images[number - 1])
            assert np.array_equal(depth, depths[number - 1])


def test_pixels_without_a_depth_or_beyond_the_range_are_ignored():
    depth = np.array([[0, 0.001, 0.0011], [9.99, 10, np.nan]], np.float32)
    assert ignored_pixels(depth, eigen_crop=False).tolist() == [[True, True, False], [False, True, True]]


def test_the_crop_keeps_rows_45_to_470_and_columns_41_to_600():
    depth = np.full((480, 640), 2.0)
    depth[100, 100] = 0
    counted = ~ignored_pixels(depth, eigen_crop=True)
    rows, columns = np.nonzero(counted)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (45, 470, 41, 600)
    assert counted.sum() == 426 * 560 - 1
    with pytest.raises(InputError, match="480 x 640"):
        ignored_pixels(depth[:-1], eigen_crop=True)


def test_missing_files_are_named_with_where_they_come_from(tmp_path):
    with pytest.raises(InputError, match=r"Expected nyu_depth_v2_labeled.mat and splits.mat in .*page at New York"):
        open_nyu_depth(tmp_path)
    draw_nyu(tmp_path, SMALL)
    (tmp_path / "splits.mat").unlink()
    with pytest.raises(InputError, match=r"Expected splits.mat in"):
        open_nyu_depth(tmp_path)


def test_another_file_is_refused(tmp_path):
    draw_nyu(tmp_path, SMALL)
    (tmp_path / LABELED).write_bytes(b"MATLAB 5.0 MAT-file" + bytes(1000))
    with pytest.raises(InputError, match=r"version 7.3 \(HDF5\); it cannot be opened"):
        open_nyu_depth(tmp_path)
    with h5py.File(tmp_path / LABELED, "w") as file:
        file["images"] = np.zeros((2, 3, 8, 6), np.uint8)
    with pytest.raises(InputError, match=r"rawDepths \(N, W, H\); it has images \(2, 3, 8, 6\), rawDepths None"):
        open_nyu_depth(tmp_path)


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"testNdxs": [0, 1]}, "1 to 5, each once; got 2 numbers from 0 to 1"),
        ({"testNdxs": [3, 6]}, "from 3 to 6"),
        ({"testNdxs": [3, 3]}, "each once"),
        ({"trainNdxs": [3]}, "with testNdxs; it cannot be read"),
    ],
)
def test_splits_that_do_not_belong_to_the_file_are_refused(tmp_path, numbers, says):
    draw_nyu(tmp_path, SMALL)
    write_splits(tmp_path, **numbers)
    with pytest.raises(InputError, match=says):
        open_nyu_depth(tmp_path)


def test_splits_of_another_kind_are_refused(tmp_path):
    draw_nyu(tmp_path, SMALL)
    (tmp_path / "splits.mat").write_text("no MATLAB file")
    with pytest.raises(InputError, match="to be the splits of NYU Depth v2"):
        open_nyu_depth(tmp_path)


@pytest.mark.parametrize("library", ["h5py", "scipy.io"])
def test_without_the_extra_the_refusal_says_how_to_install_it(tmp_path, monkeypatch, library):
    draw_nyu(tmp_path, SMALL)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=r"pip install 'densezero\[nyu\]'"):
        open_nyu_depth(tmp_path)


def test_it_is_no_data_set_of_labels(tmp_path):
    with pytest.raises(InputError, match="densezero evaluate nyu-depth"):
        load_dataset("nyu-depth", tmp_path)
