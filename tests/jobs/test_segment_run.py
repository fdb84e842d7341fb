import errno
import json
import os
import weakref

import numpy as np
import pytest
from PIL import Image

from densezero.engine.protocol import Pamr
from densezero.errors import DeviceFullError, InputError, ModelError, OutputError, ProtocolError, VocabularyError
from densezero.jobs import segment as job
from densezero.jobs.manifest import JOURNAL
from densezero.pretrain.scenes import draw_scene
from densezero.progress import Progress
from tests.jobs.photos import Recorder, read_labels, settings, write_scenes


def manifest_of(out):
    return json.loads((out / "run.json").read_text())


def files_under(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_becomes_labels_overlays_classes_and_a_manifest(tmp_path):
    write_scenes(tmp_path / "in", ["a.png", "sub/b.jpg"])
    out = tmp_path / "out"
    summary = job.segment_images(settings(tmp_path / "in", out))
    assert (summary.done, summary.failed, summary.skipped, summary.stopped) == (2, 0, 0, None)
    assert files_under(out) == {
        "labels/a.png", "labels/sub/b.png", "overlays/a.jpg", "overlays/sub/b.jpg", "classes.json", "run.json",
    }  # fmt: skip
    labels = read_labels(out / "labels" / "a.png")
    assert labels.shape == (48, 64)
    assert labels.max() < 4
    run = manifest_of(out)
    assert run["request"]["protocol"]["short_side_px"] == 56
    assert [image["relative"] for image in run["images"]] == ["a.png", "sub/b.jpg"]
    assert run["images"][0]["pixels"] == {
        str(k): int(v) for k, v in zip(*np.unique(labels, return_counts=True), strict=True)
    }


def test_every_format_is_written(tmp_path):
    write_scenes(tmp_path / "in", ["a.png"])
    out = tmp_path / "out"
    formats = ("labels", "overlay", "coco", "polygons", "scores", "csv")
    job.segment_images(settings(tmp_path / "in", out, save=formats))
    assert files_under(out) == {
        "labels/a.png", "overlays/a.jpg", "coco.json", "polygons/a.geojson", "scores/a.npz", "areas.csv",
        "classes.json", "run.json",
    }  # fmt: skip
    labels = read_labels(out / "labels" / "a.png")
    with np.load(out / "scores" / "a.npz") as arrays:
        scores = arrays["scores"].astype(np.float32)
    best = np.take_along_axis(scores, labels[None].astype(int), 0)[0]
    assert np.allclose(best, scores.max(0), atol=2e-3)  # float16 scores tie where float32 ones did not
    areas = (out / "areas.csv").read_text(encoding="utf-8-sig").splitlines()
    assert areas[0] == "image,class_index,class,pixels,share"
    assert sum(int(line.split(",")[3]) for line in areas[1:]) == 48 * 64


def test_broken_files_are_named_and_the_rest_is_written(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "z.png"])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    whole = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    recorder = Recorder()
    summary = job.segment_images(settings(folder, tmp_path / "out"), recorder)
    assert (summary.done, summary.failed) == (2, 3)
    errors = {image["relative"]: image["error"] for image in manifest_of(tmp_path / "out")["images"]}
    assert all(name in errors[name] for name in ("empty.jpg", "text.jpg", "cut.png"))
    assert errors["a.png"] is None
    assert {p.relative for p in recorder.images if p.error} == {"empty.jpg", "text.jpg", "cut.png"}
    assert files_under(tmp_path / "out" / "labels") == {"a.png", "z.png"}


