import csv

import numpy as np
import pytest

from densezero.errors import OutputError
from densezero.output.areas import class_pixels, write_areas_csv


def test_pixels_are_counted_by_hand():
    labels = np.array([[0, 2, 2], [255, 2, 0]], dtype=np.uint8)
    assert class_pixels(labels, 3) == {0: 2, 2: 3}


def test_strips_count_like_the_whole():
    labels = np.random.default_rng(0).integers(0, 300, (1100, 2100)).astype(np.uint16)  # more than two strips
    values, counts = np.unique(labels, return_counts=True)
    assert class_pixels(labels, 300) == dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_an_image_with_no_class_anywhere_has_no_areas(tmp_path, classes_of):
    pixels = class_pixels(np.full((4, 5), 255, np.uint8), 3)
    assert pixels == {}
    write_areas_csv(tmp_path / "areas.csv", [("a.png", pixels)], classes_of(["sky", "sea", "sand"]))
    assert (tmp_path / "areas.csv").read_text() == "image,class_index,class,pixels,share\n"


def test_the_table_reads_back(tmp_path, classes_of):
    classes = classes_of(["sky", "boat, ship", "天空"])
    rows = [("b/1.jpg", {2: 1, 0: 3}), ('q"uote,.jpg', {1: 7})]
    path = tmp_path / "out" / "areas.csv"
    write_areas_csv(path, rows, classes)
    with path.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [tuple(row.values()) for row in table] == [
        ("b/1.jpg", "0", "sky", "3", "0.750000"),
        ("b/1.jpg", "2", "天空", "1", "0.250000"),
        ('q"uote,.jpg', "1", "boat, ship", "7", "1.000000"),
    ]


def test_a_name_of_bytes_that_are_no_text_is_spelled_out(tmp_path, classes_of):
    write_areas_csv(tmp_path / "areas.csv", [("a\udcff.jpg", {0: 1})], classes_of(["sky"]))
    assert r"a\udcff.jpg" in (tmp_path / "areas.csv").read_text(encoding="utf-8")


def test_a_failure_midway_leaves_the_older_table(tmp_path, classes_of):
    def rows():
        yield "a.jpg", {0: 1}
        raise RuntimeError("cut")

    path = tmp_path / "areas.csv"
    path.write_text("older")
    with pytest.raises(RuntimeError, match="cut"):
        write_areas_csv(path, rows(), classes_of(["sky"]))
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(OutputError, match="below 2"):
        class_pixels(np.array([[2]], dtype=np.uint8), 2)
