import io
import json
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from densezero.errors import OutputError
from densezero.output.formats import LAYOUTS, MASK_FORMATS, NAMES, run_files_of
from densezero.output.image_files import FORMATS, ImageResult
from densezero.output.writer import check_formats, plan_outputs

ALL = ["labels", "grey", "grey-from-1", "overlay", "coco", "polygons", "scores", "confidence", "csv", "csv-wide"]


@pytest.fixture
def result(classes_of, blob_labels):
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    scores = np.random.default_rng(1).normal(size=(3, 6, 8)).astype(np.float32)
    return ImageResult(
        rgb, blob_labels((30, 40), 3), classes_of(["sky", "sea", "sand"]), scores, np.full((30, 40), 0.75)
    )


def test_names_follow_the_input_and_keep_inner_dots():
    plan = plan_outputs([PurePosixPath("day 1/a.b.jpg")], ALL)
    assert plan.files("day 1/a.b.jpg") == {
        "labels": "labels/day 1/a.b.png",
        "grey": "grey/day 1/a.b.png",
        "grey-from-1": "grey-from-1/day 1/a.b.png",
        "overlay": "overlays/day 1/a.b.jpg",
        "polygons": "polygons/day 1/a.b.geojson",
        "scores": "scores/day 1/a.b.npz",
        "confidence": "confidence/day 1/a.b.png",
    }
    assert plan.run_files() == {"areas.csv": "csv", "areas-wide.csv": "csv-wide", "coco.json": "coco"}
    assert plan_outputs(["a.jpg"], ["labels"]).run_files() == {}


def test_a_layout_has_several_files_of_an_image_and_the_picture_keeps_its_ending():
    plan = plan_outputs(["x/a.b.jpg"], ["voc", "labelme"])
    assert list(plan.files("x/a.b.jpg").values()) == [
        "voc/JPEGImages/x/a.b.jpg",
        "voc/SegmentationClass/x/a.b.png",
        "voc/SegmentationObject/x/a.b.png",
        "labelme/x/a.b.jpg",
        "labelme/x/a.b.json",
    ]
    made, photos = plan.image_files(["x/a.b.jpg"])
    assert photos == ["voc/JPEGImages/x/a.b.jpg", "labelme/x/a.b.jpg"]
    assert {*made, *photos} == {*plan.files("x/a.b.jpg").values()}
    assert list(plan.run_files()) == [*LAYOUTS["voc"], *LAYOUTS["labelme"]]


@pytest.mark.parametrize("form", sorted(MASK_FORMATS))
def test_a_file_made_of_the_masks_brings_the_masks_along(form):
    assert plan_outputs(["a.jpg"], [form]).has_masks
    assert plan_outputs(["a.jpg"], ["labels"], earlier=run_files_of(form)).formats == ("labels", "coco", form)


def test_no_two_formats_share_a_file():
    plan = plan_outputs(["a.jpg"], NAMES)
    files = [file for name in NAMES for file in plan.files_of(name, "a.jpg")]
    files += [file for name in NAMES for file in run_files_of(name)]
    assert len({*files}) == len(files) == len(plan.files("a.jpg")) + len(plan.run_files())


def test_two_inputs_that_differ_in_their_ending_lie_side_by_side_with_their_endings():
    plan = plan_outputs(["x/a.jpg", "x/a.png"], ["labels"], keep_suffix=True)
    assert [plan.files(name) for name in ("x/a.jpg", "x/a.png")] == [
        {"labels": "labels/x/a.jpg.png"},
        {"labels": "labels/x/a.png.png"},
    ]
    with pytest.raises(OutputError, match=r"x/A\.jpg and x/a\.jpg"):
        plan_outputs(["x/A.jpg", "x/a.jpg"], ["labels"], keep_suffix=True)


def test_a_plan_takes_in_what_an_earlier_run_wrote_for_the_whole_run():
    plan = plan_outputs(["a.jpg"], ["labels", "coco"], earlier={"areas.csv", "classes.json"})
    assert plan.run_files() == {"areas.csv": "csv", "coco.json": "coco"}


def test_every_format_of_an_image_reads_back(result):
    labels, grey, grey_from_1, overlay, polygons, scores, confidence = (
        io.BytesIO(known.encode(result)) for known in FORMATS.values()
    )
    for file, first in ((labels, 0), (grey, 0), (grey_from_1, 1)):
        with Image.open(file) as image:
            np.testing.assert_array_equal(np.array(image), result.labels + first)
    with Image.open(overlay) as image:
        assert image.format == "JPEG"
    assert json.loads(polygons.read())["type"] == "FeatureCollection"
    with np.load(scores) as archive:
        assert archive["scores"].shape == (3, 6, 8)
    with Image.open(confidence) as image:
        assert np.unique(np.array(image)).tolist() == [191]


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
def test_two_inputs_for_one_output_are_refused(relatives, pair):
    with pytest.raises(OutputError, match="Rename one of each pair") as caught:
        plan_outputs(relatives, ["labels"])
    assert pair in str(caught.value)


def test_many_clashes_are_counted_and_five_are_listed():
    relatives = [f"{number}.{suffix}" for number in range(8) for suffix in ("jpg", "png")]
    with pytest.raises(OutputError, match=r"got 8 that.*4\.jpg and 4\.png; \.\.\.\. Rename"):
        plan_outputs(relatives, ["labels"])


def test_inputs_with_outputs_of_their_own_are_accepted():
    plan_outputs(["a.jpg", "b/a.jpg", "a.b.jpg", "a/b.jpg"], ALL)


@pytest.mark.parametrize("relative", ["/etc/a.jpg", "../a.jpg", "x/../../a.jpg", "."])
def test_an_input_outside_the_folder_is_refused(relative):
    with pytest.raises(OutputError, match="relative to the input folder"):
        plan_outputs([relative], ["labels"])


def test_an_unknown_format_gets_the_nearest_name():
    with pytest.raises(OutputError, match=r"got 'overlays'\. Did you mean 'overlay'\? Known: labels, grey, "):
        check_formats(["labels", "overlays"])


def test_no_format_at_all_is_refused():
    with pytest.raises(OutputError, match="at least one format"):
        check_formats([])


def test_formats_come_once_and_in_the_order_of_the_table():
    assert check_formats(["csv", "coco", "labels", "coco"]) == ("labels", "csv", "coco")


def test_scores_that_were_not_kept_are_asked_for(result):
    with pytest.raises(OutputError, match="got none"):
        FORMATS["scores"].encode(ImageResult(result.rgb, result.labels, result.classes))
    with pytest.raises(OutputError, match="got none"):
        FORMATS["confidence"].encode(ImageResult(result.rgb, result.labels, result.classes))


def test_folders_and_suffixes_are_those_of_the_design():
    assert {name: (known.folder, known.suffix) for name, known in FORMATS.items()} == {
        "labels": ("labels", ".png"),
        "grey": ("grey", ".png"),
        "grey-from-1": ("grey-from-1", ".png"),
        "overlay": ("overlays", ".jpg"),
        "polygons": ("polygons", ".geojson"),
        "scores": ("scores", ".npz"),
        "confidence": ("confidence", ".png"),
    }
