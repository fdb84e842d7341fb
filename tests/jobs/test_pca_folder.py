from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densezero.encoders.catalog import load_encoder
from densezero.errors import FeatureError, InputError, ModelError, OutputError
from densezero.features import encode_grid, encoder_cache, load_basis, to_rgb
from densezero.features.choices import GridChoice
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import PcaSettings
from tests.jobs.photos import Recorder, read_labels, write_scenes

NAMES = ["a.png", "b.png", "sub/c.jpg"]


def request(inputs, out, **changes):
    chosen = {"models": ("nano",), "grid": GridChoice(8), "dtype": "float32", "upsampler": "nearest"}
    return PcaSettings((inputs,), out, **{**chosen, **changes})


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", NAMES)


def contents(out):
    """Every picture and fit, by its path: all that a run leaves but the manifest, which knows the time."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


def one_colour(file):
    Image.new("RGB", (64, 48), (9, 80, 200)).save(file)


def test_one_column_draws_every_image_under_its_own_name_and_size(tmp_path, folder):
    summary = draw_pca(request(folder, tmp_path / "out"))
    assert (summary.done, summary.failed, summary.skipped, summary.stopped) == (3, 0, 0, None)
    assert set(contents(tmp_path / "out")) == {"a.png", "b.png", "sub/c.png", "fitted/nano.basis.safetensors"}
    assert read_labels(tmp_path / "out" / "sub" / "c.png").shape == (48, 64, 3)


def test_several_read_outs_and_shows_have_a_folder_each(tmp_path, folder):
    shows = ("pca", "first", "kmeans")
    draw_pca(request(folder / "a.png", tmp_path / "out", readouts=("patch", "value"), shows=shows, clusters=3))
    columns = ("nano-patch", "nano-value")
    pictures = {f"{column}/{show}/a.png" for column in columns for show in shows}
    fits = {f"fitted/{column}.{part}.safetensors" for column in columns for part in ("basis", "clusters")}
    assert set(contents(tmp_path / "out")) == pictures | fits
    clustered = read_labels(tmp_path / "out" / "nano-patch" / "kmeans" / "a.png")
    assert len(np.unique(clustered.reshape(-1, 3), axis=0)) == 3


def test_several_models_have_a_folder_each(tmp_path, folder):
    pytest.importorskip("timm")
    models = ("nano", "timm:vit_tiny_patch16_224/random")
    draw_pca(request(folder / "a.png", tmp_path / "out", models=models))
    pictures = {name for name in contents(tmp_path / "out") if name.endswith(".png")}
    assert pictures == {"nano/a.png", "timm_vit_tiny_patch16_224_random/a.png"}


def test_a_picture_is_the_look_of_the_stored_basis_patch_by_patch(tmp_path, folder):
    draw_pca(request(folder, tmp_path / "out"))
    encoder = load_encoder("nano", dtype="float32")
    basis = load_basis(tmp_path / "out" / "fitted" / "nano.basis.safetensors")
    assert (basis.encoder, basis.readout, basis.weights_sha256) == (encoder.name, "patch", encoder.weights_hash)
    grid = encode_grid(encoder, read_labels(folder / "b.png"), "patch", 8)  # (6, 8, D)
    expected = np.rint(np.asarray(to_rgb(basis, grid, "sigmoid")) * 255)
    drawn = read_labels(tmp_path / "out" / "b.png")[4::8, 4::8]  # the middle of each patch
    assert np.abs(drawn.astype(float) - expected).max() <= 1


def test_two_runs_write_the_same_bytes(tmp_path, folder):
    for name in ("one", "two"):
        draw_pca(
            request(folder, tmp_path / name, shows=("pca", "kmeans"), color_mapping="percentile", upsampler="guided")
        )
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_run_does_only_what_is_missing(tmp_path, folder):
    out = tmp_path / "out"
    draw_pca(request(folder, out))
    before = contents(out)
    (out / "b.png").unlink()
    summary = draw_pca(request(folder, out))
    assert (summary.done, summary.skipped) == (1, 2)
    assert contents(out) == before
    assert draw_pca(request(folder, out, overwrite=True)).done == 3
    assert contents(out) == before


class Killed(BaseException):
    pass


class DiesAtTheSecond(Recorder):
    """Ends the process, as far as a run can tell, once an image is drawn."""

    def image(self, progress, miou=None):
        raise Killed


class DiesWhileFitting(Recorder):
    def fitting(self, done, total):
        raise Killed


@pytest.mark.parametrize("basis", ["together", "each"])
def test_a_run_killed_half_way_goes_on_with_the_same_result(tmp_path, folder, basis):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    draw_pca(request(folder, whole, basis=basis))
    with pytest.raises(Killed):
        draw_pca(request(folder, cut, basis=basis), DiesAtTheSecond())
    assert not (cut / "run.json").exists()
    summary = draw_pca(request(folder, cut, basis=basis))
    assert (summary.done, summary.skipped) == (2, 1)
    assert contents(cut) == contents(whole)


def test_images_that_come_later_are_drawn_with_the_basis_of_the_first_run(tmp_path, folder):
    out = tmp_path / "out"
    draw_pca(request(folder, out))
    before = contents(out)
    write_scenes(folder, ["x0.png", "x1.png", "x2.png", "later.png"])
    assert draw_pca(request(folder, out)).done == 4
    after = contents(out)
    assert {name: after[name] for name in before} == before


def test_an_overwriting_run_killed_while_fitting_does_not_go_on_with_the_old_basis(tmp_path, folder):
    out, whole = tmp_path / "out", tmp_path / "whole"
    draw_pca(request(folder, out))
    write_scenes(folder, ["x0.png", "x1.png", "a.png", "b.png"])  # other pictures, some under old names
    with pytest.raises(Killed):
        draw_pca(request(folder, out, overwrite=True), DiesWhileFitting())
    draw_pca(request(folder, out))
    draw_pca(request(folder, whole))
    assert contents(out) == contents(whole)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"color_mapping": "percentile"}, "look"), ({"basis": "each"}, "basis"), ({"grid": GridChoice(9)}, "grid.side")],
)
def test_another_request_into_the_same_folder_is_refused(tmp_path, folder, changes, says):
    out = tmp_path / "out"
    draw_pca(request(folder, out))
    before = contents(out)
    with pytest.raises(OutputError, match=rf"another request.*{says}.*--overwrite"):
        draw_pca(request(folder, out, **changes))
    assert contents(out) == before


def test_a_basis_of_each_image_is_the_common_basis_of_that_image_alone(tmp_path, folder):
    draw_pca(request(folder, tmp_path / "each", basis="each"))
    draw_pca(request(folder / "b.png", tmp_path / "alone"))
    draw_pca(request(folder, tmp_path / "together"))
    each, alone, together = (contents(tmp_path / name)["b.png"] for name in ("each", "alone", "together"))
    assert each == alone
    assert each != together
    assert not (tmp_path / "each" / "fitted").exists()


def test_a_stored_basis_draws_what_the_run_drew_that_stored_it(tmp_path, folder):
    stored = tmp_path / "bases" / "nano.safetensors"
    draw_pca(request(folder, tmp_path / "fit", save_basis=stored))
    draw_pca(request(folder, tmp_path / "applied", basis=str(stored)))
    fit, applied = contents(tmp_path / "fit"), contents(tmp_path / "applied")
    assert applied == {name: fit[name] for name in ("a.png", "b.png", "sub/c.png")}


def test_a_basis_is_stored_where_it_is_asked_for_though_all_pictures_are_there(tmp_path, folder):
    stored = tmp_path / "basis.safetensors"
    draw_pca(request(folder, tmp_path / "out"))
    summary = draw_pca(request(folder, tmp_path / "out", save_basis=stored))
    assert summary.skipped == 3
    assert stored.read_bytes() == contents(tmp_path / "out")["fitted/nano.basis.safetensors"]


def test_a_stored_basis_of_another_read_out_model_or_file_is_refused(tmp_path, folder):
    stored = tmp_path / "basis.safetensors"
    draw_pca(request(folder, tmp_path / "fit", save_basis=stored))
    with pytest.raises(FeatureError, match=r"with 'patch'; got nano .* with 'value'"):
        draw_pca(request(folder, tmp_path / "out", basis=str(stored), readouts=("value",)))
    with pytest.raises(FeatureError, match="has no clusters"):
        draw_pca(request(folder, tmp_path / "out", basis=str(stored), shows=("kmeans",)))
    with pytest.raises(FeatureError, match="cannot be read as one"):
        draw_pca(request(folder, tmp_path / "out", basis=str(folder / "a.png")))
    assert not (tmp_path / "out").exists()
    pytest.importorskip("timm")
    with pytest.raises(FeatureError, match="Expected the encoder of the basis"):
        draw_pca(request(folder, tmp_path / "out", basis=str(stored), models=("timm:vit_tiny_patch16_224/random",)))


def test_aligned_colours_come_nearer_to_those_of_the_first_column(tmp_path, folder):
    def distance(out, align):
        draw_pca(request(folder, out, readouts=("patch", "value"), align=align))
        pairs = [[read_labels(out / f"nano-{name}" / file).astype(float) for name in ("patch", "value")]
                 for file in ("a.png", "b.png", "sub/c.png")]  # fmt: skip
        return sum(((first - second) ** 2).sum() for first, second in pairs)

    assert distance(tmp_path / "aligned", True) < distance(tmp_path / "plain", False)
    first = "nano-patch/a.png"
    assert contents(tmp_path / "aligned")[first] == contents(tmp_path / "plain")[first]


def test_the_background_is_white_where_the_foreground_alone_is_coloured(tmp_path, folder):
    draw_pca(request(folder, tmp_path / "out", foreground=True))
    basis = load_basis(tmp_path / "out" / "fitted" / "nano.basis.safetensors")
    encoder = load_encoder("nano", dtype="float32")
    inside = basis.foreground(encode_grid(encoder, read_labels(folder / "a.png"), "patch", 8))
    assert inside is not None
    assert 0 < int(inside.sum()) < inside.numel()
    drawn = torch.from_numpy(read_labels(tmp_path / "out" / "a.png")[4::8, 4::8].min(-1) < 255)
    assert torch.equal(drawn, inside)


def test_one_colour_has_no_basis_of_its_own_and_the_rest_is_drawn(tmp_path, folder):
    one_colour(folder / "flat.png")
    recorder = Recorder()
    summary = draw_pca(request(folder, tmp_path / "out", basis="each"), recorder)
    assert (summary.done, summary.failed) == (3, 1)
    errors = [progress.error for progress in recorder.images if progress.error]
    assert len(errors) == 1
    assert "flat.png" in errors[0]
    assert "one colour everywhere" in errors[0]
    assert draw_pca(request(folder, tmp_path / "together")).done == 4


def test_broken_files_are_named_and_the_rest_is_drawn(tmp_path, folder):
    (folder / "a0.jpg").write_text("no picture")
    (folder / "z.png").write_bytes((folder / "a.png").read_bytes()[:200])
    recorder = Recorder()
    summary = draw_pca(request(folder, tmp_path / "out"), recorder)
    assert (summary.done, summary.failed) == (3, 2)
    assert {progress.relative for progress in recorder.images if progress.error} == {"a0.jpg", "z.png"}
    assert {name for name in contents(tmp_path / "out") if name.endswith("png")} == {"a.png", "b.png", "sub/c.png"}


def test_images_that_are_all_broken_give_a_sentence(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("no picture")
    with pytest.raises(FeatureError, match="None of the 1 images"):
        draw_pca(request(tmp_path / "in", tmp_path / "out"))


def test_fewer_patches_than_components_give_a_sentence(tmp_path, folder):
    with pytest.raises(FeatureError, match=r"3 patches for 3 components\. Take a larger grid"):
        draw_pca(request(folder, tmp_path / "out", grid=GridChoice(1)))
    assert draw_pca(request(folder, tmp_path / "each", grid=GridChoice(1), basis="each")).failed == 3


def test_a_basis_is_fitted_to_as_many_images_as_asked_for(tmp_path, folder):
    heard = []

    class Counts(Recorder):
        def fitting(self, done, total):
            heard.append((done, total))

    draw_pca(request(folder, tmp_path / "out", fit_images=2), Counts())
    assert heard == [(1, 2), (2, 2)]


def test_names_that_are_not_known_give_the_nearest_and_leave_nothing(tmp_path, folder):
    with pytest.raises(ModelError, match="Did you mean 'nano'"):
        draw_pca(request(folder, tmp_path / "out", models=("nanoo",)))
    with pytest.raises(ModelError, match="Did you mean 'patch'"):
        draw_pca(request(folder, tmp_path / "out", readouts=("pach",)))
    with pytest.raises(InputError, match="check the spelling"):
        draw_pca(request(folder / "missing", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_among_the_inputs_takes_no_output(folder):
    with pytest.raises(OutputError, match="lies in the input folder"):
        draw_pca(request(folder, folder / "out"))


def test_paths_may_be_relative_to_the_folder_of_the_process(tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_pca(request(Path("in"), Path("out")))
    assert Path("out/sub/c.png").is_file()


def test_a_basis_is_stored_in_a_file_that_is_no_input_or_nothing_is_done(tmp_path, folder):
    with pytest.raises(OutputError, match="--save-basis as a file"):
        draw_pca(request(folder, tmp_path / "out", save_basis=tmp_path / "in"))
    before = (folder / "a.png").read_bytes()
    with pytest.raises(OutputError, match=r"stored as safetensors; got .*a\.png"):
        draw_pca(request(folder / "a.png", tmp_path / "out", save_basis=folder / "a.png"))
    assert (folder / "a.png").read_bytes() == before
    (folder / "weights.safetensors").write_bytes(before)
    with pytest.raises(OutputError, match="holds no basis"):
        draw_pca(request(folder, tmp_path / "out", save_basis=folder / "weights.safetensors"))
    assert (folder / "weights.safetensors").read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("full"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_memory_that_runs_out_is_a_sentence_for_the_image_and_ends_no_run(tmp_path, folder, monkeypatch, error):
    real, seen = encoder_cache.encode_grid, []

    def short_of_memory(encoder, rgb, *rest):
        seen.append(rgb)
        if len(seen) in (2, 4):  # the second image, while fitting and while drawing
            raise error
        return real(encoder, rgb, *rest)

    monkeypatch.setattr(encoder_cache, "encode_grid", short_of_memory)
    recorder = Recorder()
    summary = draw_pca(request(folder, tmp_path / "out"), recorder)
    assert (summary.done, summary.failed) == (2, 1)
    (failed,) = [progress.error for progress in recorder.images if progress.error]
    assert "not enough memory" in failed
    assert "b.png" in failed


def test_other_failures_of_an_encoder_keep_their_words(tmp_path, folder, monkeypatch):
    def broken(*_):
        raise RuntimeError("some defect")

    monkeypatch.setattr(encoder_cache, "encode_grid", broken)
    with pytest.raises(RuntimeError, match="some defect"):
        draw_pca(request(folder, tmp_path / "out"))


def test_progress_counts_the_pictures_of_all_columns_and_says_of_how_many_images(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png"])
    for out in (tmp_path / "out", tmp_path / "figure.png"):
        recorder = Recorder()
        request = PcaSettings((folder,), out, models=("nano",), readouts=("patch", "value"), grid=GridChoice(8))
        draw_pca(request, recorder)
        assert {(progress.total, progress.unit) for progress in recorder.images} == {(4, "pictures of 2 images")}


def test_one_stored_basis_holds_several_columns_and_the_foreground_by_choice(tmp_path, folder):
    stored = tmp_path / "bases.safetensors"
    two = {"readouts": ("patch", "value")}
    draw_pca(request(folder, tmp_path / "fit", save_basis=stored, align=True, **two))
    draw_pca(request(folder, tmp_path / "applied", basis=str(stored), **two))
    fit, applied = contents(tmp_path / "fit"), contents(tmp_path / "applied")
    names = [f"nano-{readout}/{file}" for readout in two["readouts"] for file in ("a.png", "b.png", "sub/c.png")]
    assert {name: fit[name] for name in names} == applied
    draw_pca(request(folder, tmp_path / "one", basis=str(stored), readouts=("value",)))
    assert contents(tmp_path / "one")["a.png"] == fit["nano-value/a.png"]
    draw_pca(request(folder, tmp_path / "subject", basis=str(stored), readouts=("patch",), foreground=True))
    whole, subject = read_labels(tmp_path / "fit" / "nano-patch" / "a.png"), read_labels(tmp_path / "subject" / "a.png")
    white = (subject[4::8, 4::8] == 255).all(-1)
    assert 0 < white.sum() < white.size
    assert np.array_equal(subject[4::8, 4::8][~white], whole[4::8, 4::8][~white])


def test_a_basis_of_the_foreground_colours_everything_where_that_is_asked_for(tmp_path, folder):
    stored = tmp_path / "basis.safetensors"
    draw_pca(request(folder, tmp_path / "fit", save_basis=stored, foreground=True))
    draw_pca(request(folder, tmp_path / "same", basis=str(stored), foreground=True))
    draw_pca(request(folder, tmp_path / "all", basis=str(stored)))
    fit, same = contents(tmp_path / "fit")["a.png"], contents(tmp_path / "same")["a.png"]
    assert fit == same
    assert not (read_labels(tmp_path / "all" / "a.png") == 255).all(-1).any()


def test_a_stored_basis_without_a_rule_for_the_foreground_says_so(tmp_path, folder):
    draw_pca(request(folder, tmp_path / "fit"))
    stored = tmp_path / "fit" / "fitted" / "nano.basis.safetensors"
    with pytest.raises(FeatureError, match="has no rule for the foreground"):
        draw_pca(request(folder, tmp_path / "out", basis=str(stored), foreground=True))
