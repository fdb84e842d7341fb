import numpy as np
import pytest

from densezero.errors import FeatureError, InputError, ModelError, OutputError
from densezero.features.choices import GridChoice
from densezero.images.film import read_film_facts, read_frames
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import PcaSettings
from densezero.output.film import write_film
from densezero.pretrain.scenes import draw_scene
from tests.jobs.photos import Recorder, read_labels, write_scenes

NEAR = 12  # grey levels that the codecs move a pixel by


def request(inputs, out, **changes):
    chosen = {"models": ("nano",), "grid": GridChoice(8), "dtype": "float32", "video": True}
    return PcaSettings((inputs,), out, **{**chosen, **changes})


def static_film(path, count=5):
    write_film(path, [draw_scene((9, 1), (48, 64)).rgb] * count, 10.0)
    return path


def test_a_folder_of_frames_becomes_a_film_at_the_rate_asked_for(tmp_path):
    folder = write_scenes(tmp_path / "in", [f"{place:02}.png" for place in range(4)])
    summary = draw_pca(request(folder, tmp_path / "out.mp4", rate=5.0))
    assert (summary.done, summary.failed) == (4, 0)
    facts = read_film_facts(tmp_path / "out.mp4")
    assert (facts.rate, facts.frames) == (5.0, 4)
    assert {frame.shape for frame in read_frames(tmp_path / "out.mp4")} == {(48, 64, 3)}


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov"])
def test_a_film_becomes_a_film_of_its_own_rate(tmp_path, suffix):
    film = static_film(tmp_path / "in.avi", 3)
    assert draw_pca(request(film, tmp_path / f"out{suffix}", rate=3.0)).done == 3
    facts = read_film_facts(tmp_path / f"out{suffix}")
    assert (round(facts.rate, 3), facts.frames) == (10.0, 3)


@pytest.mark.parametrize("show", ["pca", "first", "kmeans"])
def test_the_colours_of_a_film_that_stands_still_do_not_flicker(tmp_path, show):
    film = static_film(tmp_path / "in.avi")
    draw_pca(request(film, tmp_path / "out.avi", shows=(show,), fit_images=2))
    frames = np.stack(list(read_frames(tmp_path / "out.avi"))).astype(int)
    assert len(frames) == 5
    assert np.abs(frames - frames[0]).max() <= NEAR
    assert frames[0].std() > 10  # it shows something


def test_a_folder_and_a_picture_run_draw_the_same_colours(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png"])
    draw_pca(request(folder, tmp_path / "out.avi"))
    draw_pca(request(folder, tmp_path / "out", video=False))
    for name, frame in zip("ab", read_frames(tmp_path / "out.avi"), strict=True):
        assert np.abs(frame.astype(int) - read_labels(tmp_path / "out" / f"{name}.png")).mean() < NEAR


def test_a_stored_basis_makes_the_film_that_it_was_fitted_for(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png", "c.png"])
    stored = tmp_path / "basis.safetensors"
    draw_pca(request(folder, tmp_path / "fit.avi", save_basis=stored))
    draw_pca(request(folder, tmp_path / "applied.avi", basis=str(stored)))
    pairs = zip(read_frames(tmp_path / "fit.avi"), read_frames(tmp_path / "applied.avi"), strict=True)
    assert all(np.array_equal(first, second) for first, second in pairs)


def test_broken_frames_are_named_and_left_out(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "c.png"])
    (folder / "b.png").write_text("no picture")
    recorder = Recorder()
    summary = draw_pca(request(folder, tmp_path / "out.mp4"), recorder)
    assert (summary.done, summary.failed) == (2, 1)
    assert [progress.relative for progress in recorder.images if progress.error] == ["b.png"]
    assert "b.png" in next(progress.error for progress in recorder.images if progress.error)
    assert read_film_facts(tmp_path / "out.mp4").frames == 2


def test_frames_of_several_sizes_are_drawn_at_the_first_ones(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png"], hw=(49, 65))
    write_scenes(folder, ["b.png"], hw=(64, 40))
    draw_pca(request(folder, tmp_path / "out.mp4"))
    assert {frame.shape for frame in read_frames(tmp_path / "out.mp4")} == {(48, 64, 3)}


def test_a_film_without_a_frame_is_a_sentence_and_no_file(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("no picture")
    with pytest.raises(FeatureError, match="No frame of"):
        draw_pca(request(tmp_path / "in", tmp_path / "out.mp4"))
    (tmp_path / "no.mp4").write_text("no film")
    with pytest.raises(InputError, match=r"no\.mp4.*OpenCV"):
        draw_pca(request(tmp_path / "no.mp4", tmp_path / "out.mp4"))
    with pytest.raises(InputError, match="missing"):
        draw_pca(request(tmp_path / "missing.mp4", tmp_path / "out.mp4"))
    assert not (tmp_path / "out.mp4").exists()


def test_a_film_is_not_written_over_itself_or_a_folder(tmp_path):
    film = static_film(tmp_path / "in.avi", 2)
    before = film.read_bytes()
    with pytest.raises(OutputError, match="one of the inputs"):
        draw_pca(request(film, film))
    assert film.read_bytes() == before
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        draw_pca(request(film, tmp_path / "folder.mp4"))


def test_unknown_names_and_too_few_patches_are_sentences(tmp_path):
    film = static_film(tmp_path / "in.avi", 2)
    with pytest.raises(ModelError, match="Did you mean 'value'"):
        draw_pca(request(film, tmp_path / "out.mp4", readouts=("valeu",)))
    with pytest.raises(FeatureError, match="2 patches for 3 components"):
        draw_pca(request(film, tmp_path / "out.mp4", grid=GridChoice(1)))
    assert [path.name for path in tmp_path.iterdir()] == ["in.avi"]
