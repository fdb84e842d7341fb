"""Refinement in the engine: what is refined, at which size, in every protocol."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import densezero
from densezero.engine import PROTOCOLS, Background, Protocol, Segmenter, dense_scores, find_protocol
from densezero.engine.presets import REFINEMENTS, find_refinement
from densezero.engine.protocol import Grid, Pamr
from densezero.engine.refine import grid_solve, pamr
from densezero.errors import InputError
from densezero.images import plan_resize, to_pixels
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from densezero.vocabulary import load_templates
from densezero.vocabulary.text_bank import TextBank
from tests.engine.conftest import ColourEncoder

WORDS = ["sky", "grass", ["boat", "sailing ship"], "house", ["sea", "water"], "mountain", "tree"]
PLAIN = load_templates("plain")
each_protocol = pytest.mark.parametrize("name", PROTOCOLS)
each_refinement = pytest.mark.parametrize("method", ["grid", "pamr"])


@pytest.fixture(scope="module")
def nano():
    return densezero.load_encoder("nano", device="cpu", dtype="float32")


def refined_protocol(name, method, **changes):
    preset = find_protocol(name)
    return replace(preset, refine=find_refinement(method, preset), **changes)


def plain(protocol):
    """The protocol whose scores are refined: mean cosines, not refined."""
    return replace(protocol, refine=None, window_scores="cosine")


def unit_vectors(rows, width=8):
    return F.normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(3)), dim=-1)


def mean_cosines(encoder, pixels, text, protocol):
    """Mean cosines of every word at the size of the model input, (P, h, w), by torch alone."""
    scores = dense_scores(encoder, pixels, text, plain(protocol))
    return F.interpolate(scores[None], pixels.shape[-2:], mode="bilinear", align_corners=False)[0]


def refine(settings, pixels, scores, text):
    if isinstance(settings, Grid):
        return grid_solve(pixels, scores, text, settings.cells, settings.iterations)
    return pamr(pixels, scores, settings.iterations, settings.dilations)


SMALL = {"short_side_px": 56, "window_px": 56, "stride_px": 40}


@pytest.mark.parametrize("settings", [Grid(), Grid(11, 9), Pamr(), Pamr(4, (1, 3))], ids=str)
@pytest.mark.parametrize(
    "protocol",
    [
        Protocol("whole", window_px=None, window_scores="cosine"),
        Protocol("softmax", **SMALL),
        Protocol("cosine", **SMALL, window_scores="cosine"),
        Protocol("scaled", **SMALL, window_scores="cosine", scale=40.0),
    ],
    ids=lambda protocol: protocol.name,
)
def test_the_refined_scores_are_the_functions_of_the_mean_cosines(colour_encoder, pixels, protocol, settings):
    image, text = pixels(75, 130), unit_vectors(5)
    expected = refine(settings, image[0], mean_cosines(colour_encoder, image, text, protocol), text)
    made = dense_scores(colour_encoder, image, text, replace(protocol, refine=settings))
    torch.testing.assert_close(made, expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize("settings", [Grid(200), Pamr(4, (1, 3))], ids=["grid", "pamr"])
def test_words_are_refined_and_then_the_best_of_a_class_counts(colour_encoder, pixels, settings):
    image, vectors = pixels(60, 75), unit_vectors(5)
    bank = TextBank(vectors, torch.tensor([0, 0, 1, 3, 3]), 4)  # class 2 has no word
    protocol = Protocol("whole", window_px=None, window_scores="cosine", refine=settings)
    words = refine(settings, image[0], mean_cosines(colour_encoder, image, vectors, protocol), vectors)
    made = dense_scores(colour_encoder, image, bank, protocol)
    expected = torch.stack([words[:2].amax(0), words[2], torch.full((60, 75), -torch.inf), words[3:].amax(0)])
    torch.testing.assert_close(made, expected, rtol=0, atol=5e-5)


@each_protocol
@each_refinement
def test_every_protocol_runs_with_every_refinement_and_it_changes_labels(nano, name, method):
    rgb = draw_scene((21, 3), (300, 410)).rgb
    protocol = refined_protocol(name, method)
    result = Segmenter(nano, WORDS, protocol, PLAIN, keep_scores=True).segment(rgb)
    assert result.labels.shape == (300, 410)
    assert result.provenance.protocol == protocol
    scores = result.scores()
    assert np.isfinite(scores).all()
    assert np.array_equal(scores.argmax(0), result.labels) or protocol.scale is not None
    before = Segmenter(nano, WORDS, plain(protocol), PLAIN).segment(rgb).labels
    changed = (before != result.labels).mean()
    assert 0.002 < changed < 0.3


@pytest.mark.parametrize("name", ["tips-slide", "tips-simple", "ovss-naclip"])
def test_after_pamr_more_pixels_near_the_edges_of_drawn_scenes_are_right(nano, name):
    names, scenes = [concept.name for concept in CONCEPTS], [draw_scene((21, index), (224, 300)) for index in range(4)]
    near = [F.max_pool2d(edges_of(scene.labels), 9, 1, 4)[0, 0].numpy() > 0 for scene in scenes]
    right = []
    for protocol in (find_protocol(name), refined_protocol(name, "pamr")):
        segmenter = Segmenter(nano, names, protocol, PLAIN)
        correct = [segmenter.segment(scene.rgb).labels == scene.labels for scene in scenes]
        right.append(np.concatenate([each[edge] for each, edge in zip(correct, near, strict=True)]).mean())
    assert right[1] > right[0] + 0.02, right


def edges_of(labels):
    labels = torch.from_numpy(labels.astype(np.int64))
    edge = torch.zeros(labels.shape)
    edge[:, 1:] += labels[:, 1:] != labels[:, :-1]
    edge[1:] += labels[1:] != labels[:-1]
    return edge[None, None]


def test_refined_tips_slide_gives_cosines_and_not_probabilities(nano):
    rgb = draw_scene((21, 3), (200, 280)).rgb
    scores = (
        Segmenter(nano, WORDS, refined_protocol("tips-slide", "grid"), PLAIN, keep_scores=True).segment(rgb).scores()
    )
    assert scores.min() < 0
    assert np.median(np.abs(scores.sum(0) - 1)) > 0.05


@pytest.mark.parametrize("hw", [(90, 130), (500, 700), (20, 400)])
def test_pamr_of_naclip_works_at_the_size_of_the_image(colour_encoder, rgb, hw):
    image, protocol = rgb(*hw), refined_protocol("ovss-naclip", "pamr", short_side_px=112)
    segmenter = Segmenter(colour_encoder, WORDS, protocol, PLAIN)
    plan = plan_resize(hw, 112, protocol.long_side_cap_px, protocol.rounding)
    pixels = torch.from_numpy(to_pixels(image, plan))
    bank = segmenter.rule.bank
    cosines = dense_scores(colour_encoder, pixels, bank, replace(protocol, refine=None))  # (P, h, w)
    assert torch.equal(dense_scores(colour_encoder, pixels, bank, protocol), cosines), "before the last resize"
    large, shown = (F.interpolate(each[None], hw, mode="bilinear")[0] for each in (cosines, pixels[0]))
    words = pamr(shown, large)  # (P, H, W)
    best = words.topk(2, dim=0).values
    clear = (best[0] - best[1] > 1e-5).numpy()
    assert clear.mean() > 0.9
    expected = bank.class_of[words.argmax(0)].numpy()
    assert np.array_equal(segmenter.segment(image).labels[clear], expected[clear])


@each_refinement
@each_protocol
def test_a_threshold_comes_after_the_refinement(rgb, name, method):
    encoder = ColourEncoder(temperature=0.2)
    protocol = refined_protocol(name, method, short_side_px=112)
    threshold = 0.4 if protocol.scale is None else 0.95
    whole = Segmenter(encoder, WORDS, protocol, PLAIN, keep_scores=True).segment(rgb(60, 90))
    with_threshold = replace(protocol, background=Background(threshold=threshold))
    result = Segmenter(encoder, WORDS, with_threshold, PLAIN).segment(rgb(60, 90))
    kept = result.labels != 0
    assert 0.02 < kept.mean() < 0.98
    assert np.array_equal(result.labels[kept], whole.labels[kept] + 1)
    scores = torch.from_numpy(whole.scores())
    if protocol.scale is None:  # probabilities over the classes; with a scale the scores are probabilities already
        scores = (scores / encoder.temperature).softmax(0)
    confidence = scores.amax(0).numpy()
    clear = np.abs(confidence - threshold) > 1e-4
    assert np.array_equal(kept[clear], (confidence >= threshold)[clear])


@each_refinement
@pytest.mark.parametrize("name", ["tips-slide", "ovss-naclip"])
def test_images_that_are_scored_together_are_refined_as_one_by_one(colour_encoder, rgb, name, method):
    segmenter = Segmenter(colour_encoder, WORDS, refined_protocol(name, method), PLAIN)
    images = [rgb(40, 60), rgb(70, 30), rgb(40, 60, seed=1)]
    together = segmenter.score([segmenter.prepare(image) for image in images])
    for image, scored in zip(images, together, strict=True):
        assert (segmenter.label(scored) == segmenter.segment(image).labels).mean() > 0.999


def test_the_grid_keeps_no_scores_of_the_size_of_the_image(colour_encoder, rgb):
    segmenter = Segmenter(colour_encoder, WORDS, refined_protocol("tips-slide", "grid"), PLAIN)
    (scored,) = segmenter.score([segmenter.prepare(rgb(600, 900))])
    assert scored.scores.grids.shape == (1, 74, 84, 7)  # of a model input of 448 x 672: steps of 6 and 8 pixels


@each_refinement
def test_features_that_are_not_finite_are_refused_after_a_refinement_too(colour_encoder, rgb, method):
    encode = colour_encoder.encode_dense
    colour_encoder.encode_dense = lambda pixels, readout: encode(pixels, readout) * torch.tensor(float("nan"))
    with pytest.raises(InputError, match="finite features"):
        Segmenter(colour_encoder, WORDS, refined_protocol("tips-slide", method), PLAIN).segment(rgb(60, 90))


@pytest.mark.parametrize("threads", [1, 2])
@each_refinement
def test_labels_hardly_depend_on_the_threads(colour_encoder, rgb, method, threads):
    segmenter = Segmenter(colour_encoder, WORDS, refined_protocol("tips-slide", method), PLAIN)
    expected = segmenter.segment(rgb(200, 260)).labels
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert (segmenter.segment(rgb(200, 260)).labels == expected).mean() > 0.9995
    finally:
        torch.set_num_threads(before)


def test_every_refinement_by_name_has_the_constants_of_its_paper():
    assert list(REFINEMENTS.items()) == [("none", None), ("grid", Grid(80, 25)), ("pamr", Pamr(10, (8, 16), False))]
