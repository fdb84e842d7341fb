"""What a program has set in torch for itself changes no label."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch

import densezero
from densezero.features import encode_grid
from densezero.pretrain.scenes import draw_scene


@contextmanager
def default_dtype(kind):
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


STATES = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "meta": lambda: torch.device("meta"),
    "cpu": lambda: torch.device("cpu"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "grad": torch.enable_grad,
    "deterministic": deterministic,
}


def results():
    rgb = draw_scene((4, 4), (60, 84)).rgb
    encoder = densezero.load_encoder("nano", device="cpu", dtype="float32")
    labels = densezero.Segmenter(encoder, "sky, grass, sea, house").segment(rgb).labels
    return labels, np.asarray(encode_grid(encoder, rgb, "patch", 8, None))


@pytest.fixture(scope="module")
def plain():
    with nullcontext():
        return results()


@pytest.mark.parametrize("name", STATES)
def test_labels_and_features_are_the_same(plain, name):
    with STATES[name]():
        labels, grid = results()
    assert np.array_equal(labels, plain[0])
    assert np.array_equal(grid, plain[1])
