"""``segment --head`` and ``evaluate --head``: the supervised decoder through the same writer and the same counts."""

import json

import numpy as np
import pytest
from PIL import Image

import densezero
from densezero.datasets import load_dataset
from densezero.errors import InputError, ModelError, OutputError
from densezero.heads import DensePredictor
from densezero.jobs.evaluate.report import draw_report
from densezero.jobs.evaluate.resegment import build_segmenter_again
from densezero.jobs.evaluate.run import evaluate_dataset
from densezero.jobs.evaluate.settings import EvaluateSettings, ReportSettings
from densezero.jobs.heads import labels
from densezero.jobs.segment import segment_images
from densezero.jobs.settings import SegmentSettings
from densezero.progress import Listener
from tests.datasets.devkits import draw_ade, draw_voc
from tests.heads.hub_files import write_small_hub
from tests.jobs.photos import read_labels, write_scenes
from tests.jobs.test_segment_run import files_under


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_hub(tmp_path_factory.mktemp("hub") / "small", classes=150)


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "sub/b.jpg"])


def settings(inputs, out, model, **changes):
    values = {"model": str(model), "head": "ade20k", "short_side_px": 56, **changes}
    return SegmentSettings((inputs,), out, "cpu", "float32", **values)


def predict(model, image, side_px=56):
    encoder, head = densezero.load_encoder(model, "cpu", "float32"), densezero.load_head(model, "segmentation")
    return DensePredictor(encoder, head, side_px).predict(image)


def test_labels_go_through_the_same_writer(tmp_path, folder, model):
    out = tmp_path / "out"
    formats = ("labels", "overlay", "csv", "coco", "scores", "confidence", "mmseg")
    summary = segment_images(settings(folder, out, model, save=formats))
    assert (summary.done, summary.failed) == (2, 0)
    assert {"labels/sub/b.png", "overlays/a.jpg", "areas.csv", "coco.json", "mmseg/dataset.py"} <= files_under(out)
    expected = predict(model, folder / "a.png")
    assert np.array_equal(read_labels(out / "labels" / "a.png"), expected.labels)
    listed = json.loads((out / "classes.json").read_text())
    assert [listed["classes"][index]["name"] for index in (0, 12, 149)] == ["wall", "person", "flag"]
    with np.load(out / "scores" / "a.npz") as arrays:
        assert arrays["scores"].shape == (150, 48, 64)
        best = arrays["scores"].argmax(0)
    assert (best == expected.labels).mean() > 0.95  # float16 scores tie where float32 ones did not
    results = densezero.load_results(out)
    assert np.array_equal(results["a.png"].labels, expected.labels)


def test_the_same_request_goes_on_and_another_one_is_refused(tmp_path, folder, model):
    out = tmp_path / "out"
    segment_images(settings(folder / "a.png", out, model))
    assert segment_images(settings(folder / "a.png", out, model)).skipped == 1
    with pytest.raises(OutputError, match=r"these differ: protocol.short_side_px \(there 56, now 70\)"):
        segment_images(settings(folder / "a.png", out, model, short_side_px=70))


def test_regions_of_a_folder_vote_by_logits(tmp_path, folder, model):
    (tmp_path / "regions").mkdir()
    Image.fromarray(np.ones((48, 64), np.uint8)).save(tmp_path / "regions" / "a.png")
    segment_images(settings(folder / "a.png", tmp_path / "out", model, regions=str(tmp_path / "regions")))
    assert len(np.unique(read_labels(tmp_path / "out" / "labels" / "a.png"))) == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"classes": "sky, sea"}, "--classes"),
        ({"vocabulary": "ade20k"}, "--vocabulary"),
        ({"templates": "plain"}, "--templates"),
        ({"background": "auto"}, "--background"),
        ({"background_threshold": 0.3}, "--background-threshold"),
        ({"unknown": 0.3}, "--unknown"),
        ({"protocol": "ovss"}, "--protocol"),
        ({"refine": "pamr"}, "--refine"),
        ({"examples": ("mug=a.png,b.png",)}, "--example"),
        ({"show_confidence": True}, "--show-confidence"),
        ({"classes": "sky", "refine": "grid"}, "--classes, --refine"),
    ],
)
def test_options_for_words_are_refused(tmp_path, changes, named):
    with pytest.raises(InputError, match=f"^Expected --head without {named}, because"):
        settings(tmp_path, tmp_path / "out", "nano", **changes)


