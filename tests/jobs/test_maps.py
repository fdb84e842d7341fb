"""``depth`` and ``normals`` over folders: the loop, the files, what is refused before work starts."""

import json

import numpy as np
import pytest
from PIL import Image

import densezero
from densezero.errors import InputError, ModelError, OutputError
from densezero.heads import DensePredictor
from densezero.jobs.heads import maps as job
from densezero.jobs.heads.settings import MapSettings
from tests.conftest import GOLDEN
from tests.heads.hub_files import write_small_hub
from tests.jobs.photos import Recorder, read_labels, write_scenes
from tests.jobs.test_segment_run import files_under

ALL = ("png", "npz", "picture", "ply")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a small encoder and its three heads, with ADE20K's number of classes."""
    return write_small_hub(tmp_path_factory.mktemp("hub") / "small", classes=150)


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "sub/b.jpg"])


def settings(inputs, out, model, **changes):
    return MapSettings((inputs,), out, "cpu", "float32", **{"model": str(model), "side_px": 56, **changes})


def test_one_pass_writes_the_files_of_several_heads(tmp_path, folder, model, monkeypatch):
    passes, encode = [], DensePredictor.encode
    monkeypatch.setattr(
        DensePredictor, "encode", lambda self, inputs: passes.append(len(inputs)) or encode(self, inputs)
    )
    out = tmp_path / "out"
    summary = job.predict_maps(settings(folder, out, model, also=("normals", "segmentation"), save=ALL))
    assert (summary.done, summary.failed, summary.files, passes) == (2, 0, ("classes.json",), [1, 1])
    kinds = ("depth/{}.png", "depth/{}.npz", "depth-pictures/{}.jpg", "points/{}.ply", "normals/{}.png",
             "normals/{}.npz", "labels/{}.png", "overlays/{}.jpg")  # fmt: skip
    expected = {kind.format(name) for kind in kinds for name in ("a", "sub/b")}
    assert files_under(out) == {*expected, "classes.json", "run.json"}


def test_the_files_hold_what_the_predictor_gives(tmp_path, folder, model):
    out = tmp_path / "out"
    job.predict_maps(settings(folder, out, model, also=("normals", "segmentation")))
    heads = [densezero.load_head(model, task) for task in ("depth", "normals", "segmentation")]
    expected = DensePredictor(densezero.load_encoder(model, "cpu", "float32"), heads, 56).predict(folder / "a.png")
    with np.load(out / "depth" / "a.npz") as arrays:
        assert arrays["depth"].dtype == np.float32
        assert np.array_equal(arrays["depth"], expected.depth)
    with np.load(out / "normals" / "a.npz") as arrays:
        assert np.array_equal(arrays["normals"], expected.normals)
    with Image.open(out / "depth" / "a.png") as image:
        assert np.array_equal(np.asarray(image), np.rint(expected.depth * 1000))
    assert np.array_equal(read_labels(out / "labels" / "a.png"), expected.labels)
    pixels = json.loads((out / "run.json").read_text())["images"][0]["pixels"]
    assert {int(index): count for index, count in pixels.items()} == dict(
        zip(*map(list, np.unique(expected.labels, return_counts=True)), strict=True)
    )


def test_the_official_preset_squeezes_the_image(tmp_path, folder, model):
    out = tmp_path / "out"
    job.predict_maps(settings(folder / "a.png", out, model, preset="official", side_px=448, save=("npz",)))
    head = densezero.load_head(model, "depth")
    predictor = DensePredictor(densezero.load_encoder(model, "cpu", "float32"), head, square=True)
    with np.load(out / "depth" / "a.npz") as arrays:
        assert np.array_equal(arrays["depth"], predictor.predict(folder / "a.png").depth)


def test_a_second_run_does_what_is_missing_and_another_request_is_refused(tmp_path, folder, model):
    out = tmp_path / "out"
    job.predict_maps(settings(folder, out, model, save=("png",)))
    assert job.predict_maps(settings(folder, out, model, save=("png",))).skipped == 2
    (out / "depth" / "a.png").unlink()
    assert job.predict_maps(settings(folder, out, model, save=("png",))).done == 1
    assert job.predict_maps(settings(folder, out, model, save=("npz",))).done == 2
    assert (out / "depth" / "a.png").exists()  # of a format that was asked for before
    with pytest.raises(OutputError, match=r"these differ: side_px \(there 56, now 70\)"):
        job.predict_maps(settings(folder, out, model, side_px=70))
    assert job.predict_maps(settings(folder, out, model, side_px=70, overwrite=True)).done == 2


