import json
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from densezero.errors import DeviceFullError, OutputError
from densezero.output import writer
from densezero.output.labels import read_labels
from densezero.output.writer import FORMATS, ImageResult, check_formats, plan_outputs, write_result

# decode() of pycocotools hands NumPy an array type that has not yet learnt its newest keyword
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

ALL = ["labels", "overlay", "coco", "polygons", "scores", "csv"]


@pytest.fixture
def result(classes_of, blob_labels):
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    scores = np.random.default_rng(1).normal(size=(3, 6, 8)).astype(np.float32)
    return ImageResult(rgb, blob_labels((30, 40), 3), classes_of(["sky", "sea", "sand"]), scores)


def test_paths_follow_the_input_and_keep_inner_dots(tmp_path):
    plan = plan_outputs(tmp_path, [PurePosixPath("day 1/a.b.jpg")], ALL)
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in plan.paths("day 1/a.b.jpg").items()} == {
        "labels": "labels/day 1/a.b.png",
        "overlay": "overlays/day 1/a.b.jpg",
        "coco": "coco/day 1/a.b.json",
        "polygons": "polygons/day 1/a.b.geojson",
        "scores": "scores/day 1/a.b.npz",
    }
    assert plan.run_path("csv") == tmp_path / "areas.csv"
    assert plan_outputs(tmp_path, ["a.jpg"], ["labels"]).run_path("csv") is None


def test_every_format_is_written_and_reads_back(tmp_path, result):
    written = write_result(plan_outputs(tmp_path, ["x/a.jpg"], ALL).paths("x/a.jpg"), result)
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    labels, overlay, coco, polygons, scores = written
    np.testing.assert_array_equal(read_labels(labels), result.labels)
    with Image.open(overlay) as image:
        assert image.format == "JPEG"
    for entry in json.loads(coco.read_bytes()):
        np.testing.assert_array_equal(coco_mask.decode(entry["segmentation"]), result.labels == entry["category_id"])
    assert json.loads(polygons.read_bytes())["type"] == "FeatureCollection"
    with np.load(scores) as archive:
        assert archive["scores"].shape == (3, 6, 8)


def test_only_what_was_asked_for_is_written(tmp_path, result):
    write_result(plan_outputs(tmp_path, ["a.jpg"], ["labels", "csv"]).paths("a.jpg"), result)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.png"]


@pytest.mark.parametrize(
    ("relatives", "pair"),
    [
        (["b.jpg", "a.jpg", "a.png"], "a.jpg and a.png"),
        (["x/A.JPG", "x/a.jpg"], "x/A.JPG and x/a.jpg"),
        (["caf\u00e9.jpg", "cafe\u0301.jpg"], "caf\u00e9.jpg and cafe\u0301.jpg"),
        (["a.jpg", "a.jpg"], "a.jpg and a.jpg"),
        (["a.jpg", "a.png/b.jpg"], "a.jpg and a.png/b.jpg"),
    ],
)
def test_two_inputs_for_one_output_are_refused(tmp_path, relatives, pair):
    with pytest.raises(OutputError, match="Rename one of each pair") as caught:
        plan_outputs(tmp_path, relatives, ["labels"])
    assert pair in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_many_clashes_are_counted_and_five_are_listed(tmp_path):
    relatives = [f"{number}.{suffix}" for number in range(8) for suffix in ("jpg", "png")]
    with pytest.raises(OutputError, match=r"got 8 that.*4\.jpg and 4\.png; \.\.\.\. Rename"):
        plan_outputs(tmp_path, relatives, ["labels"])


def test_inputs_with_outputs_of_their_own_are_accepted(tmp_path):
    plan_outputs(tmp_path, ["a.jpg", "b/a.jpg", "a.b.jpg", "a/b.jpg"], ALL)


@pytest.mark.parametrize("relative", ["/etc/a.jpg", "../a.jpg", "x/../../a.jpg", "."])
def test_an_input_outside_the_folder_is_refused(tmp_path, relative):
    with pytest.raises(OutputError, match="relative to the input folder"):
        plan_outputs(tmp_path, [relative], ["labels"])


def test_an_unknown_format_gets_the_nearest_name():
    with pytest.raises(OutputError, match=r"got 'overlays'\. Did you mean 'overlay'\? Known: labels, overlay"):
        check_formats(["labels", "overlays"])


def test_no_format_at_all_is_refused():
    with pytest.raises(OutputError, match="at least one format"):
        check_formats([])


def test_formats_come_once_and_in_the_order_of_the_table():
    assert check_formats(["csv", "coco", "labels", "coco"]) == ("labels", "coco", "csv")


def test_scores_that_were_not_kept_are_asked_for(tmp_path, result):
    bare = ImageResult(result.rgb, result.labels, result.classes)
    with pytest.raises(OutputError, match="got none"):
        write_result({"scores": tmp_path / "a.npz"}, bare)
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_fails_leaves_only_whole_files(tmp_path, result, monkeypatch):
    def full(path, write):
        if path.suffix == ".json":
            raise DeviceFullError("full")
        real(path, write)

    real = writer.write_bytes
    monkeypatch.setattr(writer, "write_bytes", full)
    with pytest.raises(DeviceFullError):
        write_result(plan_outputs(tmp_path, ["a.jpg"], ALL).paths("a.jpg"), result)
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["a.jpg", "a.png"]
    np.testing.assert_array_equal(read_labels(tmp_path / "labels" / "a.png"), result.labels)


def test_folders_and_suffixes_are_those_of_the_design():
    assert {name: (known.folder, known.suffix) for name, known in FORMATS.items()} == {
        "labels": ("labels", ".png"),
        "overlay": ("overlays", ".jpg"),
        "coco": ("coco", ".json"),
        "polygons": ("polygons", ".geojson"),
        "scores": ("scores", ".npz"),
    }
