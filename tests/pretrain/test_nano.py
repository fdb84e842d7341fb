import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

import densezero
from densezero.engine import Protocol
from densezero.metrics import count_pairs, iou_scores
from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPTS
from densezero.pretrain.scenes import draw_scene

FOLDER = Path(str(resources.files("densezero.encoders") / "nano"))
SCENES = 24


def test_the_weights_are_small_and_in_float16():
    assert (FOLDER / "model.safetensors").stat().st_size <= 8_000_000
    with safe_open(FOLDER / "model.safetensors", framework="pt") as tensors:
        kinds = {tensors.get_tensor(name).dtype for name in tensors.keys()}  # noqa: SIM118  not a dictionary
    assert kinds == {torch.float16}
    assert set(json.loads((FOLDER / "config.json").read_text())) == {"vision_heads", "text_heads"}


@pytest.mark.parametrize("concepts", [CONCEPTS, ALL_CONCEPTS], ids=["first edition", "all"])
def test_nano_finds_the_concepts_of_unseen_scenes(concepts):
    names = [concept.name for concept in concepts]
    protocol = Protocol("whole at 224", short_side_px=224, window_px=None, window_scores="cosine")
    segmenter = densezero.Segmenter(densezero.load_encoder("nano", dtype="float32"), names, protocol)
    confusion = np.zeros((len(names), len(names)), np.int64)
    for index in range(SCENES):
        scene = draw_scene((8, index), (224, 224), concepts=concepts)
        confusion += count_pairs(segmenter.segment(scene.rgb).labels, scene.labels, classes=len(names))
    assert iou_scores(confusion).miou > 60  # chance is about 2


def test_bfloat16_labels_differ_from_float32_only_in_a_few_pixels():
    rgb = draw_scene((8, 0), (224, 224)).rgb
    labels = [
        densezero.Segmenter(densezero.load_encoder("nano", dtype=dtype), ["sky", "grass", "sea", "house"])
        .segment(rgb)
        .labels
        for dtype in ("float32", "bfloat16")
    ]
    assert (labels[0] == labels[1]).mean() > 0.97
