import io

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError, OutputError
from densezero.output.labels import encode_labels, ignore_value, read_labels


@pytest.mark.parametrize(
    ("n_classes", "dtype"),
    [
        (1, np.uint8),
        (3, np.uint8),
        (17, np.uint8),
        (254, np.uint8),
        (255, np.uint16),
        (256, np.uint16),
        (1000, np.uint16),
    ],
)
@pytest.mark.parametrize("with_ignore", [False, True])
def test_labels_come_back_exactly(tmp_path, random_classes, n_classes, dtype, with_ignore):
    labels = np.random.default_rng(n_classes).integers(0, n_classes, (37, 51)).astype(dtype)
    if with_ignore:
        labels[3:9, 4:40] = ignore_value(n_classes)
    path = tmp_path / "labels.png"
    path.write_bytes(encode_labels(labels, random_classes(n_classes)))
    back = read_labels(path)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, labels)


def test_a_palette_png_keeps_its_colours(random_classes):
    classes = random_classes(3)
    labels = np.array([[0, 1, 2], [2, 2, 0]], dtype=np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(encode_labels(labels, classes))).convert("RGB"))
    np.testing.assert_array_equal(shown, classes.colours[labels])


def test_ignored_pixels_are_black_and_the_others_keep_their_colours(random_classes):
    classes = random_classes(2)
    labels = np.array([[0, 255, 1]], dtype=np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(encode_labels(labels, classes))).convert("RGB"))
    assert shown[0].tolist() == [classes.colours[0].tolist(), [0, 0, 0], classes.colours[1].tolist()]


@pytest.mark.parametrize("hw", [(1, 1), (13, 2000)])
def test_any_size_is_kept(tmp_path, random_classes, hw):
    labels = (np.arange(hw[0] * hw[1]).reshape(hw) % 5).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(encode_labels(labels, random_classes(5)))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)


def test_a_view_with_other_strides_is_encoded_by_its_values(tmp_path, random_classes):
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4).T[::2]
    (tmp_path / "a.png").write_bytes(encode_labels(labels, random_classes(12)))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)


def test_smooth_regions_take_little_space(random_classes):
    y, x = np.mgrid[:1000, :1000]
    labels = ((x // 100 + y // 100) % 12).astype(np.uint8)
    assert len(encode_labels(labels, random_classes(12))) < 10_000
    assert len(encode_labels(labels.astype(np.uint16), random_classes(300))) < 40_000


@pytest.mark.parametrize(
    "labels", [np.zeros((2, 2), np.int64), np.zeros((2, 2, 1), np.uint8), np.zeros((0, 2), np.uint8)]
)
def test_an_array_that_is_no_label_map_is_refused(random_classes, labels):
    with pytest.raises(OutputError, match="Expected a label map"):
        encode_labels(labels, random_classes(3))


def test_a_label_without_a_class_is_refused(random_classes):
    for labels in (np.array([[0, 3]], np.uint8), np.array([[255, 3]], np.uint8)):
        with pytest.raises(OutputError, match=r"below 3.*got 3"):
            encode_labels(labels, random_classes(3))


def test_a_picture_is_no_label_map(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"got colours \(mode RGB\)"):
        read_labels(tmp_path / "a.png")


def test_a_cut_label_file_is_named(tmp_path, random_classes):
    labels = np.random.default_rng(0).integers(0, 9, (60, 60)).astype(np.uint8)
    content = encode_labels(labels, random_classes(9))
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    for name in ("cut.png", "missing.png"):
        with pytest.raises(InputError, match=name):
            read_labels(tmp_path / name)
