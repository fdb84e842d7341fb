import csv
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from densezero.atomic import aside_of
from densezero.errors import InputError, OutputError
from densezero.images.film import read_film_facts, read_frames
from densezero.jobs import video
from densezero.jobs.manifest import JOURNAL
from densezero.jobs.places import OutputFolder
from densezero.jobs.results import load_results
from densezero.jobs.segment import segment_images
from densezero.jobs.smoothing import STATE
from densezero.jobs.video import segment_video
from densezero.output.film import write_film
from densezero.pretrain.scenes import draw_scene
from tests.heads.hub_files import write_small_hub
from tests.jobs.photos import Recorder, read_labels, settings

CLASSES = "sky, grass, sea, house=home|cottage"
HW = (48, 64)


class Killed(BaseException):
    """As SIGKILL: nothing is tidied up by the run."""


class KilledAt(Recorder):
    def __init__(self, place, error=Killed):
        super().__init__()
        self.place, self.error = place, error

    def image(self, progress, miou=None):
        super().image(progress, miou)
        if len(self.images) == self.place:
            raise self.error


def moving(count, hw=HW):
    """Frames of a drawn scene that passes by, with noise."""
    wide = draw_scene((9, 3), (hw[0], hw[1] + 60)).rgb.astype(int)
    noise = np.random.default_rng(1)
    for place in range(count):
        frame = wide[:, place * 60 // count :][:, : hw[1]]
        yield np.clip(frame + noise.normal(0, 20, frame.shape), 0, 255).astype(np.uint8)


def film_of(path, count=5, rate=10.0):
    write_film(path, moving(count), rate)
    return path


def folder_of(folder, frames):
    folder.mkdir()
    for place, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{place}.png")
    return folder


def request(inputs, out, **changes):
    return settings(inputs, out, **{"video": True, "save": ("labels",), **changes})


def files_under(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def content_of(folder):
    """All files but the manifest, which has times."""
    return {name: (folder / name).read_bytes() for name in files_under(folder) - {"run.json"}}


def labels_in(folder):
    return np.stack([read_labels(file) for file in sorted(folder.rglob("*.png"))])


def test_a_film_becomes_labels_of_each_frame_a_table_with_times_and_an_overlay_film(tmp_path):
    film, out = film_of(tmp_path / "clip.avi"), tmp_path / "out"
    recorder = Recorder()
    summary = segment_video(request(film, out, save=("labels", "overlay", "csv", "csv-wide")), recorder)
    assert (summary.done, summary.failed, summary.stopped) == (5, 0, None)
    numbers = [f"{number:06d}" for number in range(1, 6)]
    assert files_under(out) == {
        *(f"labels/clip/{number}.png" for number in numbers), "overlays/clip.mp4", "areas.csv", "areas-wide.csv",
        "classes.json", "run.json",
    }  # fmt: skip
    facts, drawn = read_film_facts(out / "overlays" / "clip.mp4"), list(read_frames(out / "overlays" / "clip.mp4"))
    assert (facts.rate, facts.frames, len(drawn)) == (10.0, 5, 5)
    table = list(csv.DictReader((out / "areas-wide.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["seconds"] for row in table] == ["0.000", "0.100", "0.200", "0.300", "0.400"]
    rows = list(csv.DictReader((out / "areas.csv").read_text(encoding="utf-8-sig").splitlines()))
    of_fourth = [row for row in rows if row["image"] == "clip/000004"]
    assert {row["seconds"] for row in of_fourth} == {"0.300"}
    assert sum(int(row["pixels"]) for row in of_fourth) == 48 * 64
    assert (recorder.images[-1].unit, recorder.images[-1].total) == ("frames", 5)
    run = json.loads((out / "run.json").read_text())
    assert run["film"] == {"frames": 5, "rate": 10.0, "cut_off": None}
    assert (run["request"]["smooth"], run["request"]["every"]) == (0.0, 1)
    assert load_results(out)["clip/000002"].labels.shape == HW


@pytest.mark.parametrize("kind", ["film", "folder"])
def test_without_smoothing_each_frame_is_segmented_as_a_picture_is(tmp_path, kind):
    film = film_of(tmp_path / "clip.avi", 4)
    pictures = folder_of(tmp_path / "pictures", read_frames(film))
    segment_images(settings(pictures, tmp_path / "single", save=("labels",)))
    segment_video(request(film if kind == "film" else pictures, tmp_path / "out"))
    single = labels_in(tmp_path / "single" / "labels")
    assert len(np.unique(single)) > 1
    np.testing.assert_array_equal(labels_in(tmp_path / "out" / "labels"), single)


@pytest.mark.parametrize("protocol", ["tips-simple", "tips-slide", "ovss"])
def test_a_film_that_stands_still_has_the_labels_of_its_picture(tmp_path, protocol):
    still = folder_of(tmp_path / "still", [next(moving(1, (48, 100)))] * 3)
    segment_images(settings(still, tmp_path / "single", save=("scores",), protocol=protocol))
    segment_video(request(still, tmp_path / "out", save=("scores",), protocol=protocol, smooth=0.7))
    with np.load(tmp_path / "single" / "scores" / "0.npz") as picture:
        for place in range(3):
            with np.load(tmp_path / "out" / "scores" / f"{place}.npz") as frame:
                np.testing.assert_array_equal(frame["scores"], picture["scores"])


def test_smoothing_mixes_the_scores_of_a_frame_with_those_before_and_with_none_after(tmp_path):
    frames = folder_of(tmp_path / "in", moving(3))
    of_kind = {}
    for smooth in (0.0, 0.4):
        out = tmp_path / f"out-{smooth}"
        segment_video(request(frames, out, save=("scores",), protocol="tips-simple", smooth=smooth))
        of_kind[smooth] = [np.load(out / "scores" / f"{place}.npz")["scores"].astype(float) for place in range(3)]
    first, second, third = of_kind[0.0]
    expected = [first, 0.6 * second + 0.4 * first, 0.6 * third + 0.24 * second + 0.16 * first]
    assert np.abs(first - third).max() > 0.01
    for smoothed, wanted in zip(of_kind[0.4], expected, strict=True):
        np.testing.assert_allclose(smoothed, wanted, atol=1e-3)  # the files have float16


def test_permuted_classes_give_permuted_labels(tmp_path):
    frames = folder_of(tmp_path / "in", moving(4))
    segment_video(request(frames, tmp_path / "one", smooth=0.6))
    turned = ", ".join(reversed(CLASSES.split(", ")))
    segment_video(request(frames, tmp_path / "two", smooth=0.6, classes=turned))
    labels = labels_in(tmp_path / "one" / "labels")
    assert len(np.unique(labels)) > 1
    np.testing.assert_array_equal(labels_in(tmp_path / "two" / "labels"), 3 - labels)


@pytest.mark.parametrize("smooth", [0.0, 0.7])
@pytest.mark.parametrize("kind", ["film", "folder"])
def test_a_killed_run_goes_on_to_the_files_of_an_undisturbed_one(tmp_path, monkeypatch, smooth, kind):
    monkeypatch.setattr(video, "SECONDS_BETWEEN", 0)
    source = film_of(tmp_path / "clip.avi", 7)
    if kind == "folder":
        source = folder_of(tmp_path / "in", moving(7))
    changes = {"smooth": smooth, "save": ("overlay", "scores", "csv")}
    segment_video(request(source, tmp_path / "whole", **changes))
    cut = tmp_path / "cut"
    with pytest.raises(Killed):
        segment_video(request(source, cut, **changes), KilledAt(5))
    assert (cut / STATE).exists() == (smooth > 0)
    assert not (cut / "overlays").exists()
    summary = segment_video(request(source, cut, **changes))
    assert summary.done + summary.skipped == 7
    assert summary.skipped >= 4  # it goes on from the state on disk, not from the first frame
    assert content_of(cut) == content_of(tmp_path / "whole")


def test_without_its_state_a_smoothed_run_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "SECONDS_BETWEEN", 0)
    film, out = film_of(tmp_path / "clip.avi", 6), tmp_path / "out"
    segment_video(request(film, tmp_path / "whole", smooth=0.7, save=("scores",)))
    with pytest.raises(Killed):
        segment_video(request(film, out, smooth=0.7, save=("scores",)), KilledAt(4))
    (out / STATE).unlink()
    assert segment_video(request(film, out, smooth=0.7, save=("scores",))).skipped == 0
    assert content_of(out) == content_of(tmp_path / "whole")
    (out / "scores" / "clip" / "000003.npz").unlink()
    assert segment_video(request(film, out, smooth=0.7, save=("scores",))).done == 6
    assert content_of(out) == content_of(tmp_path / "whole")


def test_the_drawing_of_the_film_can_be_stopped_too(tmp_path):
    class Stopped(Recorder):
        def step(self, what, done, total, unit):
            if (what, done, total, unit) == ("overlay film", 2, 3, "frames"):
                raise KeyboardInterrupt

    film, out = film_of(tmp_path / "clip.avi", 3), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        segment_video(request(film, out, save=("overlay",)), Stopped())
    assert (out / JOURNAL).exists()
    assert not list((out / "overlays").iterdir())
    summary = segment_video(request(film, out, save=("overlay",)))
    assert (summary.done, summary.skipped) == (0, 3)
    assert read_film_facts(out / "overlays" / "clip.mp4").frames == 3
    before = (out / "overlays" / "clip.mp4").stat().st_mtime_ns
    assert segment_video(request(film, out, save=("overlay",))).skipped == 3
    assert (out / "overlays" / "clip.mp4").stat().st_mtime_ns == before


def test_an_unfinished_film_of_a_killed_process_is_removed(tmp_path):
    film, out = film_of(tmp_path / "clip.avi", 2), tmp_path / "out"
    with pytest.raises(Killed):
        segment_video(request(film, out, save=("overlay",)), KilledAt(1))
    (out / "overlays").mkdir()
    aside_of(out / "overlays" / "clip.mp4", ".mp4").write_bytes(b"half")
    segment_video(request(film, out, save=("overlay",)))
    assert [file.name for file in (out / "overlays").iterdir()] == ["clip.mp4"]


def test_every_second_frame_keeps_its_number_its_time_and_the_length_of_the_film(tmp_path):
    film, out = film_of(tmp_path / "clip.avi", 6), tmp_path / "out"
    segment_video(request(film, tmp_path / "all"))
    assert segment_video(request(film, out, every=2, save=("overlay", "csv-wide"))).done == 3
    assert files_under(out / "labels") == {"clip/000001.png", "clip/000003.png", "clip/000005.png"}
    for number in (1, 3, 5):
        name = f"labels/clip/{number:06d}.png"
        assert (out / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    facts = read_film_facts(out / "overlays" / "clip.mp4")
    assert (facts.frames, facts.rate) == (3, 5.0)
    lines = (out / "areas-wide.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[1] for line in lines] == ["seconds", "0.000", "0.200", "0.400"]


def test_a_film_that_breaks_off_keeps_its_frames_and_says_where(tmp_path):
    film = film_of(tmp_path / "clip.avi", 60)
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 4])
    count = len(list(read_frames(film)))
    assert 5 < count < 30
    out = tmp_path / "out"
    summary = segment_video(request(film, out, save=("labels", "overlay")))
    assert (summary.done, summary.failed) == (count, 0)
    assert f"ends after frame {count} of about 60" in summary.stopped
    assert not summary.interrupted
    assert len(list((out / "labels" / "clip").iterdir())) == count
    assert read_film_facts(out / "overlays" / "clip.mp4").frames == count
    assert json.loads((out / "run.json").read_text())["film"]["cut_off"] == summary.stopped
    again = segment_video(request(film, out, save=("labels", "overlay")))
    assert (again.done, again.skipped, again.stopped) == (0, count, summary.stopped)


@pytest.mark.parametrize("smooth", [0.0, 0.5])
def test_a_broken_frame_of_a_folder_is_named_and_stops_no_other(tmp_path, smooth):
    frames = folder_of(tmp_path / "in", moving(4))
    (frames / "1.png").write_bytes(b"broken")
    out = tmp_path / "out"
    summary = segment_video(request(frames, out, save=("scores", "overlay"), smooth=smooth))
    assert (summary.done, summary.failed) == (3, 1)
    assert read_film_facts(out / "overlays" / "in.mp4").frames == 3
    (frames / "1.png").unlink()  # the frames after it were smoothed as if it had never been there
    segment_video(request(frames, tmp_path / "without", save=("scores",), smooth=smooth))
    assert content_of(out / "scores") == content_of(tmp_path / "without" / "scores")


@pytest.mark.parametrize("kind", ["film", "folder"])
def test_frames_that_go_through_the_model_together_are_smoothed_in_their_order(tmp_path, monkeypatch, kind):
    source = film_of(tmp_path / "clip.avi", 7) if kind == "film" else folder_of(tmp_path / "in", moving(7))
    segment_video(request(source, tmp_path / "single", smooth=0.7))
    monkeypatch.setattr("densezero.jobs.segment.images_at_once", lambda *_: 3)
    segment_video(request(source, tmp_path / "several", smooth=0.7))
    np.testing.assert_array_equal(labels_in(tmp_path / "several" / "labels"), labels_in(tmp_path / "single" / "labels"))


def test_a_head_labels_frames_too(tmp_path):
    model = str(write_small_hub(tmp_path / "hub" / "small", classes=150))
    still = folder_of(tmp_path / "still", [next(moving(1))] * 2)
    words = {"classes": None, "templates": None, "head": "ade20k", "model": model}
    segment_images(settings(still, tmp_path / "single", **words, save=("labels",)))
    segment_video(request(still, tmp_path / "out", **words, smooth=0.6))
    single = labels_in(tmp_path / "single" / "labels")
    assert len(np.unique(single)) > 1
    np.testing.assert_array_equal(labels_in(tmp_path / "out" / "labels"), single)


def test_a_dry_run_writes_nothing(tmp_path):
    film = film_of(tmp_path / "clip.avi", 3)
    summary = segment_video(request(film, tmp_path / "out", dry_run=True))
    assert (summary.dry_run, summary.done) == (True, 3)
    assert not (tmp_path / "out").exists()


def test_other_smoothing_or_another_film_of_the_same_name_is_refused_into_one_folder(tmp_path):
    film, out = film_of(tmp_path / "clip.avi", 2), tmp_path / "out"
    segment_video(request(film, out))
    with pytest.raises(OutputError, match="smooth"):
        segment_video(request(film, out, smooth=0.5))
    (tmp_path / "sub").mkdir()
    other = film_of(tmp_path / "sub" / "clip.avi", 3)
    with pytest.raises(OutputError, match="was made of"):
        segment_video(request(other, out))
    assert segment_video(request(film, out, smooth=0.5, overwrite=True)).done == 2


def test_a_film_that_no_run_wrote_is_not_replaced_and_no_input_is_either(tmp_path):
    film, out = film_of(tmp_path / "clip.avi", 2), tmp_path / "out"
    (out / "overlays").mkdir(parents=True)
    theirs = out / "overlays" / "clip.mp4"
    theirs.write_bytes(b"theirs")
    with pytest.raises(OutputError, match=r"clip\.mp4.*no earlier run wrote"):
        segment_video(request(film, out, save=("overlay",)))
    assert theirs.read_bytes() == b"theirs"
    theirs.unlink()
    own = film_of(theirs, 2)
    before = own.read_bytes()
    with pytest.raises(OutputError, match="one of the inputs"):
        segment_video(request(own, out, save=("overlay",), overwrite=True))
    assert own.read_bytes() == before


def test_a_later_run_keeps_the_film_of_an_earlier_one_up_to_date(tmp_path):
    frames, out = folder_of(tmp_path / "in", moving(2)), tmp_path / "out"
    segment_video(request(frames, out, save=("overlay",)))
    Image.fromarray(next(moving(1))).save(frames / "2.png")
    assert segment_video(request(frames, out, save=("csv",))).done == 1
    assert read_film_facts(out / "overlays" / "in.mp4").frames == 3


def test_what_does_not_fit_a_film_is_refused(tmp_path):
    film = film_of(tmp_path / "clip.mp4", 2)
    for changes, error, words in (
        ({"save": ("labels", "coco")}, OutputError, "with --video; got coco"),
        ({"regions": "masks"}, InputError, "without --regions"),
        ({"smooth": 1.0}, InputError, "below 1.*got 1, 1 and 25"),
        ({"smooth": float("nan")}, InputError, "got nan"),
        ({"every": 0}, InputError, "--every of 1 or more"),
        ({"rate": 0.0}, InputError, "--rate above 0"),
        ({"inputs": (film, film)}, InputError, "one film.*got 2 inputs"),
        ({"video": False}, InputError, r"clip\.mp4 ends like a film. Add --video"),
    ):
        with pytest.raises(error, match=words):
            request(changes.pop("inputs", film), tmp_path / "out", **changes)
    with pytest.raises(InputError, match="--smooth and --every with --video"):
        settings(tmp_path, tmp_path / "out", smooth=0.5)
    with pytest.raises(InputError, match="OpenCV"):
        (tmp_path / "no.mp4").write_bytes(b"no film")
        segment_video(request(tmp_path / "no.mp4", tmp_path / "out"))
    with pytest.raises(InputError, match="expected images in"):
        (tmp_path / "empty").mkdir()
        segment_video(request(tmp_path / "empty", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_frames_of_several_sizes_are_each_labelled_at_their_own_size(tmp_path):
    frames = folder_of(tmp_path / "in", [next(moving(1, hw)) for hw in ((49, 65), (64, 40), (64, 40))])
    assert segment_video(request(frames, tmp_path / "out", smooth=0.5, save=("overlay",))).done == 3
    sizes = [read_labels(tmp_path / "out" / "labels" / f"{place}.png").shape for place in range(3)]
    assert sizes == [(49, 65), (64, 40), (64, 40)]


def test_a_turned_film_is_upright_and_its_overlay_too(tmp_path):
    path = tmp_path / "clip.mp4"
    write_film(path, [np.full((32, 64, 3), 90, np.uint8)] * 2, 10)
    turned = bytearray(path.read_bytes())
    matrix = turned.index(b"tkhd") + 4 + 40  # ISO 14496-12, 8.3.2: the matrix of a track
    one, width = (1).to_bytes(2, "big") + bytes(2), (32).to_bytes(2, "big") + bytes(2)
    minus = b"\xff\xff" + bytes(2)
    turned[matrix : matrix + 28] = bytes(4) + one + bytes(4) + minus + bytes(8) + width  # a quarter, clockwise
    path.write_bytes(turned)
    segment_video(request(path, tmp_path / "out", save=("overlay",)))
    assert read_labels(tmp_path / "out" / "labels" / "clip" / "000001.png").shape == (64, 32)
    (frame, _) = read_frames(tmp_path / "out" / "overlays" / "clip.mp4")
    assert frame.shape[0] >= 320  # drawn upright, enlarged
    capture = cv2.VideoCapture(str(tmp_path / "out" / "overlays" / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_ORIENTATION_META) == 0
    capture.release()


def test_the_state_of_another_run_is_no_state(tmp_path):
    film, out = film_of(tmp_path / "clip.avi", 3), tmp_path / "out"
    out.mkdir()
    (out / STATE).write_bytes(b"damaged")
    segment_video(request(film, out, smooth=0.5))
    segment_video(request(film, tmp_path / "clean", smooth=0.5))
    assert content_of(out) == content_of(tmp_path / "clean")
    assert not OutputFolder(out).exists(STATE)