def test_a_second_run_does_only_what_is_missing(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.png", "b.png", "c.png"]), tmp_path / "out"
    job.segment_images(settings(folder, out))
    (out / "overlays" / "b.jpg").unlink()
    write_scenes(folder, ["a.png"], hw=(40, 40))  # another picture under an old name
    before = (out / "labels" / "c.png").stat().st_mtime_ns
    summary = job.segment_images(settings(folder, out))
    assert (summary.done, summary.skipped) == (2, 1)
    assert read_labels(out / "labels" / "a.png").shape == (40, 40)
    assert (out / "overlays" / "b.jpg").exists()
    assert (out / "labels" / "c.png").stat().st_mtime_ns == before


def test_a_run_killed_half_way_goes_on_with_the_same_result(tmp_path, monkeypatch):
    folder = write_scenes(tmp_path / "in", [f"{name}.png" for name in "abcd"])
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    job.segment_images(settings(folder, whole))

    class Killed(BaseException):
        pass

    def die_at_third(self, progress, miou=None):
        if progress.worked == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "image", die_at_third)
        with pytest.raises(Killed):
            job.segment_images(settings(folder, cut), Recorder())
    assert not (cut / "run.json").exists()
    with (cut / JOURNAL).open("ab") as journal:
        journal.write(b'{"relative": "c.p')  # the line that the kill cut
    summary = job.segment_images(settings(folder, cut))
    assert (summary.done, summary.skipped) == (2, 2)
    assert files_under(cut) == files_under(whole)
    for name in files_under(whole / "labels"):
        assert (cut / "labels" / name).read_bytes() == (whole / "labels" / name).read_bytes()
    assert len(manifest_of(cut)["images"]) == 4


def test_an_interrupt_keeps_what_is_done(tmp_path, monkeypatch):
    folder, out = write_scenes(tmp_path / "in", ["a.png", "b.png"]), tmp_path / "out"
    real = job.read_pixels

    def interrupted(path, choice=None):
        if path.name == "b.png":
            raise KeyboardInterrupt
        return real(path, choice)

    monkeypatch.setattr(job, "read_pixels", interrupted)
    summary = job.segment_images(settings(folder, out))
    assert summary.done == 1
    assert "go on" in summary.stopped
    assert summary.interrupted
    assert files_under(out) == {JOURNAL, "classes.json", "labels/a.png", "overlays/a.jpg"}
    monkeypatch.setattr(job, "read_pixels", real)
    again = job.segment_images(settings(folder, out))
    assert (again.done, again.skipped) == (1, 1)
    assert [image["relative"] for image in manifest_of(out)["images"]] == ["a.png", "b.png"]


def test_another_request_into_the_same_folder_is_refused_unless_overwritten(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out"
    job.segment_images(settings(folder, out))
    before = (out / "run.json").read_bytes()
    with pytest.raises(OutputError, match=r"classes \(only there: grass, .*; only now: road\).*--overwrite"):
        job.segment_images(settings(folder, out, classes="sky, road"))
    assert (out / "run.json").read_bytes() == before
    assert job.segment_images(settings(folder, out, classes="sky, road", overwrite=True)).done == 1
    assert read_labels(out / "labels" / "a.png").max() <= 1


def test_a_damaged_manifest_is_named(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text('{"request": ')
    with pytest.raises(OutputError, match=r"run\.json.*--overwrite"):
        job.segment_images(settings(folder, out))
    assert job.segment_images(settings(folder, out, overwrite=True)).done == 1


def test_a_full_device_ends_the_run_and_keeps_whole_files_only(tmp_path, monkeypatch):
    folder, out = write_scenes(tmp_path / "in", ["a.png", "b.png", "c.png"]), tmp_path / "out"
    written = []
    real = os.replace

    def full_after_three(source, target, **kwargs):
        if str(target).endswith((".png", ".jpg")):
            written.append(target)
            if len(written) > 3:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target, **kwargs)

    monkeypatch.setattr("os.replace", full_after_three)
    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: full_after_three(self, target))
    summary = job.segment_images(settings(folder, out))
    assert summary.done == 1
    assert "no space is left" in summary.stopped
    assert files_under(out / "overlays") == {"a.jpg"}
    assert not [name for name in files_under(out) if name.endswith(".part")]


