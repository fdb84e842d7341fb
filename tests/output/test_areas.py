import csv

import numpy as np
import pytest

from densezero.errors import OutputError
from densezero.output.areas import class_pixels, write_areas_csv, write_wide_areas_csv


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
    assert (tmp_path / "areas.csv").read_text(encoding="utf-8-sig") == "image,class_index,class,pixels,share\n"


def test_the_table_reads_back(tmp_path, classes_of):
    classes = classes_of(["sky", "boat, ship", "天空"])
    rows = [("b/1.jpg", {2: 1, 0: 3}), ('q"uote,.jpg', {1: 7})]
    path = tmp_path / "out" / "areas.csv"
    write_areas_csv(path, rows, classes)
    with path.open(encoding="utf-8-sig", newline="") as file:
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


def test_a_spreadsheet_takes_every_name_for_text(tmp_path, classes_of):
    names = [
        "=1+1.jpg",
        "+a.jpg",
        "-a.jpg",
        "@a.jpg",
        "\ta.jpg",
        "\ra.jpg",
        " =a.jpg",
        "\uff1da.jpg",
        "a=b.jpg",
        "Köln.jpg",
    ]
    classes = classes_of(['=HYPERLINK("http://a.b","c")'])
    write_areas_csv(tmp_path / "areas.csv", [(name, {0: 4}) for name in names], classes)
    assert (tmp_path / "areas.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "areas.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["image"] for row in table] == [f"'{name}" for name in names[:8]] + names[8:]
    assert {row["class"] for row in table} == {"'" + classes.names[0]}
    write_wide_areas_csv(tmp_path / "wide.csv", [("=a.jpg", {0: 4})], classes)
    with (tmp_path / "wide.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["image", "'" + classes.names[0]], ["'=a.jpg", "1.000000"]]


def test_the_wide_table_has_zeros_so_that_a_mean_is_over_all_images(tmp_path, classes_of):
    rows = [("a.jpg", {0: 1, 2: 3}), ("b.jpg", {1: 4}), ("c.jpg", {})]
    write_wide_areas_csv(tmp_path / "wide.csv", rows, classes_of(["sky", "sea", "sand"]))
    assert (tmp_path / "wide.csv").read_text(encoding="utf-8-sig").splitlines() == [
        "image,sky,sea,sand",
        "a.jpg,0.250000,0.000000,0.750000",
        "b.jpg,0.000000,1.000000,0.000000",
        "c.jpg,0.000000,0.000000,0.000000",
    ]