def test_a_broken_file_is_named_and_a_dry_run_writes_nothing(tmp_path, folder, model):
    (folder / "z.jpg").write_text("no picture")
    recorder = Recorder()
    assert job.predict_maps(settings(folder, tmp_path / "dry", model, dry_run=True)).done == 3
    assert not (tmp_path / "dry").exists()
    summary = job.predict_maps(settings(folder, tmp_path / "out", model), recorder)
    assert (summary.done, summary.failed) == (2, 1)
    assert [progress.relative for progress in recorder.images if progress.error] == ["z.jpg"]


def test_a_focal_length_goes_into_the_point_cloud(tmp_path, folder, model):
    out = tmp_path / "out"
    job.predict_maps(settings(folder / "a.png", out, model, save=("ply",), focal_px=77.0))
    assert b"comment focal length 77.00 px" in (out / "points" / "a.ply").read_bytes()[:200]
    assert json.loads((out / "run.json").read_text())["request"]["focal_px"] == 77


def test_heads_of_ones_own_take_the_place_of_the_models(tmp_path, folder, model):
    depth, normals = write_small_hub(tmp_path / "heads") / "model.safetensors", GOLDEN / "dpt_b_normals.npz"
    with pytest.raises(ModelError, match="features of width"):  # the golden head is for another width
        job.predict_maps(settings(folder, tmp_path / "out", model, task="normals", heads=(normals,)))
    assert not (tmp_path / "out").exists()
    done = job.predict_maps(settings(folder, tmp_path / "out", model, also=("normals",), heads=(depth,))).done
    assert done == 2
    for given, said in (
        ((normals,), "it holds one for normals"),
        ((depth, normals), "one head too many: depth and segmentation have theirs"),
    ):
        with pytest.raises(ModelError, match=said):
            job.predict_maps(settings(folder, tmp_path / "o", model, also=("segmentation",), heads=given))
    with pytest.raises(ModelError, match="Expected a head for depth too"):
        job.predict_maps(settings(folder, tmp_path / "o", model, also=("normals",), heads=(normals,)))


@pytest.mark.parametrize("name", ["nano", "tips-b14", "open_clip:ViT-B-16/random"])
@pytest.mark.parametrize("task", ["depth", "normals"])
def test_a_model_without_heads_names_those_that_have_them(tmp_path, folder, name, task):
    with pytest.raises(ModelError, match=rf"{name} has no heads .* that have them: tipsv2-b14, tipsv2-l14, .*g14\."):
        job.predict_maps(settings(folder, tmp_path / "out", name, task=task))
    assert not (tmp_path / "out").exists()


def test_the_weights_and_the_pictures_are_never_written_over(tmp_path, folder, model):
    with pytest.raises(OutputError, match="lies in the input folder"):
        job.predict_maps(settings(folder, folder / "out", model, overwrite=True))
    (tmp_path / "depth").mkdir()
    (folder / "a.png").rename(tmp_path / "depth" / "a.png")
    with pytest.raises(OutputError, match="is one of the inputs"):
        job.predict_maps(settings(tmp_path / "depth" / "a.png", tmp_path, model, overwrite=True))


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"preset": "offical"}, InputError, "preset out of ratio, official"),
        ({"side_px": 0}, InputError, "--side of at least 1 pixel"),
        ({"preset": "official", "side_px": 896}, InputError, "Leave one of them out"),
        ({"also": ("normal",)}, ModelError, "Did you mean 'normals'"),
        ({"also": ("depth",)}, ModelError, "each task once; got depth, depth"),
        ({"also": ("normals", "normals")}, ModelError, "each task once; got depth, normals, normals"),
    ],
)
def test_contradicting_settings_are_refused(tmp_path, changes, kind, said):
    with pytest.raises(kind, match=said):
        settings(tmp_path, tmp_path / "out", "nano", **changes)


def test_a_segmentation_head_of_other_classes_is_refused(tmp_path, folder):
    other = write_small_hub(tmp_path / "five")
    with pytest.raises(ModelError, match="150 classes of ADE20K; five has 5 outputs"):
        job.predict_maps(settings(folder, tmp_path / "out", other, also=("segmentation",)))
