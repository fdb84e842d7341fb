import numpy as np
import pytest
import torch
from PIL import Image

from densezero.encoders.catalog import load_encoder
from densezero.errors import FeatureError, InputError, ModelError, OutputError
from densezero.features import encode_grid
from densezero.features.choices import FigureStyle, GridChoice
from densezero.features.similarity import vector_similarity
from densezero.jobs.features import similarity as job
from densezero.jobs.features.settings import SimilaritySettings
from densezero.jobs.features.similarity import draw_similarity
from tests.jobs.photos import Recorder, read_labels, write_scenes

IMAGE_ONLY = "timm:vit_tiny_patch16_224/random"


def request(image, out, **changes):
    style = FigureStyle(changes.pop("width_mm", 90))
    chosen = {"model": "nano", "grid": GridChoice(8), "dtype": "float32", "upsampler": "nearest", "style": style}
    inputs = tuple(image) if isinstance(image, list | tuple) else (image,)
    return SimilaritySettings(inputs, out, **{**chosen, **changes})


@pytest.fixture
def image(tmp_path):
    """Blue on the left, green on the right."""
    rgb = np.empty((48, 64, 3), np.uint8)
    rgb[:, :32], rgb[:, 32:] = (110, 170, 235), (90, 160, 60)
    Image.fromarray(rgb).save(tmp_path / "halves.png")
    return tmp_path / "halves.png"


@pytest.fixture
def drawn(monkeypatch):
    """The rows that go into the figure, and the rest of what the drawing is told."""
    seen = {}
    real, real_plan = job.draw_heat, job.plan_heat

    def planned(ratios, captions, style, **rest):
        seen.update(captions=captions, ratios=ratios)
        return real_plan(ratios, captions, style, **rest)

    def spied(plan, rows, form, **rest):
        seen.update(rows=rows, maps=dict(zip(seen["captions"], rows[0].maps, strict=True)), plan=plan, **rest)
        return real(plan, rows, form, **rest)

    monkeypatch.setattr(job, "plan_heat", planned)
    monkeypatch.setattr(job, "draw_heat", spied)
    return seen


def test_cosines_are_those_worked_out_by_hand():
    grid = torch.tensor([[[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]]])  # (1, 3, 2)
    planes = vector_similarity(grid, torch.tensor([[1.0, 0.0], [0.6, 0.8]]))
    assert np.allclose(planes, [[[0.6, 0.0, -1.0]], [[1.0, 0.8, -0.6]]], atol=1e-6)
    assert vector_similarity(grid, torch.zeros(0, 2)) == []