def test_a_preset_without_a_head_and_with_another_side_is_refused(tmp_path):
    with pytest.raises(InputError, match="Add --head ade20k"):
        settings(tmp_path, tmp_path / "out", "nano", head=None, classes="sky", preset="official")
    with pytest.raises(InputError, match="got --short-side 56"):
        settings(tmp_path, tmp_path / "out", "nano", preset="official")


@pytest.mark.parametrize("name", ["nano", "open_clip:ViT-B-16/random"])
def test_a_model_without_a_head_names_those_that_have_one(tmp_path, folder, name):
    with pytest.raises(ModelError, match=r"that have them: tipsv2-b14, .*tipsv2-g14\."):
        segment_images(settings(folder, tmp_path / "out", name))
    assert not (tmp_path / "out").exists() or files_under(tmp_path / "out") == set()


@pytest.fixture
def small_input(monkeypatch):
    """Evaluations at a short side that takes little time."""
    monkeypatch.setattr(labels, "DEFAULT_SIDE_PX", 56)


def evaluation(root, out, model, **changes):
    return EvaluateSettings("ade20k", root, out, **{"model": str(model), "device": "cpu", "head": "ade20k", **changes})


def test_an_evaluation_counts_the_labels_of_the_head(tmp_path, model, small_input):
    root, _ = draw_ade(tmp_path)
    report = evaluate_dataset(evaluation(root, tmp_path / "r.json", model))
    dataset = load_dataset("ade20k", root)
    confusion = np.zeros((150, 150), np.int64)
    for pair in dataset.pairs:
        truth, found = dataset.read_target(pair), predict(model, pair.image).labels
        kept = truth != dataset.ignore
        np.add.at(confusion, (truth[kept], found[kept]), 1)
    assert np.array_equal(report.confusion, confusion)
    assert confusion.sum() > 0
    assert (report.protocol, report.request["head"], report.request["preset"]) == ("dpt", "ade20k", "ratio")
    assert evaluate_dataset(evaluation(root, tmp_path / "r.json", model)) == report  # kept
    again = build_segmenter_again(report, ReportSettings(tmp_path / "r.json", tmp_path), dataset, Listener())
    made = json.loads(json.dumps(again.provenance.to_json()))
    assert made == {name: report.request[name] for name in made}


def test_a_report_is_not_drawn_with_another_head(tmp_path, model, small_input):
    root, _ = draw_ade(tmp_path)
    evaluate_dataset(evaluation(root, tmp_path / "r.json", model, limit=1))
    content = json.loads((tmp_path / "r.json").read_text())
    content["request"]["examples"][0]["head_sha256"] = "f" * 64
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="Expected the head of the report"):
        draw_report(ReportSettings(tmp_path / "r.json", tmp_path / "r.html", count=1))


def test_another_data_set_and_options_for_words_are_refused(tmp_path, model):
    root, _ = draw_voc(tmp_path)
    chosen = EvaluateSettings("voc20", root, tmp_path / "r.json", str(model), head="ade20k")
    with pytest.raises(InputError, match="the 150 classes of ADE20K for --head; voc20 has 20 others"):
        evaluate_dataset(chosen)
    with pytest.raises(InputError, match="--head without --templates, --protocol, --readout"):
        evaluation(root, tmp_path / "r.json", model, templates="plain", protocol="ovss", readout="patch")
