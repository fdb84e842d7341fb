import io

import numpy as np
import pytest
import torch
from PIL import Image

from densezero.encoders.tips import PUBLISHED_SIZES
from densezero.errors import InputError, ModelError, OutputError
from densezero.heads import TASKS, DensePredictor
from densezero.heads.fit import head_blocks
from densezero.heads.predictor import plan_input
from tests.conftest import callers_torch_settings
from tests.encoders.towers import TowerEncoder
from tests.heads.fakes import small_encoder, small_head


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (45, 63, 3), dtype=np.uint8)


def predictor(*tasks, encoder=None, **settings):
    return DensePredictor(encoder or small_encoder(), [small_head(task) for task in tasks], side_px=56, **settings)


def test_every_map_has_the_size_of_the_image(image):
    result = predictor(*TASKS).predict(image)
    assert (result.depth.shape, result.depth.dtype) == ((45, 63), np.float32)
    assert (result.normals.shape, result.normals.dtype) == ((45, 63, 3), np.float32)
    assert (result.labels.shape, result.labels.dtype) == ((45, 63), np.uint8)
    assert 0.001 <= result.depth.min() < result.depth.max() <= 10
    np.testing.assert_allclose(np.linalg.norm(result.normals, axis=2), 1, atol=1e-6)
    assert len(np.unique(result.labels)) > 1
    assert "45 x 63 pixels: depth, normals, segmentation" in repr(result)


@pytest.mark.parametrize(("square", "columns_px"), [(False, 84), (True, 56)])
def test_a_prediction_is_the_head_on_the_features_of_its_blocks(image, square, columns_px):
    encoder, head = small_encoder(), small_head("depth", blocks=(0, 1, 2, 4))
    result = DensePredictor(encoder, head, 56, square).predict(image)
    resized = np.asarray(Image.fromarray(image).resize((columns_px, 56), Image.Resampling.BICUBIC))
    pixels = torch.from_numpy(resized.copy()).permute(2, 0, 1)[None] / 255
    features = [(cls, grid.permute(0, 3, 1, 2)) for cls, grid in encoder.encode_blocks(pixels, [0, 1, 2, 4])]
    np.testing.assert_allclose(result.depth, head(features, (45, 63))[0], rtol=0, atol=1e-6)


def test_several_heads_share_one_pass_and_equal_each_alone(image):
    encoder = small_encoder()
    calls, encode = [], encoder.encode_blocks
    encoder.encode_blocks = lambda pixels, blocks: calls.append(blocks) or encode(pixels, blocks)
    together = predictor(*TASKS, encoder=encoder).predict(image)
    assert len(calls) == 1
    for task in TASKS:
        assert np.array_equal(predictor(task, encoder=encoder).predict(image).maps[task], together.maps[task])


def test_paths_pillow_images_arrays_and_tensors_give_the_same(image, tmp_path):
    Image.fromarray(image).save(tmp_path / "photo.png")
    ours = predictor("depth")
    forms = [tmp_path / "photo.png", Image.fromarray(image), image, torch.from_numpy(image).permute(2, 0, 1)]
    first, *others = [ours.predict(form).depth for form in forms]
    assert all(np.array_equal(first, other) for other in others)


def test_a_callers_torch_settings_change_nothing(image):
    encoder, heads = small_encoder(), [small_head(task) for task in TASKS]
    expected = DensePredictor(encoder, heads, side_px=56).predict(image)
    with callers_torch_settings():
        found = DensePredictor(encoder, heads, side_px=56).predict(image)
    for task in TASKS:
        np.testing.assert_allclose(found.maps[task], expected.maps[task], rtol=0, atol=1e-6)


def test_half_precision_of_the_encoder_leaves_depth_in_float32(image):
    exact = predictor("depth").predict(image).depth
    half = predictor("depth", encoder=small_encoder(dtype=torch.bfloat16)).predict(image).depth
    assert half.dtype == np.float32
    assert 0 < np.abs(half - exact).mean() < 0.1


@pytest.mark.parametrize(
    ("image_hw", "side_px", "square", "input_hw"),
    [
        ((512, 683), 448, False, (448, 602)),
        ((683, 512), 448, False, (602, 448)),
        ((512, 683), 448, True, (448, 448)),
        ((100, 100), 450, False, (448, 448)),
        ((1, 1), 1, False, (14, 14)),
        ((3000, 4000), 448, False, (448, 602)),
        ((100, 20000), 448, False, (14, 4102)),
        ((100, 20000), 448, True, (448, 448)),
    ],
)
def test_the_model_input_has_whole_patches(image_hw, side_px, square, input_hw):
    plan = plan_input(image_hw, 14, side_px, square)
    assert (plan.image_hw, plan.input_hw) == (image_hw, input_hw)


@pytest.mark.parametrize(
    ("size", "blocks"), [("B", (2, 5, 8, 11)), ("L", (5, 11, 17, 23)), ("SO", (6, 13, 20, 26)), ("g", (9, 19, 29, 39))]
)
def test_the_blocks_are_the_published_ones(size, blocks):
    encoder = small_encoder()
    encoder.depth = PUBLISHED_SIZES[size].vision.depth
    assert head_blocks(encoder, small_head("depth")) == blocks


