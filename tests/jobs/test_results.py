"""A run's results are loaded again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import densezero
from densezero.errors import InputError
from densezero.jobs.segment import segment_images
from densezero.jobs.settings import SegmentSettings
from densezero.pretrain.scenes import draw_scene


@pytest.fixture
def run(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "more").mkdir(parents=True)
    for index, name in enumerate(("a.png", "more/b.png")):
        Image.fromarray(draw_scene((7, index), (60, 90)).rgb).save(photos / name)
    (photos / "broken.jpg").write_bytes(b"no picture")
    settings = SegmentSettings(
        (photos,),
        out,
        classes="sky, grass=meadow, sea",
        model="nano",
        templates="plain",
        short_side_px=56,
        dtype="float32",
    )
    segment_images(settings)
    return out


def test_labels_classes_and_pictures_come_back(run):
    results = densezero.load_results(run)
    assert list(results) == ["a.png", "more/b.png"]
    assert list(results.failed) == ["broken.jpg"]
    assert repr(results).endswith(": images 2, classes 3, failed 1>")
    segmenter = densezero.Segmenter(
        densezero.load_encoder("nano", dtype="float32"), "sky, grass=meadow, sea", results.provenance.protocol,
        densezero.load_templates("plain"),
    )  # fmt: skip
    for name, result in results.items():
        again = segmenter.segment(run.parent / "photos" / name)
        assert np.array_equal(result.labels, again.labels)
        assert result.classes.words == again.classes.words
        assert result.provenance == again.provenance
        assert result.areas() == again.areas()
        assert np.array_equal(np.asarray(result.overlay()), np.asarray(again.overlay()))


def test_a_picture_that_has_gone_is_named_when_it_is_drawn_and_labels_still_come(run):
    shutil.rmtree(run.parent / "photos")
    result = densezero.load_results(str(run))["a.png"]
    assert result.labels.shape == (60, 90)
    with pytest.raises(InputError, match=r"a\.png"):
        result.overlay()


def test_a_run_without_labels_says_so(run):
    manifest = json.loads((run / "run.json").read_text())
    for image in manifest["images"]:
        image["outputs"] = [name for name in image["outputs"] if not name.startswith("labels/")]
    (run / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"labels of a\.png.*did not save labels"):
        densezero.load_results(run)["a.png"]


def test_an_unknown_image_is_a_key_error_that_names_the_nearest(run):
    results = densezero.load_results(run)
    with pytest.raises(KeyError) as caught:
        results["a.jpg"]
    assert str(caught.value).startswith("Expected the path of an image below its input folder")
    assert "Did you mean 'a.png'?" in str(caught.value)
    assert results.get("a.jpg") is None and "a.jpg" not in results


def test_pictures_are_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(draw_scene((7, 0), (60, 90)).rgb).save("photos/a.png")
    settings = SegmentSettings(
        (Path("photos"),), Path("out"), classes="sky, sea", model="nano", templates="plain", short_side_px=56
    )
    segment_images(settings)
    monkeypatch.chdir("/")
    assert densezero.load_results(tmp_path / "out")["a.png"].overlay().size[0] >= 90


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("run.json", None, r"finished run; no run\.json is in"),
        ("classes.json", None, r"no classes\.json is in"),
        ("run.json", "{", "cannot be read"),
        ("run.json", "[]", "JSON object"),
        ("run.json", '{"request": {}, "images": []}', "manifest of `densezero segment`; it is not"),
    ],
)
def test_a_folder_that_holds_no_run_is_refused(run, name, content, words):
    (run / name).unlink()
    if content is not None:
        (run / name).write_text(content)
    with pytest.raises(InputError, match=words):
        densezero.load_results(run)
