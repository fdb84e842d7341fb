"""``--layer`` of ``pca``, ``similarity`` and ``features``: the right features, and no two layers mixed."""

import json

import numpy as np
import pytest
import torch

from densezero.encoders.catalog import load_encoder
from densezero.errors import FeatureError, ModelError, OutputError
from densezero.features import encode_grid, plan_grid
from densezero.features.choices import FigureStyle, GridChoice
from densezero.features.sources import Source, caption_columns, label_sources, list_sources
from densezero.images import to_pixels
from densezero.jobs.features import similarity
from densezero.jobs.features.grids import write_features
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import FeaturesSettings, PcaSettings, SimilaritySettings
from tests.cli.test_commands import run
from tests.encoders.towers import TowerEncoder
from tests.heads.fakes import small_encoder
from tests.jobs.photos import read_labels, write_scenes

QUICK = {"grid": GridChoice(8), "dtype": "float32"}


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


def colours(*hw):
    return np.random.default_rng(0).integers(0, 256, (*hw, 3)).astype(np.uint8)


def test_a_grid_of_a_layer_is_what_the_blocks_give():
    encoder, rgb = small_encoder(), colours(56, 70)
    expected = encoder.encode_blocks(torch.from_numpy(to_pixels(rgb, plan_grid((56, 70), 14, 5))), [1])[0].grid[0]
    assert torch.equal(encode_grid(encoder, rgb, "patch", 5, layer=1), expected)
    assert torch.equal(encode_grid(encoder, rgb, "patch", 5, layer=-4), expected)
    assert torch.equal(encode_grid(encoder, rgb, "patch", 5, layer=4), encode_grid(encoder, rgb, "patch", 5))


def test_windows_of_a_layer_are_blended_as_those_of_the_last():
    encoder, rgb = small_encoder(depth=4), colours(56, 70)
    cut = small_encoder(depth=4)
    cut.vision.blocks = cut.vision.blocks[:2]
    expected = encode_grid(cut, rgb, "patch", 5, window_side=3)
    assert torch.equal(encode_grid(encoder, rgb, "patch", 5, window_side=3, layer=1), expected)


@pytest.mark.parametrize(
    ("encoder", "readout", "layer", "error", "says"),
    [
        (small_encoder(), "value", 2, FeatureError, "Expected --readout patch with --layer; got 'value'"),
        (small_encoder(), "patch", 5, ModelError, "small has no --layer 5. Expected blocks from 0 to 4"),
        (small_encoder(), "patch", -6, ModelError, "small has no --layer -6"),
    ],
)
def test_a_layer_that_an_encoder_lacks_is_refused(encoder, readout, layer, error, says):
    with pytest.raises(error, match=says):
        encode_grid(encoder, colours(28, 28), readout, 2, layer=layer)


def test_an_encoder_without_blocks_names_those_that_have_some():
    encoder = TowerEncoder(small_encoder().vision)
    encoder.readouts = ("patch",)
    with pytest.raises(ModelError, match=r"tower does not give the features of single layers.*TIPS model, or a ViT of"):
        encode_grid(encoder, colours(28, 28), "patch", 2, layer=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PcaSettings((), "out", readouts=("patch", "value"), layers=(2,)),
        lambda: SimilaritySettings((), "out.png", ("sky",), layer=2),
        lambda: FeaturesSettings((), "out", readout="k-k", layer=2),
    ],
)
def test_other_read_outs_are_refused_before_a_model_is_loaded(make):
    with pytest.raises(FeatureError, match="Expected --readout patch with --layer"):
        make()


def test_every_layer_of_every_model_is_a_column_with_its_own_name():
    sources = list_sources(["nano", "timm:vit_a.b"], ["patch"], [3, -1])
    assert sources == [Source(model, "patch", layer) for model in ("nano", "timm:vit_a.b") for layer in (3, -1)]
    assert caption_columns(sources, ["pca"])[1:] == [
        "nano, layer 3", "nano, layer -1", "vit_a, layer 3", "vit_a, layer -1",
    ]  # fmt: skip
    assert caption_columns(sources[:1], ["pca"])[1:] == ["layer 3"]
    assert len(set(label_sources(sources).values())) == 4
    with pytest.raises(FeatureError, match="every --layer once; got 3, 3"):
        PcaSettings((), "out", layers=(3, 3))


