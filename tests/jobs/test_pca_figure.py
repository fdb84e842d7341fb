import io

import numpy as np
import pytest
from PIL import Image

from densezero.errors import FeatureError, InputError, OutputError
from densezero.features.choices import FigureStyle, GridChoice
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import PcaSettings
from densezero.output import feature_sheets
from tests.jobs.photos import Recorder, write_scenes


def request(inputs, out, **changes):
    style = FigureStyle(changes.pop("width_mm", 60), cell=changes.pop("cell", "fit"))
    chosen = {"models": ("nano",), "grid": GridChoice(8), "dtype": "float32", "style": style}
    return PcaSettings((inputs,), out, **{**chosen, **changes})


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


@pytest.fixture
def drawn(monkeypatch):
    """The captions and the rows of pictures that go into the figure."""
    seen = {}
    real = feature_sheets.draw_figure

    def spied(plan, sections, form, foot=None):
        seen["captions"] = [" ".join(lines) for lines in plan.pages[0].heads[0].captions]
        seen["rows"] = [[panel.picture for panel in row] for row in sections[0]]
        return real(plan, sections, form, foot)

    monkeypatch.setattr(feature_sheets, "draw_figure", spied)
    return seen


def opens_as(content, suffix):
    if suffix == ".png":
        with Image.open(io.BytesIO(content)) as image:
            return image.format == "PNG" and abs(image.width - 60 / 25.4 * 300) < 2
    return content.startswith(b"%PDF") if suffix == ".pdf" else b"<svg" in content and b"</svg>" in content[-20:]


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_figure_is_of_the_form_that_its_name_says_and_the_same_bytes_twice(tmp_path, folder, suffix):
    outs = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for out in outs:
        summary = draw_pca(request(folder, out))
        assert (summary.done, summary.failed, summary.skipped) == (2, 0, 0)
    assert opens_as(outs[0].read_bytes(), suffix)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_columns_are_the_image_and_every_read_out_and_show(tmp_path, folder, drawn):
    draw_pca(request(folder, tmp_path / "f.png", readouts=("patch", "value"), shows=("pca", "first"), width_mm=180))
    assert drawn["captions"] == [
        "image", "patch, pca", "patch, first", "value, pca", "value, first",
    ]  # fmt: skip
    assert [len(row) for row in drawn["rows"]] == [5, 5]
    assert len({picture.shape for row in drawn["rows"] for picture in row}) == 1


def test_aligned_colours_come_nearer_to_those_of_the_first_column(tmp_path, folder, drawn):
    def distance(basis, align):
        draw_pca(request(folder, tmp_path / "f.png", readouts=("patch", "value"), basis=basis, align=align))
        return sum(((first.astype(float) - second) ** 2).sum() for _, first, second in drawn["rows"])

    for basis in ("together", "each"):
        assert distance(basis, True) < distance(basis, False)


def test_a_stored_basis_draws_the_figure_that_it_was_fitted_for(tmp_path, folder):
    stored = tmp_path / "basis.safetensors"
    draw_pca(request(folder, tmp_path / "fit.png", save_basis=stored))
    draw_pca(request(folder, tmp_path / "applied.png", basis=str(stored)))
    assert (tmp_path / "fit.png").read_bytes() == (tmp_path / "applied.png").read_bytes()


def test_a_basis_of_each_row_differs_from_the_common_one(tmp_path, folder, drawn):
    rows = {}
    for basis in ("together", "each"):
        draw_pca(request(folder, tmp_path / "f.png", basis=basis))
        rows[basis] = drawn["rows"]
    for together, each in zip(*rows.values(), strict=True):
        assert np.array_equal(together[0], each[0])
        assert not np.array_equal(together[1], each[1])


def test_rows_that_fail_are_named_and_left_out(tmp_path, folder, drawn):
    Image.new("RGB", (64, 48), (200, 10, 10)).save(folder / "flat.png")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:300])
    (folder / "text.jpg").write_text("no picture")
    recorder = Recorder()
    summary = draw_pca(request(folder, tmp_path / "f.png", basis="each", readouts=("patch", "value")), recorder)
    assert (summary.done, summary.failed) == (2, 3)
    assert [len(row) for row in drawn["rows"]] == [3, 3]
    errors = [progress.error for progress in recorder.images if progress.error]
    assert len(errors) == 3
    assert all(any(name in error for error in errors) for name in ("flat.png", "cut.png", "text.jpg"))


