"""Depth and normals as columns of ``pca``'s figure, by a small model with heads."""

import matplotlib
import numpy as np
import pytest

from densezero.errors import FeatureError, ModelError
from densezero.features.choices import FigureStyle, GridChoice
from densezero.features.figure import heat
from densezero.heads import DensePredictor, load_head
from densezero.heads.open import open_encoder
from densezero.images import resize_rgb
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import PcaSettings
from densezero.output import feature_sheets
from tests.cli.test_commands import run
from tests.heads.hub_files import write_small_hub
from tests.jobs.photos import Recorder, read_labels, write_scenes

TASKS = ("depth", "normals")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_small_hub(tmp_path_factory.mktemp("hub") / "small"))


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


@pytest.fixture
def drawn(monkeypatch):
    """The captions, the rows of pictures and the scale that go into the figure."""
    seen = {}
    real, real_foot = feature_sheets.draw_figure, feature_sheets.scale_foot

    def spied(plan, sections, form, foot=None):
        seen["captions"] = [" ".join(lines) for lines in plan.pages[0].heads[0].captions]
        seen["rows"] = [[panel.picture for panel in row] for row in sections[0]]
        return real(plan, sections, form, foot)

    def spied_foot(plan, scale, label, colormap):
        seen["scale"], seen["label"] = scale, label
        page = plan.pages[0]
        assert page.height_in - page.foot_in == pytest.approx(heat.scale_height_mm(plan.style) / 25.4)
        return real_foot(plan, scale, label, colormap)

    monkeypatch.setattr(feature_sheets, "draw_figure", spied)
    monkeypatch.setattr(feature_sheets, "scale_foot", spied_foot)
    return seen


def request(folder, out, model, **changes):
    chosen = {"grid": GridChoice(8), "dtype": "float32", "style": FigureStyle(60), "heads": TASKS, "device": "cpu"}
    return PcaSettings((folder,), out, models=(model,), **{**chosen, **changes})


def test_depth_on_one_scale_and_normals_follow_the_features(tmp_path, folder, model, drawn):
    assert draw_pca(request(folder, tmp_path / "f.png", model)).done == 2
    assert drawn["captions"] == ["image", "small", "depth", "normals"]
    predictor = DensePredictor(open_encoder(model, True, "cpu", "float32"), [load_head(model, task) for task in TASKS])
    maps = []
    for name, row in zip(("a.png", "b.png"), drawn["rows"], strict=True):
        rgb = read_labels(folder / name)
        (features,) = predictor.encode([resize_rgb(rgb, predictor.plan((48, 64)).input_hw)])
        maps.append(predictor.decode(features, row[0].shape[:2]))
    nearest, farthest = min(each["depth"].min() for each in maps), max(each["depth"].max() for each in maps)
    assert drawn["scale"] == (pytest.approx(nearest), pytest.approx(farthest))
    assert drawn["label"] == "depth, metres"
    for row, each in zip(drawn["rows"], maps, strict=True):
        turbo = matplotlib.colormaps["turbo"]((each["depth"] - nearest) / (farthest - nearest))[..., :3]
        np.testing.assert_allclose(row[2], 255 * turbo, atol=1)
        np.testing.assert_allclose(row[3], 127.5 * (each["normals"] + 1), atol=0.51)


def test_normals_alone_need_no_scale_and_come_last(tmp_path, folder, model, drawn):
    draw_pca(request(folder, tmp_path / "f.png", model, heads=("normals",), shows=("pca", "first")))
    assert drawn["captions"] == ["image", "pca", "first", "normals"]
    assert "scale" not in drawn
    assert [len(row) for row in drawn["rows"]] == [4, 4]


def test_labels_count_the_columns_of_heads(tmp_path, folder, model, drawn):
    draw_pca(request(folder, tmp_path / "f.png", model, labels=("x", "y", "z")))
    assert drawn["captions"] == ["image", "x", "y", "z"]
    with pytest.raises(FeatureError, match="one --label for each of 3 columns; got 1"):
        draw_pca(request(folder, tmp_path / "f.png", model, labels=("x",)))


def test_images_that_fail_are_left_out(tmp_path, folder, model, drawn):
    (folder / "broken.png").write_text("no picture")
    listener = Recorder()
    summary = draw_pca(request(folder, tmp_path / "f.png", model), listener)
    assert (summary.done, summary.failed) == (2, 1)
    assert [len(row) for row in drawn["rows"]] == [4, 4]
    assert listener.images[-1].total == 6  # features and heads of three images


def test_a_page_says_the_depths_of_its_colours(tmp_path, folder, model):
    draw_pca(request(folder, tmp_path / "f.html", model, style=FigureStyle()))
    page = (tmp_path / "f.html").read_text()
    assert " m (blue) to " in page
    assert '"normals"' in page


def test_a_model_without_heads_names_those_that_have_some(tmp_path, folder):
    with pytest.raises(ModelError, match=r"nano has no heads .* tipsv2-b14, tipsv2-l14"):
        draw_pca(request(folder, tmp_path / "f.png", "nano"))


@pytest.mark.parametrize(
    ("out", "heads", "says"),
    [
        ("f.png", ("deepth",), "Did you mean 'depth'"),
        ("f.png", ("depth", "depth"), "every --head once"),
        ("folder", ("depth",), "--head adds columns to a figure or a page"),
    ],
)
def test_columns_that_cannot_be_drawn_are_refused_before_a_model_is_loaded(tmp_path, folder, out, heads, says):
    with pytest.raises(FeatureError, match=says):
        request(folder, tmp_path / out, "nano", heads=heads, style=FigureStyle())


def test_the_command_line_takes_heads(tmp_path, folder, model):
    words = ("pca", str(folder), "-o", str(tmp_path / "f.png"), "-m", model, "--grid", "8", "--width", "60")
    outcome = run(*words, "--device", "cpu", "--head", "depth,normals")
    assert (outcome.exit_code, outcome.stdout) == (0, f"2 written: {tmp_path / 'f.png'}\n")
