import json
from dataclasses import replace

import numpy as np
import pytest

from densezero.engine import Background, Protocol, Segmenter, find_protocol
from densezero.errors import InputError, ProtocolError, VocabularyError
from densezero.vocabulary import Templates, load_packaged, load_templates
from tests.engine.conftest import ColourEncoder

WORDS = ["sky", ["boat", "sailing ship", "yacht"], "grass", "house"]
PRESETS = ("tips-slide", "tips-simple", "ovss")
PLAIN = load_templates("plain")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("hw", [(1, 1), (13, 2000), (448, 448), (600, 800)])
def test_labels_have_exactly_the_size_of_the_image(tower_encoder, rgb, preset, hw):
    labels = Segmenter(tower_encoder, WORDS, preset).segment(rgb(*hw)).labels
    assert labels.shape == hw
    assert labels.dtype == np.uint8
    assert labels.max() < 4


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_labels_of_a_large_photograph_have_exactly_its_size(tower_encoder, rgb, preset):
    assert Segmenter(tower_encoder, WORDS, preset).segment(rgb(3000, 4000)).labels.shape == (3000, 4000)


@pytest.mark.parametrize("preset", PRESETS)
def test_images_that_are_scored_together_come_out_as_one_by_one(colour_encoder, rgb, preset):
    segmenter = Segmenter(colour_encoder, ["red", "green", "blue"], preset, keep_scores=True)
    images = [rgb(40, 60), rgb(70, 30), rgb(40, 60, seed=1)]
    together = segmenter.score([segmenter.prepare(image) for image in images])
    for image, scored in zip(images, together, strict=True):
        alone = segmenter.segment(image)
        assert np.array_equal(segmenter.label(scored), alone.labels)
        np.testing.assert_allclose(segmenter.class_scores(scored), alone.scores(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("hw", [(40, 60), (448, 448), (30, 2000)])
def test_the_bytes_of_a_prepared_image_are_known_by_its_size(colour_encoder, rgb, preset, hw):
    segmenter = Segmenter(colour_encoder, WORDS, preset)
    assert segmenter.prepared_bytes(hw) == segmenter.prepare(rgb(*hw)).resized.nbytes


@pytest.mark.parametrize("preset", PRESETS)
def test_the_best_score_of_each_pixel_is_its_label(colour_encoder, rgb, preset):
    result = Segmenter(colour_encoder, WORDS, preset, keep_scores=True).segment(rgb(60, 90))
    scores = result.scores()
    assert scores.shape == (4, 60, 90)
    assert scores.dtype == np.float32
    assert np.array_equal(scores.argmax(0), result.labels)
    assert len(np.unique(result.labels)) > 2
    assert np.isfinite(scores).all()


def test_scores_are_what_the_protocol_says_they_are(colour_encoder, rgb):
    slide, simple, scaled = (
        Segmenter(colour_encoder, WORDS, name, keep_scores=True).segment(rgb(60, 90)).scores() for name in PRESETS
    )
    np.testing.assert_allclose(slide.sum(0), 1, atol=1e-5)  # probabilities of classes
    assert simple.min() < 0 <= simple.max() <= 1  # cosines
    assert scaled.min() >= 0  # probabilities of words, of which each class has its best
    assert 0.25 < scaled.sum(0).min() < 0.999


def test_one_patch_is_labelled_as_worked_out_by_hand(rgb):
    encoder = ColourEncoder()
    names = ["sky", "boat", "grass"]
    image = np.full((14, 14, 3), (255, 0, 102), np.uint8)
    feature = (np.array([1, 0, 0.4]) - 0.5) @ encoder.turn.double().numpy()
    words = encoder.encode_text(names).double().numpy()
    cosines = words @ feature / np.linalg.norm(words, axis=1) / np.linalg.norm(feature)
    protocol = Protocol("p", short_side_px=14, window_px=None, window_scores="cosine")
    result = Segmenter(encoder, names, protocol, PLAIN, keep_scores=True).segment(image)
    np.testing.assert_allclose(result.scores()[:, 5, 5], cosines, atol=1e-6)
    assert (result.labels == cosines.argmax()).all()


def test_a_permutation_of_the_classes_permutes_the_labels(colour_encoder, rgb):
    order = [2, 0, 3, 1]
    for preset in PRESETS:
        straight = Segmenter(colour_encoder, WORDS, preset).segment(rgb(60, 90)).labels
        permuted = Segmenter(colour_encoder, [WORDS[k] for k in order], preset).segment(rgb(60, 90)).labels
        assert np.array_equal(np.array(order)[permuted], straight)


@pytest.mark.parametrize(("classes", "dtype"), [(254, np.uint8), (255, np.uint16), (300, np.uint16)])
def test_labels_fit_a_byte_up_to_254_classes_and_never_take_the_value_for_no_label(colour_encoder, rgb, classes, dtype):
    names = [f"class {index}" for index in range(classes)]
    labels = Segmenter(colour_encoder, names, "tips-simple", PLAIN).segment(rgb(90, 90)).labels
    assert labels.dtype == dtype
    assert labels.max() < classes
    # Each class is found where its own word is the feature, the last one as well.
    labeller = Segmenter(colour_encoder, names, "tips-simple", PLAIN)
    colour_encoder.encode_dense = lambda pixels, readout: labeller.rule.bank.vectors[-1].expand(1, 2, 2, 8)
    assert (labeller.segment(rgb(90, 90)).labels == classes - 1).all()


def test_a_background_that_makes_255_classes_needs_two_bytes(colour_encoder, rgb):
    names = [f"class {index}" for index in range(254)]
    protocol = replace(find_protocol("tips-simple"), background=Background(threshold=0.999))
    result = Segmenter(colour_encoder, names, protocol, PLAIN).segment(rgb(30, 30))
    assert len(result.classes) == 255
    assert result.labels.dtype == np.uint16


@pytest.mark.parametrize("preset", PRESETS)
def test_a_threshold_takes_uncertain_pixels_and_leaves_the_rest(rgb, preset):
    encoder = ColourEncoder(temperature=0.2)
    plain = Segmenter(encoder, WORDS, preset, keep_scores=True).segment(rgb(60, 90))
    protocol = replace(find_protocol(preset), background=Background(threshold=0.8))
    result = Segmenter(encoder, WORDS, protocol, keep_scores=True).segment(rgb(60, 90))
    assert result.classes.names == ("background", "sky", "boat", "grass", "house")
    kept = result.labels != 0
    assert 0.05 < kept.mean() < 0.95
    assert np.array_equal(result.labels[kept], plain.labels[kept] + 1)
    scores = result.scores()
    assert (scores[0] == -np.inf).all()
    np.testing.assert_allclose(scores[1:], plain.scores(), atol=1e-6)


@pytest.mark.parametrize("preset", PRESETS)
def test_unknown_takes_the_pixels_that_a_threshold_gives_to_the_background(rgb, preset):
    def segment(background):
        protocol = replace(find_protocol(preset), background=background)
        segmenter = Segmenter(ColourEncoder(temperature=0.2), WORDS, protocol, keep_scores=True)
        return segmenter.segment(rgb(60, 90))

    unknown, background = segment(Background(unknown=0.8)), segment(Background(threshold=0.8))
    assert unknown.classes.names == ("sky", "boat", "grass", "house", "unknown")
    assert np.array_equal(unknown.labels, np.where(background.labels == 0, 4, background.labels.astype(int) - 1))
    assert 0.05 < unknown.mask("unknown").mean() < 0.95
    assert (unknown.scores()[4] == -np.inf).all()
    assert unknown.provenance.protocol.background.unknown == 0.8


def test_a_threshold_that_no_pixel_can_be_below_is_refused():
    # One class with two words: without a scale its probability is always 1, with a scale the words share it.
    encoder = ColourEncoder()
    scaled = replace(find_protocol("ovss"), background=Background(threshold=0.6))
    assert len(Segmenter(encoder, [["boat", "ship"]], scaled).classes) == 2
    with pytest.raises(ProtocolError, match="The highest probability of a pixel is always at least 1 / 2 here"):
        Segmenter(encoder, [["boat", "ship"]], replace(scaled, background=Background(unknown=0.5)))
    for background in (Background(threshold=0.9), Background(unknown=0.9)):
        protocol = replace(find_protocol("tips-simple"), background=background)
        with pytest.raises(ProtocolError, match="The highest probability of a pixel is always at least 1 / 1 here"):
            Segmenter(encoder, [["boat", "ship"]], protocol)


def test_background_words_that_are_chosen_stand_in_the_provenance_and_make_the_same_segmenter_again(rgb):
    encoder = ColourEncoder()
    protocol = replace(find_protocol("tips-simple"), background=Background("auto"))
    segmenter = Segmenter(encoder, ["cat", "dog"], protocol, PLAIN)
    chosen = segmenter.protocol.background.words
    assert len(chosen) == 64
    assert segmenter.classes.words == (chosen, ("cat",), ("dog",))
    written = Protocol.from_json(json.loads(json.dumps(segmenter.provenance.to_json()))["protocol"])
    again = Segmenter(encoder, ["cat", "dog"], written, PLAIN)
    assert again.provenance == segmenter.provenance
    image = rgb(40, 60)
    assert np.array_equal(again.segment(image).labels, segmenter.segment(image).labels)
    with pytest.raises(VocabularyError, match="stuff"):
        Segmenter(encoder, "ade20k", protocol, PLAIN)
    with pytest.raises(VocabularyError, match="text embeddings of your own"):
        Segmenter(encoder, ["cat", "dog"], protocol, PLAIN, text_embeddings=np.eye(8)[:2])


def test_background_words_compete_with_the_classes(colour_encoder, rgb):
    protocol = replace(find_protocol("tips-simple"), background=Background(("grass", "house")))
    result = Segmenter(colour_encoder, ["sky", "boat"], protocol).segment(rgb(60, 90))
    straight = Segmenter(colour_encoder, [["grass", "house"], "sky", "boat"], "tips-simple").segment(rgb(60, 90))
    assert np.array_equal(result.labels, straight.labels)
    assert 0 < (result.labels == 0).mean() < 1


def test_a_threshold_without_a_known_temperature_is_refused_before_any_word_is_embedded():
    encoder = ColourEncoder(temperature=None)
    encoder.encode_text = lambda prompts: pytest.fail("words were embedded first")
    protocol = replace(find_protocol("tips-slide"), background=Background(threshold=0.5))
    with pytest.raises(ProtocolError, match="needs the encoder's temperature, which is not known for colour"):
        Segmenter(encoder, WORDS, protocol)


def test_a_threshold_on_scaled_cosines_needs_no_temperature(rgb):
    protocol = replace(find_protocol("ovss"), background=Background(threshold=0.5))
    labels = Segmenter(ColourEncoder(temperature=None), WORDS, protocol).segment(rgb(30, 40)).labels
    assert labels.shape == (30, 40)


def test_a_preset_by_name_takes_the_constants_of_the_benchmark_at_hand(colour_encoder):
    segmenter = Segmenter(colour_encoder, load_packaged("voc21"), "ovss", PLAIN)
    assert segmenter.protocol == find_protocol("ovss", "voc21")
    assert segmenter.protocol.scale == 65
    given = Segmenter(colour_encoder, load_packaged("voc21"), find_protocol("ovss"), PLAIN)
    assert given.protocol.scale == 40


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((4, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((1, 4, 5, 3), np.uint8),
        [[[1, 2, 3]]],
        "no such photo.jpg",
        None,
    ],
    ids=lambda array: f"{type(array).__name__}{getattr(array, 'shape', '')}",
)
def test_arrays_that_are_no_image_are_refused(colour_encoder, array):
    segmenter = Segmenter(colour_encoder, WORDS, templates=PLAIN)
    with pytest.raises(InputError, match=r"[Ee]xpected"):
        segmenter.segment(array)


def test_images_that_lie_otherwise_in_memory_are_segmented_alike(colour_encoder, rgb):
    segmenter = Segmenter(colour_encoder, WORDS, "tips-simple", PLAIN)
    image = rgb(40, 60)
    assert np.array_equal(segmenter.segment(np.asfortranarray(image)).labels, segmenter.segment(image).labels)
    read_only = image.copy()
    read_only.flags.writeable = False
    assert np.array_equal(segmenter.segment(read_only).labels, segmenter.segment(image).labels)


def test_unknown_protocols_and_clashing_words_are_refused(colour_encoder):
    with pytest.raises(ProtocolError, match="Did you mean 'ovss'"):
        Segmenter(colour_encoder, WORDS, "oovss")
    clash = replace(find_protocol("tips-simple"), background=Background(("yacht",)))
    with pytest.raises(VocabularyError, match="'yacht' stands in two classes"):
        Segmenter(colour_encoder, WORDS, clash)


def test_a_result_carries_all_that_it_was_made_with(colour_encoder, rgb):
    templates = Templates("mine", ("a {}", "the {}"))
    segmenter = Segmenter(colour_encoder, WORDS, "tips-simple", templates)
    made_with = segmenter.segment(rgb(20, 20)).provenance
    assert made_with == segmenter.provenance
    assert made_with.protocol == find_protocol("tips-simple")
    assert made_with.class_list_sha256 == segmenter.classes.sha256
    assert (made_with.templates, made_with.templates_sha256) == ("mine", templates.sha256)
    assert (made_with.encoder, made_with.weights_sha256, made_with.dtype) == ("colour", "c" * 64, "float32")
    written = json.loads(json.dumps(made_with.to_json()))
    assert Protocol.from_json(written.pop("protocol")) == made_with.protocol
    assert written == {name: value for name, value in vars(made_with).items() if name not in ("protocol", "examples")}


def test_other_words_have_another_provenance(colour_encoder):
    one, other = (Segmenter(colour_encoder, words, templates=PLAIN).provenance for words in (["sky"], ["sky", "sea"]))
    assert one.class_list_sha256 != other.class_list_sha256


def test_the_templates_of_the_protocol_are_taken_unless_others_are_given(colour_encoder):
    assert Segmenter(colour_encoder, WORDS, "ovss").templates.name == "imagenet80"
    assert Segmenter(colour_encoder, WORDS, "ovss", PLAIN).templates.name == "plain"


def test_progress_counts_the_words(colour_encoder):
    seen = []
    Segmenter(colour_encoder, WORDS, templates=PLAIN, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)