def test_a_file_of_features_says_its_layer_and_another_layer_is_another_request(tmp_path, folder):
    def settings(**changes):
        return FeaturesSettings((folder,), tmp_path / "out", model="nano", **QUICK, **changes)

    write_features(settings(layer=2))
    with np.load(tmp_path / "out" / "a.npz") as stored:
        expected = encode_grid(
            load_encoder("nano", dtype="float32"), read_labels(folder / "a.png"), "patch", 8, layer=2
        )
        assert np.array_equal(stored["features"], expected.numpy())
        assert json.loads(str(stored["about"]))["layer"] == 2
    assert json.loads((tmp_path / "out" / "run.json").read_text())["request"]["layer"] == 2
    for changes in ({"layer": 3}, {}):
        with pytest.raises(OutputError, match="another request"):
            write_features(settings(**changes))
    assert write_features(settings(layer=2)).skipped == 2


def test_pictures_of_two_layers_differ_and_are_never_mixed(tmp_path, folder):
    def settings(out, *layers, **changes):
        return PcaSettings((folder,), tmp_path / out, models=("nano",), layers=layers, **QUICK, **changes)

    draw_pca(settings("two", 1, 4))
    one, four = (tmp_path / "two" / f"nano-layer_{layer}" / "a.png" for layer in (1, 4))
    assert one.read_bytes() != four.read_bytes()
    draw_pca(settings("one", 1))
    assert (tmp_path / "one" / "a.png").read_bytes() == one.read_bytes()
    request = json.loads((tmp_path / "one" / "run.json").read_text())["request"]
    assert [source[:2] for source in request["sources"]] == [["nano", "layer 1"]]
    with pytest.raises(OutputError, match="another request"):
        draw_pca(settings("one", 4))


def test_a_basis_of_one_layer_is_refused_for_another(tmp_path, folder):
    stored = tmp_path / "basis.safetensors"

    def draw(out, **changes):
        draw_pca(PcaSettings((folder,), tmp_path / out, models=("nano",), **QUICK, **changes))

    draw("first", layers=(2,), save_basis=stored)
    draw("second", layers=(2,), basis=str(stored))
    assert (tmp_path / "first" / "a.png").read_bytes() == (tmp_path / "second" / "a.png").read_bytes()
    for layers in ((3,), ()):
        with pytest.raises(FeatureError, match="with 'layer 2'; got nano"):
            draw("third", layers=layers, basis=str(stored))


def test_a_similarity_figure_names_its_layer_unless_it_has_a_title(tmp_path, folder, monkeypatch):
    titles = []

    def watched(ratios, captions, style, each):
        titles.append(style.title)
        raise FeatureError("seen")

    monkeypatch.setattr(similarity, "plan_heat", watched)
    for style in (FigureStyle(), FigureStyle(title="Boats")):
        with pytest.raises(FeatureError, match="seen"):
            similarity.draw_similarity(
                SimilaritySettings(
                    (folder,),
                    tmp_path / "f.png",
                    ("sky",),
                    model="nano",
                    readout="patch",
                    layer=2,
                    style=style,
                    **QUICK,
                )
            )
    assert titles == ["nano, layer 2", "Boats"]


@pytest.mark.parametrize(
    ("command", "out", "words"),
    [
        ("pca", "f.png", ("--layer", "2,-1", "--width", "40")),
        ("similarity", "f.png", ("--layer", "2", "--text", "sky", "--width", "40")),  # its usual read-out is another
        ("features", "grids", ("--layer", "-2")),
    ],
)
def test_the_command_line_takes_layers(tmp_path, folder, command, out, words):
    quick = ("-m", "nano", "--grid", "8", "--dtype", "float32")
    outcome = run(command, str(folder), "-o", str(tmp_path / out), *quick, *words)
    assert (outcome.exit_code, outcome.stdout) == (0, f"2 written: {tmp_path / out}\n")


def test_the_command_line_takes_layers_from_an_earlier_run(tmp_path, folder):
    quick = ("-m", "nano", "--grid", "8", "--dtype", "float32")
    run("pca", str(folder), "-o", str(tmp_path / "one"), *quick, "--layer", "2,4")
    outcome = run("pca", str(folder), "-o", str(tmp_path / "two"), "--like", str(tmp_path / "one" / "run.json"))
    assert outcome.exit_code == 0, outcome.stderr
    assert (tmp_path / "two" / "nano-layer_4" / "b.png").is_file()


def test_a_layer_that_is_no_number_is_one_sentence(tmp_path, folder):
    with pytest.raises(FeatureError, match="--layer 5,8,-1; got 'last'"):
        run("pca", str(folder), "-o", str(tmp_path / "f.png"), "-m", "nano", "--layer", "last")