def test_a_result_is_saved_and_read_again(image, tmp_path):
    result = predictor(*TASKS).predict(image)
    path = result.save(tmp_path / "maps" / "photo.npz")
    with np.load(path, allow_pickle=False) as arrays:
        assert set(arrays) == {"depth", "normals", "labels"}
        assert np.array_equal(arrays["depth"], result.depth)
        assert np.array_equal(arrays["labels"], result.labels)
    with pytest.raises(OutputError, match="exists"):
        result.save(path)
    assert result.save(path, overwrite=True) == path
    with pytest.raises(OutputError, match=r"ends in \.npz, \.png or \.jpg"):
        result.save(tmp_path / "photo.txt")
    with pytest.raises(OutputError, match=r"one map; this prediction has depth, normals, segmentation"):
        result.save(tmp_path / "photo.png")


def test_a_single_map_is_saved_as_png(image, tmp_path):
    depth, normals = predictor("depth").predict(image), predictor("normals").predict(image)
    with Image.open(depth.save(tmp_path / "depth.png")) as saved:
        assert np.array_equal(np.asarray(saved), np.rint(depth.depth * 1000))
    with Image.open(normals.save(tmp_path / "normals.png")) as saved:
        assert np.abs(np.asarray(saved) / 127.5 - 1 - normals.normals).max() < 0.005


def test_labels_of_ade20k_have_names_and_pictures(image, tmp_path):
    Image.fromarray(image).save(tmp_path / "photo.png")
    result = DensePredictor(small_encoder(), small_head("segmentation", outputs=150), 56).predict(
        tmp_path / "photo.png"
    )
    assert result.classes.names[:3] == ("wall", "building", "sky")
    with Image.open(result.save(tmp_path / "labels.png")) as saved:
        assert np.array_equal(np.asarray(saved), result.labels)
    with pytest.raises(OutputError, match="the picture itself"):
        result.save(tmp_path / "photo.png", overwrite=True)
    assert result.picture("segmentation").width > 320  # with a legend
    Image.fromarray(image[:20]).save(tmp_path / "photo.png")
    changed = DensePredictor(small_encoder(), small_head("segmentation", outputs=150), 56)
    with pytest.raises(InputError, match=r"to have \(45, 63\) pixels; it has \(20, 63\) now"):
        type(result)(result.maps, tmp_path / "photo.png", changed.classes).picture()


def test_a_notebook_shows_the_maps_side_by_side(image):
    result = predictor("depth", "normals").predict(image)
    with Image.open(io.BytesIO(result._repr_png_())) as shown:
        widths = [result.picture(task).width for task in ("depth", "normals")]
        assert shown.width == sum(widths)
        drawn = np.asarray(shown)[: result.picture("normals").height, widths[0] :]
        assert np.array_equal(drawn, np.asarray(result.picture("normals")))


def test_labels_without_known_classes_are_saved_as_arrays_only(image, tmp_path):
    result = predictor("segmentation").predict(image)
    assert result.classes is None
    with np.load(result.save(tmp_path / "a.npz")) as arrays:
        assert np.array_equal(arrays["labels"], result.labels)
    with pytest.raises(InputError, match="names of these labels are not known"):
        result.save(tmp_path / "a.png")


def test_a_map_without_its_head_is_refused(image):
    result = predictor("normals").predict(image)
    with pytest.raises(InputError, match=r"for depth; this one has normals. Give DensePredictor a head"):
        _ = result.depth
    with pytest.raises(InputError, match="for segmentation"):
        _ = result.labels


@pytest.mark.parametrize(
    ("encoder", "settings", "said"),
    [
        (small_encoder(width=16), {}, "features of width 24; small has width 16"),
        (small_encoder(depth=3), {}, "features of 4 blocks; small gives those of 3"),
        (small_encoder(), {"blocks": (1, 2, 3, 5)}, "small has 5 blocks"),
        (small_encoder(name="tips-b14"), {"encoder": "tipsv2-b14"}, "was trained on tipsv2-b14; got tips-b14"),
        (TowerEncoder(small_encoder().vision), {}, "tower gives those of 0"),
    ],
)
def test_a_head_that_does_not_fit_the_encoder_is_refused(encoder, settings, said):
    with pytest.raises(ModelError, match=said) as caught:
        DensePredictor(encoder, small_head("depth", **settings))
    assert "Use " in str(caught.value)


def test_wrong_settings_are_refused():
    encoder, head = small_encoder(), small_head("depth")
    with pytest.raises(ModelError, match="different tasks"):
        DensePredictor(encoder, [head, head])
    for heads in ([], ["depth"]):
        with pytest.raises(ModelError, match=r"a head from densezero\.load_head"):
            DensePredictor(encoder, heads)
    with pytest.raises(ModelError, match="an encoder from"):
        DensePredictor("tipsv2-b14", head)
    with pytest.raises(InputError, match="side_px"):
        DensePredictor(encoder, head, side_px=0)


def test_features_that_are_not_finite_are_refused(image):
    encoder = small_encoder()
    with torch.no_grad():
        encoder.vision.norm.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        predictor("depth", encoder=encoder).predict(image)


def test_an_array_that_is_no_image_is_refused():
    with pytest.raises(InputError, match="Expected an image"):
        predictor("depth").predict(np.zeros((4, 4)))
