import json

import numpy as np
import pytest
from PIL import Image

from densezero.errors import FeatureError, InputError, ModelError, OutputError
from densezero.images.film import read_frames
from densezero.jobs.feature_settings import GridChoice, PcaSettings
from densezero.jobs.pca import draw_pca
from densezero.output.film import write_film
from tests.jobs.photos import Recorder, read_labels, write_scenes


def settings(inputs, out, **changes):
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    values = {"models": ("nano",), "grid": GridChoice(side=10), "dtype": "float32"}
    return PcaSettings(tuple(inputs), out, **{**values, **changes})


@pytest.fixture
def photos(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.jpg", "sub/c.png"])


def files_under(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pictures_under(folder):
    return {name: content for name, content in files_under(folder).items() if name.endswith(".png")}


def test_every_image_gets_a_picture_of_its_own_size_and_the_same_bytes_each_time(photos, tmp_path):
    summary = draw_pca(settings(photos, tmp_path / "one"))
    assert (summary.done, summary.failed, summary.skipped) == (3, 0, 0)
    assert set(pictures_under(tmp_path / "one")) == {"a.png", "b.png", "sub/c.png"}
    assert read_labels(tmp_path / "one" / "a.png").shape == (48, 64, 3)
    draw_pca(settings(photos, tmp_path / "two"))
    assert pictures_under(tmp_path / "one") == pictures_under(tmp_path / "two")


def test_each_source_and_each_thing_shown_has_a_folder(photos, tmp_path):
    shows, readouts = ("pca", "first", "kmeans"), ("patch", "value")
    draw_pca(settings(photos, tmp_path / "out", shows=shows, readouts=readouts, clusters=3))
    names = set(pictures_under(tmp_path / "out"))
    assert names == {
        f"nano-{readout}/{show}/{name}.png" for readout in readouts for show in shows for name in ("a", "b", "sub/c")
    }


def test_a_second_run_draws_only_what_is_missing_with_the_same_colours(photos, tmp_path):
    out = tmp_path / "out"
    draw_pca(settings(photos, out))
    before = pictures_under(out)
    (out / "b.png").unlink()
    write_scenes(photos, ["d.png"])
    summary = draw_pca(settings(photos, out))
    assert (summary.done, summary.skipped) == (2, 2)
    assert {name: content for name, content in pictures_under(out).items() if name in before} == before


def test_a_run_killed_half_way_goes_on_with_the_same_result(photos, tmp_path):
    class Killed(BaseException):
        pass

    class Dying(Recorder):
        def image(self, progress, miou=None):
            raise Killed

    draw_pca(settings(photos, tmp_path / "whole", shows=("pca", "kmeans")))
    with pytest.raises(Killed):
        draw_pca(settings(photos, tmp_path / "cut", shows=("pca", "kmeans")), Dying())
    summary = draw_pca(settings(photos, tmp_path / "cut", shows=("pca", "kmeans")))
    assert (summary.done, summary.skipped) == (2, 1)
    assert pictures_under(tmp_path / "cut") == pictures_under(tmp_path / "whole")


def test_other_settings_do_not_mix_with_earlier_pictures(photos, tmp_path):
    draw_pca(settings(photos, tmp_path / "out"))
    with pytest.raises(OutputError, match="look"):
        draw_pca(settings(photos, tmp_path / "out", look="percentile"))
    before = pictures_under(tmp_path / "out")
    assert draw_pca(settings(photos, tmp_path / "out", look="percentile", overwrite=True)).done == 3
    assert pictures_under(tmp_path / "out") != before


def test_a_stored_basis_draws_what_its_own_fit_drew(photos, tmp_path):
    basis = tmp_path / "basis.safetensors"
    draw_pca(settings(photos, tmp_path / "fit", save_basis=basis))
    draw_pca(settings(photos, tmp_path / "stored", basis=str(basis)))
    assert pictures_under(tmp_path / "fit") == pictures_under(tmp_path / "stored")
    with pytest.raises(FeatureError, match="Expected the encoder of the basis"):
        draw_pca(settings(photos, tmp_path / "other", basis=str(basis), readouts=("value",)))


def test_a_basis_is_stored_although_every_picture_is_there_already(photos, tmp_path):
    draw_pca(settings(photos, tmp_path / "out"))
    basis = tmp_path / "late.safetensors"
    assert draw_pca(settings(photos, tmp_path / "out", save_basis=basis)).skipped == 3
    assert basis.read_bytes() == (tmp_path / "out" / "fitted" / "nano.basis.safetensors").read_bytes()


def test_broken_and_one_coloured_images_are_named_and_the_rest_is_drawn(photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (64, 48), (9, 99, 9)).save(photos / "green.png")
    out = tmp_path / "out"
    summary = draw_pca(settings(photos, out, basis="each"))
    assert (summary.done, summary.failed) == (3, 2)
    errors = {image["relative"]: image["error"] for image in json.loads((out / "run.json").read_text())["images"]}
    assert "broken.png" in errors["broken.png"]
    assert "one colour everywhere" in errors["green.png"]
    assert errors["a.png"] is None
    together = draw_pca(settings(photos, tmp_path / "together"))
    assert (together.done, together.failed) == (4, 1)


def test_no_usable_image_and_too_few_patches_are_refused(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.png").write_bytes(b"no picture")
    with pytest.raises(FeatureError, match="None of the 1 images"):
        draw_pca(settings(folder, tmp_path / "out"))
    with pytest.raises(FeatureError, match="more patches than components"):
        draw_pca(settings(write_scenes(tmp_path / "one", ["a.png"]), tmp_path / "out2", grid=GridChoice(side=1)))


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_one_figure_of_all_images_and_encoders(photos, tmp_path, suffix):
    out = tmp_path / f"figure{suffix}"
    changes = {"readouts": ("patch", "v-v-bare"), "align": True, "width_mm": 60.0}
    assert draw_pca(settings(photos, out, **changes)).done == 3
    first = out.read_bytes()
    draw_pca(settings(photos, out, **changes))
    assert out.read_bytes() == first


def test_a_figure_leaves_out_what_fails(photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (64, 48), (9, 99, 9)).save(photos / "green.png")
    recorder, out = Recorder(), tmp_path / "figure.png"
    summary = draw_pca(settings(photos, out, basis="each", width_mm=60.0), recorder)
    assert (summary.done, summary.failed) == (3, 2)
    assert {progress.relative for progress in recorder.images if progress.error} == {"broken.png", "green.png"}
    height_of_rows = read_labels(out).shape[0]
    (photos / "broken.png").unlink()
    (photos / "green.png").unlink()
    draw_pca(settings(photos, out, basis="each", width_mm=60.0))
    assert read_labels(out).shape[0] == height_of_rows


def test_aligned_colours_are_nearer_to_the_first_columns(photos, tmp_path):
    distance = {}
    for align in (False, True):
        out = tmp_path / str(align)
        draw_pca(settings(photos, out, readouts=("patch", "k-k-bare"), align=align))
        columns = [
            np.stack([read_labels(out / f"nano-{readout}" / f"{name}.png").astype(float) for name in ("a", "sub/c")])
            for readout in ("patch", "k-k-bare")
        ]
        distance[align] = np.square(columns[0] - columns[1]).sum()
    assert distance[True] < 0.9 * distance[False]


def test_frames_become_a_film_whose_colours_stay(tmp_path):
    scene = write_scenes(tmp_path / "one", ["a.png"])
    picture = read_labels(scene / "a.png")
    frames = tmp_path / "frames"
    frames.mkdir()
    for place in range(4):
        Image.fromarray(picture).save(frames / f"{place}.png")
    (frames / "9.png").write_bytes(b"no picture")
    recorder = Recorder()
    summary = draw_pca(settings(frames, tmp_path / "film.mp4", video=True, fit_images=2, rate=4.0), recorder)
    assert (summary.done, summary.failed) == (4, 1)
    assert [progress.relative for progress in recorder.images if progress.error] == ["9.png"]
    film = np.stack(list(read_frames(tmp_path / "film.mp4"))).astype(int)
    assert film.shape == (4, 48, 64, 3)
    assert np.abs(film - film[0]).max() <= 8  # the codec's rounding
    draw_pca(settings(tmp_path / "film.mp4", tmp_path / "again.avi", video=True))
    assert len(list(read_frames(tmp_path / "again.avi"))) == 4


def test_a_film_of_a_film_and_a_stored_basis(tmp_path, photos):
    write_film(tmp_path / "in.mp4", [read_labels(photos / "a.png")] * 3, 5)
    basis = tmp_path / "b.safetensors"
    draw_pca(settings(tmp_path / "in.mp4", tmp_path / "one.mp4", video=True, save_basis=basis))
    draw_pca(settings(tmp_path / "in.mp4", tmp_path / "two.mp4", video=True, basis=str(basis)))
    one, two = (np.stack(list(read_frames(tmp_path / name))).astype(int) for name in ("one.mp4", "two.mp4"))
    assert np.abs(one - two).max() <= 2


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"shows": ("pcaa",)}, FeatureError, "Did you mean 'pca'"),
        ({"look": "sigmod"}, FeatureError, "Did you mean 'sigmoid'"),
        ({"upsampler": "near"}, FeatureError, "Did you mean 'nearest'"),
        ({"readouts": ("patc",)}, ModelError, "Did you mean 'patch'"),
        ({"models": ("nanoo",)}, ModelError, "Did you mean 'nano'"),
        ({"models": ("nano", "nano")}, FeatureError, "every --model once"),
        ({"basis": "none.safetensors"}, FeatureError, "together, each or a file"),
        ({"align": True}, FeatureError, "second --model"),
        ({"clusters": 1}, FeatureError, "at least 2 clusters"),
        ({"fit_images": 0}, FeatureError, "at least 1 image"),
        ({"basis": "each", "readouts": ("patch", "value"), "align": True}, FeatureError, "one figure"),
        ({"save_basis": "b", "readouts": ("patch", "value")}, FeatureError, "one read-out"),
        ({"save_basis": "b", "shows": ("kmeans",)}, FeatureError, "k-means alone"),
        ({"video": True}, OutputError, "as a film"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(photos, tmp_path, changes, error, says):
    with pytest.raises(error, match=says):
        draw_pca(settings(photos, tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


def test_places_that_cannot_be_written_are_refused(photos, tmp_path):
    with pytest.raises(OutputError, match="one of the inputs"):
        draw_pca(settings(photos / "a.png", photos / "a.png"))
    with pytest.raises(OutputError, match="lies in the input folder"):
        draw_pca(settings(photos, photos / "out"))
    write_scenes(photos, ["a.jpg"])
    with pytest.raises(OutputError, match=r"a.jpg and a.png"):
        draw_pca(settings(photos, tmp_path / "out"))
    with pytest.raises(FeatureError, match="larger --width"):
        draw_pca(settings(photos, tmp_path / "f.png", width_mm=6.0))
    with pytest.raises(InputError, match="one film or one folder"):
        settings([photos, photos], tmp_path / "f.mp4", video=True)
