from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densezero.encoders.catalog import load_encoder
from densezero.errors import FeatureError, InputError, ModelError, OutputError
from densezero.features import encode_grid
from densezero.features.choices import GridChoice
from densezero.jobs.features import similarity as job
from densezero.jobs.features.settings import SimilaritySettings
from densezero.jobs.features.similarity import draw_similarity, text_similarity
from tests.jobs.photos import Recorder, read_labels, write_scenes

IMAGE_ONLY = "timm:vit_tiny_patch16_224/random"


def request(image, out, **changes):
    chosen = {"model": "nano", "grid": GridChoice(8), "dtype": "float32", "upsampler": "nearest", "width_mm": 90}
    return SimilaritySettings(image, out, **{**chosen, **changes})


@pytest.fixture
def image(tmp_path):
    """Blue on the left, green on the right."""
    rgb = np.empty((48, 64, 3), np.uint8)
    rgb[:, :32], rgb[:, 32:] = (110, 170, 235), (90, 160, 60)
    Image.fromarray(rgb).save(tmp_path / "halves.png")
    return tmp_path / "halves.png"


@pytest.fixture
def drawn(monkeypatch):
    """The heat maps that go into the figure, by caption, and the rest of what the drawing is told."""
    seen = {}
    real = job.draw_heat_maps

    def spied(rgb, maps, **rest):
        seen.update(maps={heat.caption: heat.values for heat in maps}, **rest)
        return real(rgb, maps, **rest)

    monkeypatch.setattr(job, "draw_heat_maps", spied)
    return seen


def test_cosines_are_those_worked_out_by_hand():
    grid = torch.tensor([[[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]]])  # (1, 3, 2)
    planes = text_similarity(grid, torch.tensor([[1.0, 0.0], [0.6, 0.8]]))
    assert np.allclose(planes, [[[0.6, 0.0, -1.0]], [[1.0, 0.8, -0.6]]], atol=1e-6)
    assert text_similarity(grid, torch.zeros(0, 2)) == []


def test_the_hottest_patches_of_a_text_lie_where_its_colour_is(tmp_path, image, drawn):
    draw_similarity(request(image, tmp_path / "f.png", texts=("sky", "grass")))
    sky, grass = drawn["maps"]["sky"], drawn["maps"]["grass"]
    assert sky.shape == (48, 64)
    assert sky[:, :24].mean() > sky[:, 40:].mean()
    assert grass[:, 40:].mean() > grass[:, :24].mean()
    assert np.unravel_index(grass.argmax(), grass.shape)[1] >= 32
    assert drawn["each"] is False


def test_patches_like_a_point_lie_on_its_side_and_its_own_is_the_hottest(tmp_path, image, drawn):
    draw_similarity(request(image, tmp_path / "f.png", points=((10, 20), (50.5, 30)), readout="patch"))
    left, right = drawn["maps"]["like (10, 20)"], drawn["maps"]["like (50.5, 30)"]
    assert left[20, 10] == pytest.approx(1, abs=1e-5)
    assert left[20, 10] == left.max()
    assert right[30, 50] == right.max()
    assert left[:, :24].mean() > left[:, 40:].mean()
    assert right[:, 40:].mean() > right[:, :24].mean()
    assert np.allclose(drawn["points_xy"], [(10.5 / 64, 20.5 / 48), (51 / 64, 30.5 / 48)])


def test_a_map_of_a_point_is_the_cosine_of_the_encoders_features(tmp_path, drawn):
    image = write_scenes(tmp_path / "in", ["a.png"]) / "a.png"
    draw_similarity(request(image, tmp_path / "f.png", points=((63, 47),), readout="value"))
    grid = encode_grid(load_encoder("nano", dtype="float32"), read_labels(image), "value", 8).numpy()
    units = grid / np.linalg.norm(grid, axis=-1, keepdims=True)
    assert np.allclose(drawn["maps"]["like (63, 47)"][4::8, 4::8], units @ units[-1, -1], atol=1e-5)


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_figure_is_the_same_bytes_twice(tmp_path, image, suffix):
    outs = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for out in outs:
        draw_similarity(request(image, out, texts=("sky",), points=((1, 1),), each=True))
    assert outs[0].read_bytes() == outs[1].read_bytes()
    starts = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    assert outs[0].read_bytes().startswith(starts[suffix])


def test_templates_change_the_map(tmp_path, image, drawn):
    maps = []
    for templates in ("plain", "imagenet80"):
        draw_similarity(request(image, tmp_path / "f.png", texts=("sky",), templates=templates))
        maps.append(drawn["maps"]["sky"])
    assert not np.array_equal(*maps)


@pytest.mark.parametrize("point", [(64, 10), (10, 48), (-1, 10), (float("nan"), 1)])
def test_a_point_outside_the_image_is_a_sentence_with_its_size(tmp_path, image, point):
    with pytest.raises(FeatureError, match=f"64 x 48 pixels; got {point[0]:g},{point[1]:g}"):
        draw_similarity(request(image, tmp_path / "f.png", points=(point,)))
    assert not (tmp_path / "f.png").exists()


def test_an_encoder_without_words_takes_points_alone(tmp_path, image):
    pytest.importorskip("timm")
    asked = {"model": IMAGE_ONLY, "readout": "patch"}
    with pytest.raises(ModelError, match=r"knows no words.*--point X,Y"):
        draw_similarity(request(image, tmp_path / "f.png", texts=("sky",), **asked))
    assert not (tmp_path / "f.png").exists()
    recorder = Recorder()
    draw_similarity(request(image, tmp_path / "f.png", points=((3, 3),), **asked), recorder)
    assert (tmp_path / "f.png").exists()
    assert "random" in recorder.notes[0]


def test_what_cannot_be_drawn_is_refused_and_leaves_nothing(tmp_path, image):
    out = tmp_path / "f.png"
    with pytest.raises(FeatureError, match="Take a larger --width"):
        draw_similarity(request(image, out, texts=("sky",), width_mm=5))
    with pytest.raises(OutputError, match="one of the inputs"):
        draw_similarity(request(image, image, texts=("sky",)))
    with pytest.raises(InputError, match="missing"):
        draw_similarity(request(tmp_path / "missing.png", out, texts=("sky",)))
    with pytest.raises(ModelError, match="Did you mean 'nano'"):
        draw_similarity(request(image, out, texts=("sky",), model="nanno"))
    with pytest.raises(ModelError, match="Did you mean 'value'"):
        draw_similarity(request(image, out, texts=("sky",), readout="vale"))
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(InputError, match=r"broken\.png"):
        draw_similarity(request(tmp_path / "broken.png", out, texts=("sky",)))
    assert not out.exists()


def test_a_folder_is_no_image(tmp_path, image):
    with pytest.raises(InputError, match=str(Path(tmp_path).name)):
        draw_similarity(request(tmp_path, tmp_path / "f.png", texts=("sky",)))