def test_the_hottest_patches_of_a_text_lie_where_its_colour_is(tmp_path, image, drawn):
    draw_similarity(request(image, tmp_path / "f.png", texts=("sky", "grass")))
    sky, grass = drawn["maps"]["sky"], drawn["maps"]["grass"]
    height, width = sky.shape
    assert abs(height / width - 48 / 64) < 0.01
    assert sky[:, : 3 * width // 8].mean() > sky[:, 5 * width // 8 :].mean()
    assert grass[:, 5 * width // 8 :].mean() > grass[:, : 3 * width // 8].mean()
    assert np.unravel_index(grass.argmax(), grass.shape)[1] >= width // 2
    assert drawn["each"] is False


def test_patches_like_a_point_lie_on_its_side_and_its_own_is_the_hottest(tmp_path, image, drawn):
    draw_similarity(request(image, tmp_path / "f.png", points=((10, 20), (50.5, 30)), readout="patch"))
    left, right = drawn["maps"]["like (10, 20)"], drawn["maps"]["like (50.5, 30)"]
    scale = left.shape[1] / 64
    assert left[int(20 * scale), int(10 * scale)] == pytest.approx(1, abs=1e-5)
    assert left[int(20 * scale), int(10 * scale)] == left.max()
    assert right[int(30 * scale), int(50 * scale)] == right.max()
    half = left.shape[1] // 2
    assert left[:, :half].mean() > left[:, half:].mean()
    assert right[:, half:].mean() > right[:, :half].mean()
    assert np.allclose(drawn["rows"][0].points_xy, [(10.5 / 64, 20.5 / 48), (51 / 64, 30.5 / 48)])


def test_a_map_of_a_point_is_the_cosine_of_the_encoders_features(tmp_path, drawn):
    image = write_scenes(tmp_path / "in", ["a.png"]) / "a.png"
    draw_similarity(request(image, tmp_path / "f.png", points=((63, 47),), readout="value"))
    grid = encode_grid(load_encoder("nano", dtype="float32"), read_labels(image), "value", 8).numpy()
    units = grid / np.linalg.norm(grid, axis=-1, keepdims=True)
    found = drawn["maps"]["like (63, 47)"]
    rows, columns = (
        ((np.arange(count) + 0.5) * side / count).astype(int)
        for count, side in zip(units.shape, found.shape, strict=False)
    )
    assert np.allclose(found[rows[:, None], columns], units @ units[-1, -1], atol=1e-5)


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
        draw_similarity(request(image, out, texts=("sky",), width_mm=16))
    with pytest.raises(OutputError, match="one of the inputs"):
        draw_similarity(request(image, image, texts=("sky",)))
    with pytest.raises(InputError, match="missing"):
        draw_similarity(request(tmp_path / "missing.png", out, texts=("sky",)))
    with pytest.raises(ModelError, match="Did you mean 'nano'"):
        draw_similarity(request(image, out, texts=("sky",), model="nanno"))
    with pytest.raises(ModelError, match="Did you mean 'value'"):
        draw_similarity(request(image, out, texts=("sky",), readout="vale"))
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(FeatureError, match=r"No image can be drawn.*broken\.png"):
        draw_similarity(request(tmp_path / "broken.png", out, texts=("sky",)))
    assert not out.exists()


def test_several_images_are_rows_of_one_figure_and_a_point_lies_in_the_first(tmp_path, image, drawn):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png"])
    asked = {"texts": ("sky",), "points": ((10, 20),), "each": True}
    summary = draw_similarity(request([image, folder], tmp_path / "f.png", **asked))
    assert (summary.done, summary.failed) == (3, 0)
    rows = drawn["rows"]
    assert [len(row.maps) for row in rows] == [2, 2, 2]
    assert [len(row.points_xy) for row in rows] == [1, 0, 0]
    encoder = load_encoder("nano", dtype="float32")
    units = [
        grid / np.linalg.norm(grid, axis=-1, keepdims=True)
        for grid in (encode_grid(encoder, read_labels(file), "value", 8).numpy() for file in (image, folder / "b.png"))
    ]
    patch = units[0][int(20.5 / 48 * units[0].shape[0]), int(10.5 / 64 * units[0].shape[1])]
    assert rows[2].maps[1].max() == pytest.approx((units[1] @ patch).max(), abs=1e-5)


def test_a_broken_image_is_named_and_left_out(tmp_path, image, drawn):
    (tmp_path / "broken.png").write_text("no picture")
    recorder = Recorder()
    summary = draw_similarity(request([tmp_path / "broken.png", image], tmp_path / "f.png", texts=("sky",)), recorder)
    assert (summary.done, summary.failed) == (1, 1)
    assert len(drawn["rows"]) == 1
    assert (tmp_path / "f.png").exists()
    with pytest.raises(InputError, match=r"broken\.png"):
        draw_similarity(request([tmp_path / "broken.png", image], tmp_path / "g.png", points=((1, 1),)))
    assert not (tmp_path / "g.png").exists()


def test_more_images_than_a_page_holds_make_numbered_files_or_pages(tmp_path, image):
    recorder = Recorder()
    images = write_scenes(tmp_path / "in", [f"{n}.png" for n in range(9)])
    asked = {"texts": ("sky", "sea"), "grid": GridChoice(4), "width_mm": 180}
    draw_similarity(request(images, tmp_path / "f.png", **asked), recorder)
    names = sorted(file.name for file in tmp_path.glob("f*.png"))
    assert names == ["f-1.png", "f-2.png", "f-3.png"][: len(names)]
    assert len(names) > 1
    assert any(f"the figure has {len(names)} pages" in note for note in recorder.notes)
    draw_similarity(request([images / "0.png"], tmp_path / "f.png", **asked), recorder)
    assert "f-1.png" in recorder.notes[-1]
    assert (tmp_path / "f-1.png").exists()
    draw_similarity(request(images, tmp_path / "f.pdf", **asked))
    assert [file.name for file in tmp_path.glob("*.pdf")] == ["f.pdf"]


def test_a_file_of_the_user_where_a_page_may_go_is_refused(tmp_path, image):
    images = write_scenes(tmp_path / "in", [f"{n}.png" for n in range(9)])
    Image.new("RGB", (4, 4)).save(tmp_path / "f-2.png")
    with pytest.raises(OutputError, match=r"f-2\.png"):
        draw_similarity(request(images, tmp_path / "f.png", texts=("sky", "sea"), width_mm=180))