@pytest.mark.parametrize("method", ["add", "finish"])
def test_a_full_device_at_the_journal_or_the_manifest_ends_the_run(tmp_path, monkeypatch, method):
    folder, out = write_scenes(tmp_path / "in", ["a.png", "b.png"]), tmp_path / "out"

    def full(self, *values, **how):
        raise DeviceFullError("Cannot write: no space is left on the device.")

    with monkeypatch.context() as patched:
        patched.setattr(job.Manifest, method, full)
        assert "no space" in job.segment_images(settings(folder, out)).stopped
    assert job.segment_images(settings(folder, out)).stopped is None
    assert len(manifest_of(out)["images"]) == 2


def test_an_unexpected_error_of_one_image_does_not_end_the_run(tmp_path, monkeypatch):
    folder, out = write_scenes(tmp_path / "in", ["a.png", "b.png"]), tmp_path / "out"
    real = job.read_pixels

    def broken(path, choice=None):
        if path.name == "a.png":
            raise MemoryError
        return real(path, choice)

    monkeypatch.setattr(job, "read_pixels", broken)
    summary = job.segment_images(settings(folder, out))
    assert (summary.done, summary.failed) == (1, 1)
    assert "not enough memory" in manifest_of(out)["images"][0]["error"]


def test_an_image_that_goes_away_is_a_failure_of_its_own(tmp_path, monkeypatch):
    folder, out = write_scenes(tmp_path / "in", ["a.png", "b.png"]), tmp_path / "out"
    real = job.build_segmenter

    def build_and_delete(*arguments):
        (folder / "a.png").unlink()
        return real(*arguments)

    monkeypatch.setattr(job, "build_segmenter", build_and_delete)
    summary = job.segment_images(settings(folder, out))
    assert (summary.done, summary.failed) == (1, 1)


