import json

import numpy as np
import pytest

from densezero.errors import InputError, ModelError, OutputError
from densezero.heads import DensePredictor, load_head
from densezero.heads.open import open_encoder
from densezero.jobs.evaluate import depth as depth_job
from densezero.jobs.evaluate.depth import evaluate_depth
from densezero.jobs.evaluate.settings import DepthSettings
from tests.cli.test_commands import run
from tests.heads.hub_files import write_small_hub
from tests.jobs.photos import Recorder

pytest.importorskip("h5py")
from tests.datasets.nyu import TEST, draw_nyu

SMALL = (24, 32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_small_hub(tmp_path_factory.mktemp("hub") / "small"))


@pytest.fixture(autouse=True)
def small_input(monkeypatch):
    """Encode images at a short side of 42 pixels, so that the tests are quick."""
    monkeypatch.setattr(depth_job, "DEFAULT_SIDE_PX", 42)


def request(root, out, model, **changes):
    return DepthSettings(root, out, model, **{"device": "cpu", **changes})


def scores_by_hand(depth, target, kept):
    """AbsRel, RMSE and delta 1 to 3 of an image, written out again."""
    predicted, truth = np.clip(depth, 0.001, 10)[kept].astype(float), target[kept].astype(float)
    ratio = np.maximum(predicted / truth, truth / predicted)
    shares = [100 * np.mean(ratio < 1.25**power) for power in (1, 2, 3)]
    return [np.mean(np.abs(predicted - truth) / truth), np.sqrt(np.mean((predicted - truth) ** 2)), *shares]


def test_scores_are_the_mean_over_the_test_images(tmp_path, model):
    images, depths = draw_nyu(tmp_path / "nyu", SMALL)
    report = evaluate_depth(request(tmp_path / "nyu", tmp_path / "r.json", model))
    predictor = DensePredictor(open_encoder(model, True, "cpu", "float32"), load_head(model, "depth"), 42)
    rows = []
    for number in TEST:
        depth, target = predictor.predict(images[number - 1]).depth, depths[number - 1]
        rows.append(scores_by_hand(depth, target, (target > 0.001) & (target < 10)))
    assert list(report.scores.values()) == pytest.approx(np.mean(rows, 0))
    stored = json.loads((tmp_path / "r.json").read_text())
    assert [image["name"] for image in stored["per_image"]] == ["0004", "0002", "0005"]
    assert [image["rmse_m"] for image in stored["per_image"]] == pytest.approx([row[1] for row in rows])
    assert stored["per_image"][0]["pixels"] == 16 * 32
    assert list(stored["scores"]) == ["abs_rel", "rmse_m", "delta1", "delta2", "delta3"]
    request_ = stored["request"]
    assert (request_["truth"], request_["range_m"], request_["eigen_crop"]) == ("rawDepths", [0.001, 10.0], False)
    assert all(len(sha256) == 64 for sha256 in request_["files_sha256"].values())


def test_the_crop_counts_its_pixels_alone(tmp_path, model):
    _, depths = draw_nyu(tmp_path / "nyu")
    report = evaluate_depth(request(tmp_path / "nyu", tmp_path / "r.json", model, eigen_crop=True, limit=1))
    assert report.per_image[0]["pixels"] == int((depths[3][45:471, 41:601] > 0).sum())
    assert report.images == 1


def test_a_stopped_evaluation_goes_on_where_it_stopped(tmp_path, model, monkeypatch):
    draw_nyu(tmp_path / "nyu", SMALL)
    whole = evaluate_depth(request(tmp_path / "nyu", tmp_path / "whole.json", model))

    class Stopping(Recorder):
        def image(self, progress, miou=None):
            super().image(progress)
            if len(self.images) == 2:
                raise KeyboardInterrupt

    settings = request(tmp_path / "nyu", tmp_path / "r.json", model)
    with pytest.raises(KeyboardInterrupt):
        evaluate_depth(settings, Stopping())
    assert not settings.out.exists()
    with pytest.raises(OutputError, match=r"another request that was not finished; these differ: eigen_crop"):
        evaluate_depth(request(tmp_path / "nyu", settings.out, model, eigen_crop=True))
    listener = Recorder()
    report = evaluate_depth(settings, listener)
    assert [(progress.relative, progress.skipped) for progress in listener.images] == [("0005", 2)]
    assert (report.scores, report.per_image) == (whole.scores, whole.per_image)
    assert sorted(file.name for file in tmp_path.glob(".r.json*")) in ([], [".r.json.lock"])


