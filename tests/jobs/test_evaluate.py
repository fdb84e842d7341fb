import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix

import densezero
from densezero.datasets import load_dataset
from densezero.engine import find_protocol
from densezero.errors import DenseZeroError, InputError, OutputError
from densezero.evaluation import counting
from densezero.evaluation.deviations import list_deviations
from densezero.evaluation.image_sums import read_sums, sums_file
from densezero.evaluation.report import read_report
from densezero.jobs.evaluate import run as job
from densezero.jobs.evaluate.processes import Shard
from densezero.jobs.evaluate.resegment import build_segmenter_again
from densezero.jobs.evaluate.settings import EvaluateSettings, ReportSettings
from densezero.metrics import count_boundaries
from densezero.output.lock import lock
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from densezero.progress import Listener
from densezero.vocabulary import ClassEntry, ClassList
from tests.conftest import ROOT
from tests.datasets.devkits import draw_voc
from tests.jobs.photos import Recorder


@pytest.fixture
def root(tmp_path):
    """Five drawn scenes in the layout of anyone's own data."""
    folder = tmp_path / "scenes"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    classes = ClassList("scenes", tuple(ClassEntry(concept.name) for concept in CONCEPTS))
    (folder / "classes.json").write_text(classes.to_json())
    for index in range(5):
        scene = draw_scene((12, index), (56, 70))
        labels = scene.labels.copy()
        labels[:3] = 255
        Image.fromarray(scene.rgb).save(folder / "images" / f"s{index}.png")
        Image.fromarray(labels).save(folder / "labels" / f"s{index}.png")
    return folder


def settings(root, out, **changes):
    values = {"dataset": "folder", "root": root, "out": out, "model": "nano", "templates": "plain"}
    return EvaluateSettings(**{**values, **changes})


def counted_otherwise(root, limit=None):
    """The confusion matrix by scikit-learn, from the Segmenter's labels."""
    dataset = load_dataset("folder", root)
    encoder = densezero.load_encoder("nano", dtype="float32")
    segmenter = densezero.Segmenter(encoder, dataset.classes, templates=densezero.load_templates("plain"))
    truth, labels = [], []
    for pair in dataset.pairs[:limit]:
        target = np.array(Image.open(pair.label))
        kept = target != 255
        truth.append(target[kept])
        labels.append(segmenter.segment(densezero.read_rgb(pair.image)).labels[kept])
    return confusion_matrix(np.concatenate(truth), np.concatenate(labels), labels=range(len(dataset.classes)))