def test_a_figure_without_a_row_is_a_sentence_and_no_file(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("no picture")
    with pytest.raises(FeatureError, match=r"No image can be drawn\. .*a\.png"):
        draw_pca(request(tmp_path / "in", tmp_path / "f.png"))
    assert not (tmp_path / "f.png").exists()


def test_fewer_patches_than_components_give_a_sentence(tmp_path, folder):
    with pytest.raises(FeatureError, match="2 patches for 3 components"):
        draw_pca(request(folder, tmp_path / "f.png", grid=GridChoice(1)))
    with pytest.raises(FeatureError, match=r"No image can be drawn.*1 patches for 3 components"):
        draw_pca(request(folder, tmp_path / "f.png", grid=GridChoice(1), basis="each"))


def test_a_figure_too_narrow_for_its_columns_is_refused_before_a_model_is_loaded(tmp_path, folder):
    with pytest.raises(FeatureError, match="4 columns of at least 8 mm; 30 mm is not"):
        changes = {"models": ("tipsv2-l14",), "shows": ("pca", "first", "kmeans")}
        draw_pca(request(folder, tmp_path / "f.png", width_mm=30, **changes))


def test_labels_replace_the_captions(tmp_path, folder, drawn):
    draw_pca(request(folder, tmp_path / "f.png", readouts=("patch", "value"), labels=("Ours", "Theirs")))
    assert drawn["captions"] == ["image", "Ours", "Theirs"]
    with pytest.raises(FeatureError, match="one --label for each of 2 columns; got 1"):
        draw_pca(request(folder, tmp_path / "f.png", readouts=("patch", "value"), labels=("Ours",)))


def test_an_unknown_colour_map_is_refused_before_a_model_is_loaded(tmp_path, folder):
    for out, video in (("f.png", False), ("folder", False), ("f.avi", True)):
        with pytest.raises(FeatureError, match="Did you mean"):
            style = FigureStyle(colormap="infernoo")
            draw_pca(request(folder, tmp_path / out, models=("tipsv2-l14",), style=style, video=video))
        assert not (tmp_path / out).exists()


def test_rows_beyond_a_page_make_numbered_files(tmp_path):
    folder = write_scenes(tmp_path / "in", [f"{n}.png" for n in range(8)])
    draw_pca(request(folder, tmp_path / "f.png", width_mm=180, cell="square"))
    assert sorted(file.name for file in tmp_path.glob("*.png")) == ["f-1.png", "f-2.png", "f-3.png", "f-4.png"]
    draw_pca(request(folder, tmp_path / "f.pdf", width_mm=180, cell="square"))
    assert [file.name for file in tmp_path.glob("*.pdf")] == ["f.pdf"]


def test_no_input_is_written_over(tmp_path, folder):
    before = (folder / "a.png").read_bytes()
    with pytest.raises(OutputError, match="one of the inputs"):
        draw_pca(request(folder, folder / "a.png"))
    with pytest.raises(OutputError, match=r"a\.png is a file"):
        draw_pca(request(folder, folder / "a.png" / "f.svg"))
    assert (folder / "a.png").read_bytes() == before


def test_inputs_that_are_missing_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        draw_pca(request(tmp_path / "nowhere", tmp_path / "f.png"))


def test_a_tall_and_a_wide_image_keep_their_ratios(tmp_path, drawn):
    folder = write_scenes(tmp_path / "in", ["wide.png"], hw=(30, 90))
    write_scenes(folder, ["tall.png"], hw=(90, 60))
    draw_pca(request(folder, tmp_path / "f.png"))
    ratios = [picture.shape[0] / picture.shape[1] for row in drawn["rows"] for picture in row]
    assert np.allclose(ratios, [1.5, 1.5, 1 / 3, 1 / 3], atol=0.01)


def test_hue_and_mirror_change_the_colours_and_nothing_of_the_fit(tmp_path, folder, drawn):
    stored = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    draw_pca(request(folder, tmp_path / "f.png", save_basis=stored[0]))
    plain = [row[1].astype(int) for row in drawn["rows"]]
    draw_pca(request(folder, tmp_path / "f.png", hue_deg=120, save_basis=stored[1]))
    for turned, before in zip(drawn["rows"], plain, strict=True):
        assert np.abs(turned[1].astype(int) - before[..., [2, 0, 1]]).max() <= 1
    assert stored[0].read_bytes() == stored[1].read_bytes()
    draw_pca(request(folder, tmp_path / "f.png", basis=str(stored[0]), flip=(2,)))
    for mirrored, before in zip(drawn["rows"], plain, strict=True):
        assert np.abs(mirrored[1][..., 1].astype(int) - (255 - before[..., 1])).max() <= 1