def test_a_finished_report_is_kept_and_never_that_of_another_request(tmp_path, model):
    draw_nyu(tmp_path / "nyu", SMALL)
    settings = request(tmp_path / "nyu", tmp_path / "r.json", model, limit=1)
    first = evaluate_depth(settings)
    content, listener = settings.out.read_bytes(), Recorder()
    assert evaluate_depth(settings, listener).scores == first.scores
    assert (listener.images, settings.out.read_bytes()) == ([], content)
    with pytest.raises(OutputError, match="another request; these differ: images"):
        evaluate_depth(request(tmp_path / "nyu", settings.out, model, limit=2))
    draw_nyu(tmp_path / "nyu", SMALL, seed=1)
    with pytest.raises(OutputError, match=r"files_sha256.nyu_depth_v2_labeled"):
        evaluate_depth(settings)
    settings.out.write_text("{}")
    with pytest.raises(OutputError, match="would be written over"):
        evaluate_depth(settings)


def test_a_model_without_a_head_names_those_that_have_one(tmp_path):
    draw_nyu(tmp_path / "nyu", SMALL)
    with pytest.raises(ModelError, match=r"nano has no heads for depth.*tipsv2-b14"):
        evaluate_depth(request(tmp_path / "nyu", tmp_path / "r.json", "nano"))


def test_the_command_line_says_the_scores(tmp_path, model):
    draw_nyu(tmp_path / "nyu", SMALL)
    words = ("evaluate", "nyu-depth", "--root", str(tmp_path / "nyu"), "--model", model, "--device", "cpu")
    outcome = run(*words, "--out", str(tmp_path / "r.json"), "--limit", "2")
    assert outcome.exit_code == 0
    scores = json.loads((tmp_path / "r.json").read_text())["scores"]
    assert outcome.stdout.startswith(f"RMSE {scores['rmse_m']:.4f} m, AbsRel {scores['abs_rel']:.4f}, delta1 ")
    assert "mean over 2 images of nyu-depth" in outcome.stdout
    with pytest.raises(InputError, match="--protocol, --boundary cannot be used with nyu-depth"):
        run(*words, "--out", str(tmp_path / "r.json"), "--boundary", "--protocol", "ovss")
    with pytest.raises(InputError, match="--eigen-crop cannot be used for other data sets"):
        run("evaluate", "ade20k", "--root", str(tmp_path), "--out", str(tmp_path / "s.json"), "--eigen-crop")


def test_a_report_gives_its_settings_to_another_run_and_no_table(tmp_path, model):
    draw_nyu(tmp_path / "nyu", SMALL)
    first = run(
        "evaluate", "nyu-depth", "--root", str(tmp_path / "nyu"), "--model", model, "--head", model, "--device", "cpu",
        "--limit", "1", "--preset", "official", "--out", str(tmp_path / "r.json"),
    )  # fmt: skip
    again = run("evaluate", "--like", str(tmp_path / "r.json"), "--device", "cpu", "--out", str(tmp_path / "s.json"))
    assert (first.exit_code, again.exit_code) == (0, 0)
    requests = [json.loads((tmp_path / name).read_text())["request"] for name in ("r.json", "s.json")]
    assert requests[0] == requests[1]
    assert requests[0]["head_file"] == model
    for words in (("table",), ("report", "--out", str(tmp_path / "t.html"))):
        with pytest.raises(InputError, match=r"r.json is a report of depth\. Tables and pictures"):
            run(*words, str(tmp_path / "r.json"))