@pytest.mark.parametrize("place", ["in", "in/masks"])
def test_an_output_folder_among_the_inputs_is_refused(tmp_path, place):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    with pytest.raises(OutputError, match="lies in the input folder"):
        job.segment_images(settings(folder, tmp_path / place))
    assert files_under(tmp_path) == {"in/a.png"}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"classes": None}, VocabularyError, "neither"),
        ({"vocabulary": "voc20"}, VocabularyError, "both"),
        ({"save": ()}, OutputError, "format"),
        ({"save": ("labels", "overlays")}, OutputError, "overlay"),
        ({"classes": " , "}, VocabularyError, "class"),
        ({"classes": "sky, sea, sky"}, VocabularyError, "sky"),
        ({"classes": ",".join(f"c{k}" for k in range(70_000))}, VocabularyError, "65,534"),
        ({"classes": None, "vocabulary": "ade20"}, VocabularyError, "ade20k"),
        ({"protocol": "tips-slid"}, ProtocolError, "tips-slide"),
        ({"templates": "tcl"}, VocabularyError, "tcl9"),
        ({"model": "nanoo"}, ModelError, "nano"),
        ({"device": "tpu"}, ModelError, "tpu"),
        ({"dtype": "int8"}, ModelError, "int8"),
        ({"background_threshold": 1.5}, ProtocolError, "1.5"),
        ({"background_threshold": 0.25}, ProtocolError, "above 0.25; got 0.25. The highest probability"),
        ({"unknown": 0.2}, ProtocolError, "Expected --unknown above 0.25"),
        ({"unknown": 0.5, "background_threshold": 0.5}, ProtocolError, "got both"),
        ({"unknown": 0.5, "classes": "cat, dog, unknown"}, VocabularyError, "called unknown"),
        ({"background": " , "}, VocabularyError, "Expected background words"),
        ({"background": "sky"}, VocabularyError, "'sky' stands in two classes"),
        ({"background": "auto"}, VocabularyError, "'inline' has 4: sky, grass, sea, house"),
        ({"short_side_px": 10}, ProtocolError, "at least 32 pixels"),
        ({"examples": ("cup=gone.jpg,1,2,3,4",)}, InputError, r"gone\.jpg does not exist"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(tmp_path, changes, error, says):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    with pytest.raises(error, match=says):
        job.segment_images(settings(folder, tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


def test_two_inputs_for_one_output_are_refused(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "a.jpg"])
    with pytest.raises(OutputError, match=r"a\.jpg and a\.png"):
        job.segment_images(settings(folder, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["file", "file/masks"])
def test_an_output_folder_that_is_a_file_is_refused(tmp_path, place):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        job.segment_images(settings(folder, tmp_path / place))


def test_an_output_folder_that_takes_no_files_is_refused(tmp_path, monkeypatch):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    monkeypatch.setattr("densezero.jobs.places.os.access", lambda path, mode: False)
    with pytest.raises(OutputError, match="is not writable"):
        job.segment_images(settings(folder, tmp_path / "out"))


def test_two_folders_with_files_of_one_name_are_refused(tmp_path):
    folders = [write_scenes(tmp_path / name, ["x.png"]) for name in ("one", "two")]
    with pytest.raises(OutputError, match=r"one/x\.png and .*two/x\.png"):
        job.segment_images(settings(folders, tmp_path / "out"))


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="expected images"):
        job.segment_images(settings(tmp_path / "in", tmp_path / "out"))


def test_a_template_file_without_a_place_for_the_word_is_refused(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    (tmp_path / "t.txt").write_text("a photo of a {}.\na photo.\n")
    with pytest.raises(VocabularyError, match="a photo"):
        job.segment_images(settings(folder, tmp_path / "out", templates=str(tmp_path / "t.txt")))


def test_background_words_and_threshold_add_class_zero(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out"
    job.segment_images(settings(folder, out, background="wall", background_threshold=0.3))
    classes = json.loads((out / "classes.json").read_text())
    assert [entry["name"] for entry in classes["classes"]][:2] == ["background", "sky"]
    assert manifest_of(out)["request"]["protocol"]["background"] == {"words": ["wall"], "threshold": 0.3}


def test_chosen_background_words_are_told_recorded_and_the_same_when_a_run_goes_on(tmp_path):
    folder, out, recorder = write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out", Recorder()
    chosen = settings(folder, out, classes="cat, dog", background="auto")
    job.segment_images(chosen, recorder)
    words = manifest_of(out)["request"]["protocol"]["background"]["words"]
    assert len(words) == 64
    assert manifest_of(out)["request"]["classes"] == ["|".join(words), "cat", "dog"]
    assert manifest_of(out)["settings"]["background"] == "auto"
    assert recorder.understandings[-1] == f"background: 64 words chosen: {', '.join(words)}"
    write_scenes(tmp_path / "in", ["a.png", "b.png"])
    summary = job.segment_images(chosen)
    assert (summary.done, summary.skipped) == (1, 1)
    by_hand = job.segment_images(settings(folder, out, classes="cat, dog", background=", ".join(words)))
    assert (by_hand.done, by_hand.skipped) == (0, 2)  # the same request in other words
    with pytest.raises(OutputError, match=r"these differ: classes \(only there"):
        job.segment_images(settings(folder, out, classes="cat, dog, sky", background="auto"))


def test_unknown_pixels_have_a_class_a_colour_and_areas(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out"
    formats = ("labels", "overlay", "coco", "polygons", "csv", "scores")
    job.segment_images(settings(folder, out, unknown=0.99, save=formats))
    classes = json.loads((out / "classes.json").read_text())["classes"]
    assert (classes[4]["name"], classes[4]["colour"]) == ("unknown", [128, 128, 128])
    unknown = int((read_labels(out / "labels" / "a.png") == 4).sum())
    assert 0 < unknown < 48 * 64
    assert f"a.png,4,unknown,{unknown}," in (out / "areas.csv").read_text(encoding="utf-8-sig")
    assert "unknown" in (out / "polygons" / "a.geojson").read_text()
    assert "unknown" in [one["name"] for one in json.loads((out / "coco.json").read_text())["categories"]]
    assert manifest_of(out)["request"]["protocol"]["background"]["unknown"] == 0.99


def test_the_confidence_shown_is_that_which_thresholds_are_compared_with(tmp_path):
    folder, recorder = write_scenes(tmp_path / "in", ["a.png", "b.png"]), Recorder()
    job.segment_images(settings(folder, tmp_path / "out", show_confidence=True), recorder)
    (text,) = recorder.results
    assert text.startswith("confidence of 2 images, 6,144 pixels: highest softmax(cosine / ")
    below = dict(zip(*(line.replace(" %", "").split()[1:] for line in text.splitlines()[1:3]), strict=True))
    job.segment_images(settings(folder, tmp_path / "unknown", unknown=0.6))
    labels = [read_labels(tmp_path / "unknown" / "labels" / name) for name in ("a.png", "b.png")]
    assert 0 < np.mean(np.array(labels) == 4) < 1
    assert f"{100 * np.mean(np.array(labels) == 4):.1f}" == below["0.6"]
    job.segment_images(settings(folder, tmp_path / "out", show_confidence=True), recorder)
    assert "segmented no image" in recorder.results[1]


def test_the_saved_confidence_is_what_a_threshold_is_compared_with(tmp_path):
    folder, recorder = write_scenes(tmp_path / "in", ["a.png", "sub/b.png"]), Recorder()
    job.segment_images(settings(folder, tmp_path / "out", save=("confidence",)), recorder)
    assert recorder.results == []
    assert files_under(tmp_path / "out") == {
        "confidence/a.png", "confidence/sub/b.png", "classes.json", "run.json",
    }  # fmt: skip
    job.segment_images(settings(folder, tmp_path / "unknown", unknown=0.6))
    names = ("a.png", "sub/b.png")
    confidence = np.array([read_labels(tmp_path / "out" / "confidence" / name) for name in names]) / 255
    is_unknown = np.array([read_labels(tmp_path / "unknown" / "labels" / name) for name in names]) == 4
    assert 0 < is_unknown.mean() < 1
    clear = np.abs(confidence - 0.6) > 0.002
    assert ((confidence < 0.6) == is_unknown)[clear].all()


@pytest.mark.parametrize("asked", [{"show_confidence": True}, {"save": ("confidence",)}])
def test_the_confidence_of_a_model_without_temperature_is_refused(tmp_path, monkeypatch, asked):
    load = job.load_encoder

    def without_temperature(*words):
        encoder = load(*words)
        encoder.temperature = None
        return encoder

    monkeypatch.setattr(job, "load_encoder", without_temperature)
    folder = write_scenes(tmp_path / "in", ["a.png"])
    with pytest.raises(ProtocolError, match="--show-confidence needs the encoder's temperature"):
        job.segment_images(settings(folder, tmp_path / "out", **asked))
    assert not (tmp_path / "out" / "labels").exists()


def test_nano_says_what_it_is(tmp_path):
    recorder = Recorder()
    job.segment_images(settings(write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out"), recorder)
    assert len(recorder.notes) == 1
    assert "tipsv2-l14" in recorder.notes[0]


def test_progress_tells_rate_and_time_left():
    progress = Progress("a.png", None, done=3, failed=1, skipped=2, total=10, seconds=8.0)
    assert (progress.worked, progress.rate, progress.seconds_left) == (4, 0.5, 8.0)
    assert Progress("a.png", None, 0, 0, 0, 3, 0.0).seconds_left == 0.0


def test_names_that_are_no_text_are_written_all_the_same(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        (folder / "a.png").rename(folder / odd)
    except OSError:
        pytest.skip("this file system takes text alone")
    out = tmp_path / "out"
    assert job.segment_images(settings(folder, out, save=("labels", "csv"))).done == 1
    assert job.segment_images(settings(folder, out, save=("labels", "csv"))).skipped == 1


def test_memory_does_not_grow_with_the_number_of_images(tmp_path, monkeypatch):
    folder = write_scenes(tmp_path / "in", [f"{k}.png" for k in range(6)])
    pictures, alive = [], []
    real = job.SegmentJob.write

    def counted(self, image, result):
        pictures.append(weakref.ref(result))
        alive.append(sum(reference() is not None for reference in pictures))
        return real(self, image, result)

    monkeypatch.setattr(job.SegmentJob, "write", counted)
    assert job.segment_images(settings(folder, tmp_path / "out")).done == 6
    assert max(alive) <= 2  # one that is written, and one that waits for it


def test_files_are_the_same_one_after_another_and_side_by_side(tmp_path, monkeypatch):
    folder = write_scenes(tmp_path / "in", [f"{name}.png" for name in "abcd"])
    formats = ("labels", "overlay", "coco", "polygons", "scores", "csv")
    job.segment_images(settings(folder, tmp_path / "beside", save=formats))
    monkeypatch.setattr("densezero.images.read_ahead.IN_FLIGHT_BYTES", 0)
    job.segment_images(settings(folder, tmp_path / "after", save=formats))
    assert files_under(tmp_path / "beside") == files_under(tmp_path / "after")
    for name in files_under(tmp_path / "beside") - {"run.json"}:
        assert (tmp_path / "beside" / name).read_bytes() == (tmp_path / "after" / name).read_bytes(), name
    images = [manifest_of(tmp_path / place)["images"] for place in ("beside", "after")]
    for image in images[0] + images[1]:
        assert image.pop("seconds") > 0
    assert images[0] == images[1]


def test_files_are_the_same_of_images_that_the_model_takes_together(tmp_path, monkeypatch):
    folder = write_scenes(tmp_path / "in", [f"{name}.png" for name in "abcde"])
    (folder / "c.png").write_bytes(b"no picture")
    job.segment_images(settings(folder, tmp_path / "alone"))
    monkeypatch.setattr(job, "images_at_once", lambda device, batch_pixels: 4)
    summary = job.segment_images(settings(folder, tmp_path / "together"))
    assert (summary.done, summary.failed) == (4, 1)
    assert files_under(tmp_path / "alone") == files_under(tmp_path / "together")
    for name in files_under(tmp_path / "alone"):
        if name.endswith(".png"):
            assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "together" / name).read_bytes(), name


def test_scores_and_prepared_pixels_count_among_what_is_held_of_an_image(tmp_path, monkeypatch):
    folder, held = write_scenes(tmp_path / "in", ["a.png", "b.png"]), []
    monkeypatch.setattr("densezero.jobs.run.picture_bytes", lambda path, of_size: held.append(of_size((448, 448))) or 0)
    job.segment_images(settings(folder, tmp_path / "labels", save=("labels",)))
    job.segment_images(settings(folder, tmp_path / "scores", save=("scores",)))
    more = held[2] - held[0]
    assert held == [held[0]] * 2 + [held[2]] * 2
    assert more == 4 * 4 * 448 * 448  # of four classes
    prepared = held[0] - (3 + 1) * 448 * 448
    assert prepared > 0
    assert prepared % (12 * 14 * 14) == 0  # whole patches of three float32 numbers a pixel


def test_a_greyscale_and_a_transparent_picture_are_segmented_at_their_own_size(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("L", (31, 17), 128).save(folder / "grey.png")
    Image.new("RGBA", (9, 40), (255, 0, 0, 128)).save(folder / "alpha.webp")
    job.segment_images(settings(folder, tmp_path / "out"))
    assert read_labels(tmp_path / "out" / "labels" / "grey.png").shape == (17, 31)
    assert read_labels(tmp_path / "out" / "labels" / "alpha.png").shape == (40, 9)


def test_another_folder_with_the_same_names_sizes_and_times_is_refused(tmp_path):
    for name, index in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        Image.fromarray(draw_scene((9, index), (48, 64)).rgb).save(tmp_path / name / "x.bmp")
        os.utime(tmp_path / name / "x.bmp", (1, 1))
    assert (tmp_path / "a/x.bmp").stat().st_size == (tmp_path / "b/x.bmp").stat().st_size
    out = tmp_path / "out"
    job.segment_images(settings(tmp_path / "a", out))
    before = files_under(out), (out / "labels/x.png").read_bytes(), (out / "run.json").read_bytes()
    with pytest.raises(OutputError, match=r"labels.x\.png was made of .*a.x\.bmp"):
        job.segment_images(settings(tmp_path / "b", out))
    assert (files_under(out), (out / "labels/x.png").read_bytes(), (out / "run.json").read_bytes()) == before
    assert job.segment_images(settings(tmp_path / "b", out, overwrite=True)).done == 1
    assert [image["source"] for image in manifest_of(out)["images"]] == [str(tmp_path / "b/x.bmp")]


def test_two_pictures_of_one_stem_do_not_take_turns_in_one_output(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.jpg", "a.png"]), tmp_path / "out"
    job.segment_images(settings(folder / "a.jpg", out))
    with pytest.raises(OutputError, match=r"was made of .*a\.jpg; this run would make it of .*a\.png"):
        job.segment_images(settings(folder / "a.png", out))
    assert job.segment_images(settings(folder / "a.jpg", out)).skipped == 1


def test_an_empty_label_file_is_made_again(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out"
    job.segment_images(settings(folder, out))
    whole = (out / "labels/a.png").read_bytes()
    (out / "labels/a.png").write_bytes(b"")
    assert job.segment_images(settings(folder, out)).done == 1
    assert (out / "labels/a.png").read_bytes() == whole


def test_a_refinement_changes_masks_and_is_in_the_manifest(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    labels, protocols = {}, {}
    for refine in (None, "none", "grid", "pamr"):
        out = tmp_path / f"out-{refine}"
        job.segment_images(settings(folder, out, refine=refine))
        labels[refine], protocols[refine] = (
            read_labels(out / "labels" / "a.png"),
            manifest_of(out)["request"]["protocol"],
        )
    assert protocols[None] == protocols["none"]
    assert "refine" not in protocols[None]
    assert np.array_equal(labels[None], labels["none"])
    assert protocols["grid"]["refine"] == {"method": "grid", "cells": 80, "iterations": 25}
    assert protocols["pamr"]["refine"]["dilations"] == [8, 16]
    assert protocols["grid"]["name"] == "tips-slide (changed)"
    assert not np.array_equal(labels["grid"], labels[None])
    assert not np.array_equal(labels["pamr"], labels["grid"])


def test_another_refinement_does_not_go_on_in_the_same_folder(tmp_path):
    folder, out = write_scenes(tmp_path / "in", ["a.png", "b.png"]), tmp_path / "out"
    job.segment_images(settings(folder, out, refine="grid"))
    before = files_under(out), (out / "labels" / "a.png").read_bytes()
    for refine, difference in (("pamr", r"protocol\.refine"), (None, r"protocol\.refine .*now None")):
        with pytest.raises(OutputError, match=f"results of another request; these differ: {difference}"):
            job.segment_images(settings(folder, out, refine=refine))
    assert (files_under(out), (out / "labels" / "a.png").read_bytes()) == before
    assert job.segment_images(settings(folder, out, refine="grid")).skipped == 2
    assert job.segment_images(settings(folder, out, refine="pamr", overwrite=True)).done == 2


def test_results_that_were_refined_are_read_again(tmp_path):
    from densezero.jobs.results import load_results

    folder, out = write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out"
    job.segment_images(settings(folder, out, refine="pamr"))
    (result,) = load_results(out).values()
    assert result.provenance.protocol.refine == Pamr()


def test_a_refinement_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(ProtocolError, match="a refinement out of none, grid, pamr; got 'crf'"):
        job.segment_images(settings(write_scenes(tmp_path / "in", ["a.png"]), tmp_path / "out", refine="crf"))