def test_a_report_holds_the_counts_that_scikit_learn_makes(root, tmp_path):
    report = job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert read_report(tmp_path / "r.json") == report
    expected = counted_otherwise(root)
    assert np.array_equal(report.confusion, expected)
    union = expected.sum(0) + expected.sum(1) - np.diag(expected)
    assert report.scores["miou"] == pytest.approx(100 * (np.diag(expected)[union > 0] / union[union > 0]).mean())
    assert report.images == 5
    assert [image.name for image in report.per_image] == [f"s{index}" for index in range(5)]
    assert set(report.machine) >= {"densezero", "torch", "numpy", "pillow", "device"}
    assert set(report.request) >= {"protocol", "class_list_sha256", "templates_sha256", "weights_sha256", "dtype"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_run_killed_half_way_goes_on_to_the_same_report(root, tmp_path):
    class Killed(BaseException):
        pass

    class Killer(Listener):
        def image(self, progress, miou=None):
            if progress.done == 2:
                raise Killed

    with pytest.raises(Killed):
        job.evaluate_dataset(settings(root, tmp_path / "cut.json"), Killer())
    assert not (tmp_path / "cut.json").exists()
    heard = []

    class Ear(Listener):
        def image(self, progress, miou=None):
            heard.append((progress.skipped, progress.done, miou))

    again = job.evaluate_dataset(settings(root, tmp_path / "cut.json"), Ear())
    whole = job.evaluate_dataset(settings(root, tmp_path / "whole.json"))
    assert [(skipped, done) for skipped, done, _ in heard] == [(2, 1), (2, 2), (2, 3)]
    assert heard[-1][2] == whole.scores["miou"]
    assert again.confusion == whole.confusion
    assert again.per_image == whole.per_image


@pytest.mark.slow
def test_two_processes_make_the_same_matrix_as_one(root, tmp_path):
    alone = job.evaluate_dataset(settings(root, tmp_path / "one.json"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    words = ["densezero", "evaluate", "folder", "--root", str(root), "--out", str(tmp_path / "two.json")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *words, "--model", "nano", "--templates", "plain"],
        capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mIoU") == 1
    assert done.stderr.count("note: nano") == 1
    assert "3/3 images" in done.stderr
    together = read_report(tmp_path / "two.json")
    assert together.confusion == alone.confusion
    assert together.per_image == alone.per_image


def test_a_limit_and_a_list_take_a_part_and_say_so(root, tmp_path):
    first = job.evaluate_dataset(settings(root, tmp_path / "a.json", limit=2))
    assert np.array_equal(first.confusion, counted_otherwise(root, limit=2))
    assert first.request["selection"] == {"limit": 2}
    (tmp_path / "list.txt").write_text("s3\n\ns1\ns3\n")
    chosen = job.evaluate_dataset(settings(root, tmp_path / "b.json", images=tmp_path / "list.txt"))
    assert [image.name for image in chosen.per_image] == ["s3", "s1"]


def test_a_list_from_another_system_may_name_the_image_files(root, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfs3.png\r\n\r\ns1\r\n s3 \r\n")
    chosen = job.evaluate_dataset(settings(root, tmp_path / "b.json", images=tmp_path / "list.txt"))
    assert [image.name for image in chosen.per_image] == ["s3", "s1"]


def test_one_of_several_processes_tells_of_its_own_share(root, tmp_path, monkeypatch):
    heard = []

    class Ear(Listener):
        def image(self, progress, miou=None):
            heard.append((progress.worked, progress.total, progress.seconds_left))

    for name, change in (("join_processes", lambda: Shard(0, 2)), ("wait_for_all", lambda _: None)):
        monkeypatch.setattr(job.processes, name, change)
    monkeypatch.setattr(job.processes, "gather", lambda _, parts: parts)
    monkeypatch.setattr(job.processes, "leave_processes", lambda _: None)
    with pytest.raises(KeyError):  # the other half is missing
        job.evaluate_dataset(settings(root, tmp_path / "r.json"), Ear())
    assert [(worked, total) for worked, total, _ in heard] == [(1, 3), (2, 3), (3, 3)]
    assert heard[-1][2] == 0


def test_boundary_iou_is_measured_where_asked_for_and_kept_through_a_stop(root, tmp_path):
    class Killer(Listener):
        def image(self, progress, miou=None):
            if progress.done == 2:
                raise KeyboardInterrupt

    plain = job.evaluate_dataset(settings(root, tmp_path / "plain.json"))
    assert "boundary_miou" not in plain.scores
    with pytest.raises(KeyboardInterrupt):
        job.evaluate_dataset(settings(root, tmp_path / "b.json", boundary=True), Killer())
    report = job.evaluate_dataset(settings(root, tmp_path / "b.json", boundary=True))
    assert report.confusion == plain.confusion
    dataset = load_dataset("folder", root)
    segmenter = densezero.Segmenter(
        densezero.load_encoder("nano", dtype="float32"), dataset.classes, templates=densezero.load_templates("plain")
    )
    parts = [
        count_boundaries(segmenter.segment(densezero.read_rgb(pair.image)).labels, dataset.read_target(pair), 30)
        for pair in dataset.pairs
    ]
    total = parts[0] + parts[1] + parts[2] + parts[3] + parts[4]
    assert report.scores["boundary_miou"] == pytest.approx(total.mean)


def test_names_that_the_data_set_does_not_have_are_refused(root, tmp_path):
    (tmp_path / "list.txt").write_text("s1\nnope\n")
    with pytest.raises(InputError, match="nope"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json", images=tmp_path / "list.txt"))


def test_labels_of_another_size_are_refused_before_any_work(root, tmp_path):
    Image.fromarray(np.zeros((56, 71), np.uint8)).save(root / "labels" / "s4.png")
    with pytest.raises(InputError, match="s4"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert not list(tmp_path.glob(".r.json*"))


def test_a_broken_image_stops_the_evaluation_and_loses_no_count(root, tmp_path):
    whole = (root / "images" / "s3.png").read_bytes()
    (root / "images" / "s3.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"s3\.png"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    (root / "images" / "s3.png").write_bytes(whole)
    report = job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert np.array_equal(report.confusion, counted_otherwise(root))


def test_pairs_that_the_model_takes_together_count_as_one_by_one(root, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "images_at_once", lambda device, batch_pixels: 3)
    whole = (root / "images" / "s4.png").read_bytes()
    (root / "images" / "s4.png").write_bytes(whole[: len(whole) // 2])
    told = Recorder()
    with pytest.raises(InputError, match=r"s4\.png"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"), told)
    assert len(told.images) == 4  # one of the second batch came before the broken one
    (root / "images" / "s4.png").write_bytes(whole)
    report = job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert np.array_equal(report.confusion, counted_otherwise(root))
    assert all(seconds > 0 for seconds in report.seconds.values())


def test_pairs_that_the_model_fails_on_together_are_taken_one_by_one(root, tmp_path, monkeypatch):
    score = job.Segmenter.score

    def failing(self, images):
        if len(images) > 1:
            raise RuntimeError("out of memory")
        return score(self, images)

    monkeypatch.setattr(job, "images_at_once", lambda device, batch_pixels: 3)
    monkeypatch.setattr(job.Segmenter, "score", failing)
    report = job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert np.array_equal(report.confusion, counted_otherwise(root))


def test_the_next_pair_is_read_while_the_model_works(root, tmp_path, monkeypatch):
    read = {f"s{index}.png": threading.Event() for index in range(5)}
    real_read, real_score, turns = counting.read_rgb, job.Segmenter.score, iter(range(1, 6))

    def reading(path):
        read[path.name].set()
        return real_read(path)

    def scoring(self, images):
        turn = next(turns)
        assert turn == 5 or read[f"s{turn}.png"].wait(20), "the next pair is not read"
        return real_score(self, images)

    with monkeypatch.context() as patched:
        patched.setattr(counting, "read_rgb", reading)
        patched.setattr(job.Segmenter, "score", scoring)
        report = job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert np.array_equal(report.confusion, counted_otherwise(root))
    assert all(seconds > 0 for seconds in report.seconds.values())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("densezero-")]


def test_an_interrupt_stops_an_evaluation_and_leaves_no_thread(root, tmp_path, monkeypatch):
    def interrupted(self, images):
        raise KeyboardInterrupt

    monkeypatch.setattr(job.Segmenter, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("densezero-")]


def test_another_class_list_must_name_as_many_classes(root, tmp_path):
    with pytest.raises(InputError, match=r"30 classes.*voc20 names 20"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json", vocabulary="voc20"))


def test_a_report_in_place_of_a_folder_is_refused(root, tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        job.evaluate_dataset(settings(root, tmp_path))


def test_a_report_below_a_file_is_refused_before_the_data_set_is_looked_for(root, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        job.evaluate_dataset(settings(tmp_path / "nowhere", tmp_path / "file" / "r.json"))


@pytest.mark.parametrize("changes", [{"limit": 0}, {"dataset": "voc"}, {"root": "nowhere"}, {"protocol": "tips"}])
def test_a_wrong_request_is_refused(root, tmp_path, changes):
    with pytest.raises(DenseZeroError):
        job.evaluate_dataset(settings(**{"root": root, "out": tmp_path / "r.json", **changes}))


def test_the_classes_that_segment_writes_are_a_vocabulary(root, tmp_path):
    from densezero.output.classes_json import encode_classes_json
    from densezero.vocabulary import load_class_list

    classes = load_class_list("voc21")
    (tmp_path / "classes.json").write_bytes(encode_classes_json(classes))
    assert load_class_list(str(tmp_path / "classes.json")).sha256 == classes.sha256
    assert json.loads((tmp_path / "classes.json").read_text())["classes"][0]["index"] == 0


def test_a_finished_report_of_another_request_is_not_written_over(root, tmp_path):
    out = tmp_path / "report.json"
    job.evaluate_dataset(settings(root, out, limit=1))
    before = out.read_bytes()
    with pytest.raises(OutputError, match=r"another request; these differ: .*limit"):
        job.evaluate_dataset(settings(root, out, limit=2))
    assert out.read_bytes() == before
    again = job.evaluate_dataset(settings(root, out, limit=1))
    assert again.confusion == json.loads(before)["confusion"]


def test_a_file_that_is_no_report_is_not_written_over(root, tmp_path):
    out = tmp_path / "notes.json"
    out.write_text('{"mine": 1}')
    with pytest.raises(OutputError, match="would be written over"):
        job.evaluate_dataset(settings(root, out, limit=1))
    assert out.read_text() == '{"mine": 1}'


def stop_after(root, out, images, **changes):
    """Evaluate, and stop when so many images have been counted."""

    class Stopped(BaseException):
        pass

    class Stopping(Listener):
        def image(self, progress, miou=None):
            if progress.worked == images:
                raise Stopped

    with pytest.raises(Stopped):
        job.evaluate_dataset(settings(root, out, **changes), Stopping())


def correct_labels(root, names):
    for name in names:
        file = root / "labels" / f"{name}.png"
        status = file.stat()
        labels = np.array(Image.open(file))
        Image.fromarray(np.roll(labels, 9, axis=1)).save(file)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_counts_of_labels_that_were_corrected_after_a_stop_are_made_anew(root, tmp_path):
    stop_after(root, tmp_path / "r.json", 3)
    correct_labels(root, ["s0", "s2", "s4"])
    recorder = Recorder()
    report = job.evaluate_dataset(settings(root, tmp_path / "r.json"), recorder)
    assert np.array_equal(report.confusion, counted_otherwise(root))
    assert any("2 images or labels changed since they were counted (s0, s2)" in note for note in recorder.notes)
    assert [progress.relative for progress in recorder.images] == ["s0", "s2", "s3", "s4"]


def test_a_finished_report_is_kept_and_said(root, tmp_path, monkeypatch):
    first = job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    before = (tmp_path / "r.json").read_bytes()
    monkeypatch.setattr(job, "_evaluate", lambda *_: pytest.fail("it is computed again"))
    recorder = Recorder()
    assert job.evaluate_dataset(settings(root, tmp_path / "r.json"), recorder) == first
    assert (tmp_path / "r.json").read_bytes() == before
    assert any("r.json is there already" in note for note in recorder.notes)


@pytest.mark.parametrize("changed", ["labels", "images"])
def test_a_finished_report_of_other_files_is_not_handed_out_as_current(root, tmp_path, changed):
    job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    before = (tmp_path / "r.json").read_bytes()
    if changed == "labels":
        correct_labels(root, ["s1"])
    else:
        Image.new("RGB", (70, 56)).save(root / "images" / "s1.png")
    with pytest.raises(OutputError, match=r"Images or labels in .* changed since .*r\.json was measured"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert (tmp_path / "r.json").read_bytes() == before


def test_an_edited_list_of_images_does_not_replace_a_report(root, tmp_path):
    listed = tmp_path / "list.txt"
    for first, second, sentence in (
        ("s0\ns1\n", "s0\n", r"images \(there 2, now 1\)"),
        ("s0\n", "s3\n", "image_names"),
    ):
        listed.write_text(first)
        out = tmp_path / f"{len(first)}.json"
        job.evaluate_dataset(settings(root, out, images=listed))
        listed.write_text(second)
        with pytest.raises(OutputError, match=rf"another request; these differ: .*{sentence}"):
            job.evaluate_dataset(settings(root, out, images=listed))


def test_a_second_evaluation_into_one_report_is_refused(root, tmp_path):
    sentence = r"r\.json is in use by another run"
    with lock(tmp_path / ".r.json.lock", tmp_path / "r.json"), pytest.raises(OutputError, match=sentence):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert not (tmp_path / "r.json").exists()


def test_counts_with_classes_that_the_data_set_does_not_have_are_said_so(root, tmp_path):
    stop_after(root, tmp_path / "r.json", 2)
    file = tmp_path / ".r.json.0.counts"
    text = file.read_text()
    for name, value in (("truth", 99), ("predicted", 0), ("pixels", 1)):
        text = text.replace(f'"{name}": [', f'"{name}": [{value}, ')
    file.write_text(text)
    with pytest.raises(OutputError, match="are damaged: s0 has classes beyond"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))


def test_what_a_killed_evaluation_left_unfinished_is_gone_after_the_next(root, tmp_path):
    stop_after(root, tmp_path / "r.json", 1)
    for name in ("r.json", ".r.json.0.counts"):
        part = next(iter(_parts_of(tmp_path / name)))
        part.write_bytes(b"half")
    job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _parts_of(path):
    from densezero.atomic import _part_prefix

    yield path.parent / f"{_part_prefix(path)}0123.part"


def test_an_interrupt_that_a_library_swallows_ends_the_evaluation_and_keeps_its_counts(root, tmp_path):
    class Swallowing(Listener):
        def image(self, progress, miou=None):
            job.Interrupts.came = progress.done == 2

    with pytest.raises(KeyboardInterrupt):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"), Swallowing())
    assert not (tmp_path / "r.json").exists()
    heard = []

    class Ear(Listener):
        def image(self, progress, miou=None):
            heard.append(progress.skipped)

    job.Interrupts.came = False
    job.evaluate_dataset(settings(root, tmp_path / "r.json"), Ear())
    assert heard and heard[0] >= 2


@pytest.mark.parametrize(
    ("protocol", "vocabulary", "class_list", "notes"),
    [
        ("ovss", None, "ovss-voc21", ()),
        ("ovss-proxyclip", None, "proxyclip-voc21", ()),
        ("ovss", "voc21", "voc21", ("class list voc21",)),
        ("tips-simple", None, "voc21", ()),
    ],
)
def test_a_protocol_takes_the_words_of_its_paper_unless_others_are_asked_for(
    tmp_path, protocol, vocabulary, class_list, notes
):
    draw_voc(tmp_path)
    listener = Recorder()
    chosen = EvaluateSettings(
        "voc21", tmp_path, tmp_path / "r.json", "nano", protocol, vocabulary=vocabulary, templates=None, limit=1
    )
    report = job.evaluate_dataset(chosen, listener)
    assert report.request["class_list"] == class_list
    assert (
        report.request["protocol"]["background"]["threshold"] == find_protocol(protocol, "voc21").background.threshold
    )
    assert tuple(note for note in list_deviations(report) if note.startswith("class list")) == notes


def test_the_counts_of_each_image_lie_beside_the_report_and_give_its_scores(root, tmp_path):
    report = job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    sums = read_sums(report, tmp_path / "r.json")
    assert sums.names == tuple(score.name for score in report.per_image)
    first = job.evaluate_dataset(settings(root, tmp_path / "first.json", limit=1))
    assert (sums.hits[0] == np.diag(np.array(first.confusion))).all()
    assert sums_file(tmp_path / "r.json").read_bytes() == sums.to_bytes()


def test_a_file_of_the_user_at_the_place_of_the_counts_is_refused(root, tmp_path):
    (tmp_path / "r.counts.npz").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    assert (tmp_path / "r.counts.npz").read_text() == "mine"
    assert not (tmp_path / "r.json").exists()


def test_a_refinement_is_in_the_report_and_decides_the_numbers(root, tmp_path):
    plain = job.evaluate_dataset(settings(root, tmp_path / "none.json"))
    grid = job.evaluate_dataset(settings(root, tmp_path / "grid.json", refine="grid"))
    assert "refine" not in plain.request["protocol"]
    assert grid.request["protocol"]["refine"] == {"method": "grid", "cells": 80, "iterations": 25}
    assert (grid.protocol, plain.protocol) == ("tips-slide", "tips-slide")
    assert grid.confusion != plain.confusion
    with pytest.raises(OutputError, match=r"another request; these differ: protocol\.refine"):
        job.evaluate_dataset(settings(root, tmp_path / "grid.json", refine="pamr"))
    again = job.evaluate_dataset(settings(root, tmp_path / "again.json", protocol="pearl-grid", refine="none"))
    assert again.request["protocol"].get("refine") is None


def test_counts_of_another_refinement_are_not_taken_over(root, tmp_path):
    stop_after(root, tmp_path / "r.json", 3, refine="pamr")
    with pytest.raises(OutputError, match=r"protocol\.refine"):
        job.evaluate_dataset(settings(root, tmp_path / "r.json"))
    whole = job.evaluate_dataset(settings(root, tmp_path / "r.json", refine="pamr"))
    assert whole.confusion == job.evaluate_dataset(settings(root, tmp_path / "w.json", refine="pamr")).confusion


def test_chosen_background_words_are_in_the_report_which_makes_the_same_numbers_again(tmp_path):
    draw_voc(tmp_path)

    def evaluate(name, **changes):
        chosen = EvaluateSettings("voc21", tmp_path, tmp_path / name, "nano", "tips-simple", **changes)
        return job.evaluate_dataset(chosen)

    report, plain = evaluate("auto.json", background="auto"), evaluate("plain.json")
    words = report.request["protocol"]["background"]["words"]
    assert len(words) == 64
    assert report.confusion != plain.confusion
    assert evaluate("again.json", background=", ".join(words)).confusion == report.confusion
    assert [note.split(":")[0] for note in list_deviations(report) if "background" in note] == [
        "background.words (only here"
    ]
    dataset, listener = load_dataset("voc21", tmp_path, "val"), Listener()
    again = build_segmenter_again(report, ReportSettings(tmp_path / "auto.json", tmp_path / "x"), dataset, listener)
    assert again.provenance.to_json() == {name: report.request[name] for name in again.provenance.to_json()} | {
        "protocol": again.protocol.to_json()
    }
    assert again.protocol.background.words == tuple(words)


@pytest.mark.parametrize(
    ("dataset", "background", "says"),
    [
        ("voc20", "wall", "by adding a background"),
        ("voc21", "wall, cat", "'cat' stands in two classes"),
        ("voc21", "", "Expected background words"),
    ],
)
def test_background_words_that_do_not_fit_a_benchmark_are_refused(tmp_path, dataset, background, says):
    draw_voc(tmp_path)
    with pytest.raises(DenseZeroError, match=says):
        job.evaluate_dataset(
            EvaluateSettings(dataset, tmp_path, tmp_path / "r.json", "nano", background=background, limit=1)
        )
    assert not (tmp_path / "r.json").exists()
