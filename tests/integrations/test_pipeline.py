"""One image through mmsegmentation's pipeline and through ours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.encoders.catalog import load_encoder
from densezero.engine import PROTOCOLS, Background, Segmenter, dense_scores
from densezero.engine.presets import find_protocol, with_changes
from densezero.errors import DenseZeroError, InputError, ProtocolError, VocabularyError
from densezero.images import plan_resize, read_rgb
from densezero.images.resize import resize_rgb
from tests.integrations.benchmarks import SAMPLES, SMALL, open_bench, segmenter_of

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample pairs are not here")


def predict(config):
    """The first image of a config through the data set and the model that mmsegmentation builds."""
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import DefaultScope
    from mmseg.registry import DATASETS, MODELS

    with DefaultScope.overwrite_default_scope("mmseg"):
        images, model = DATASETS.build(config.test_dataloader.dataset), MODELS.build(config.model)
    packed = images[0]
    sample = model.test_step(pseudo_collate([packed]))[0]
    return images.get_data_info(0)["img_path"], packed["inputs"], sample


def to_bgr(rgb):
    return torch.from_numpy(np.ascontiguousarray(rgb[..., ::-1])).permute(2, 0, 1)


@pytest.fixture
def blotches():
    coarse = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(3))
    return (F.interpolate(coarse, (90, 120)) * 255).to(torch.uint8)[0].permute(1, 2, 0).contiguous().numpy()


@pytest.fixture
def segmenter(mmseg):
    return mmseg.build_segmenter(
        ["sky", "grass", ["house", "building"]], "nano", "tips-simple", "plain", 56, "cpu", "float32"
    )


@needs_samples
@pytest.mark.parametrize("name", ["ade20k", "voc21"])
def test_without_its_resize_the_labels_are_ours(mmseg, tmp_path, name):
    bench = open_bench(name, tmp_path)
    path, inputs, sample = predict(bench.config)
    rgb = read_rgb(path)
    np.testing.assert_array_equal(inputs.numpy(), rgb.transpose(2, 0, 1)[::-1])  # blue first
    ours = segmenter_of(mmseg, bench.config).segment(rgb).labels
    np.testing.assert_array_equal(sample.pred_sem_seg.data[0].numpy(), ours)
    assert len(np.unique(ours)) > 3


@needs_samples
@pytest.mark.parametrize("refine", ["grid", "pamr"])
def test_a_refinement_in_a_config_is_that_of_the_segmenter(mmseg, tmp_path, refine):
    bench = open_bench("voc21", tmp_path)
    bench.config.model.refine = refine
    path, _, sample = predict(bench.config)
    model = bench.config.model
    protocol = with_changes(find_protocol(model.protocol, "voc21"), model.short_side_px, refine=refine)
    assert protocol.refine.method == refine
    encoder = load_encoder("nano", device="cpu", dtype="float32")
    ours = Segmenter(encoder, "voc21", protocol, model.templates).segment(path).labels
    np.testing.assert_array_equal(sample.pred_sem_seg.data[0].numpy(), ours)
    bench.config.model.refine = None
    assert (segmenter_of(mmseg, bench.config).segment(path).labels != ours).any()


def test_an_unknown_refinement_in_a_config_is_refused(mmseg):
    with pytest.raises(ProtocolError, match="Expected a refinement out of none, grid, pamr; got 'crf'"):
        mmseg.build_segmenter(["sky", "sea"], "nano", "tips-simple", "plain", 56, "cpu", "float32", "crf")


@needs_samples
def test_with_its_resize_only_the_model_input_differs(mmseg, tmp_path):
    bench = open_bench("ade20k", tmp_path)
    pipeline = bench.config.test_dataloader.dataset.pipeline
    pipeline.insert(1, {"type": "Resize", "scale": (2048, SMALL["short_side_px"]), "keep_ratio": True})
    path, inputs, sample = predict(bench.config)
    rgb = read_rgb(path)
    assert inputs.shape[1:] == plan_resize(rgb.shape[:2], SMALL["short_side_px"], 2048, "nearest").input_hw
    segmenter = segmenter_of(mmseg, bench.config)
    scores = dense_scores(segmenter.encoder, inputs.flip(0)[None] / 255, segmenter.rule.bank, segmenter.protocol)
    expected = F.interpolate(scores[None], rgb.shape[:2], mode="bilinear").argmax(1)
    theirs = sample.pred_sem_seg.data
    assert (theirs == expected).float().mean() > 0.9999  # ties of two scores may fall either way
    ours = segmenter.segment(rgb).labels
    assert 0.5 < (theirs[0].numpy() == ours).mean() < 1


def test_our_own_resize_before_the_model_changes_nothing(mmseg, segmenter, blotches):
    small = resize_rgb(blotches, plan_resize(blotches.shape[:2], 56).input_hw)
    labels = mmseg.segment_packed(segmenter, to_bgr(small), {"ori_shape": blotches.shape[:2]})
    np.testing.assert_array_equal(labels[0].numpy(), segmenter.segment(blotches).labels)
    assert labels.dtype == torch.int64
    assert len(labels.unique()) == 3


def test_red_and_blue_are_not_mistaken_for_each_other(mmseg, segmenter, blotches):
    ours = segmenter.segment(blotches).labels
    assert (mmseg.segment_packed(segmenter, to_bgr(blotches), {})[0].numpy() == ours).all()
    assert (mmseg.segment_packed(segmenter, to_bgr(blotches).flip(0), {})[0].numpy() != ours).any()


@pytest.mark.parametrize(
    ("image", "metainfo", "said"),
    [
        (torch.zeros(3, 8, 8), {}, "uint8 .* got torch.float32"),
        (torch.zeros(1, 8, 8, dtype=torch.uint8), {}, r"\(1, 8, 8\)"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), {"flip": True}, "not flipped or padded; got flip"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), {"pad_shape": (9, 9)}, "got pad_shape"),
    ],
)
def test_other_steps_of_a_pipeline_are_refused(mmseg, segmenter, image, metainfo, said):
    with pytest.raises(InputError, match=said):
        mmseg.segment_packed(segmenter, image, metainfo)


def test_a_protocol_that_adds_a_background_is_refused(mmseg, tmp_path, monkeypatch):
    words = tmp_path / "words.txt"
    words.write_text("sky\ngrass\n")
    with_background = replace(PROTOCOLS["ovss"], background=Background(threshold=0.6))
    monkeypatch.setitem(PROTOCOLS, "ovss", with_background)
    with pytest.raises(VocabularyError, match=r"2 classes of words; the protocol ovss .* adds a background"):
        mmseg.build_segmenter(str(words), "nano", "ovss", "plain", 56, "cpu", "float32")


def test_a_file_named_like_a_benchmark_does_not_take_its_constants(mmseg, tmp_path):
    words = tmp_path / "voc21.txt"
    words.write_text("sky\ngrass\n")
    segmenter = mmseg.build_segmenter(str(words), "nano", "ovss", "plain", 56, "cpu", "float32")
    assert len(segmenter.classes) == 2


@pytest.mark.parametrize("mode", ["loss", "tensor"])
def test_training_and_dense_passes_are_refused(mmseg, mode):
    from mmseg.registry import MODELS

    model = MODELS.build({"type": "DenseZeroSegmentor", "classes": ["sky", "grass"], **SMALL})
    with pytest.raises(DenseZeroError, match='Expected mode "predict"'):
        model(torch.zeros(1, 3, 8, 8), [], mode=mode)


def test_images_without_samples_can_be_predicted(mmseg, segmenter, blotches):
    from mmseg.registry import MODELS

    model = MODELS.build({"type": "DenseZeroSegmentor", "classes": ["sky", "grass", ["house", "building"]], **SMALL})
    found = model([to_bgr(blotches)], mode="predict")[0].pred_sem_seg.data
    np.testing.assert_array_equal(found[0].numpy(), segmenter.segment(blotches).labels)
