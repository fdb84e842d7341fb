"""Classifiers fitted to masks: against scikit-learn, as files, and in place of words."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

import densezero
from densezero.classifiers.classifier import classifier_segmenter, load_classifier
from densezero.classifiers.fit import fit_classifier, read_mask_folder, read_patches
from densezero.classifiers.settings import FitSettings
from densezero.engine import find_protocol
from densezero.errors import InputError, ModelError, OutputError, ProtocolError, VocabularyError
from densezero.examples.patches import encode_patches
from densezero.jobs.fit import fit
from densezero.jobs.segment import segment_images
from densezero.output.classes_json import encode_classes_json
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from densezero.vocabulary import class_list_from
from tests.jobs.photos import read_labels, settings, write_scenes

NAMES = [concept.name for concept in CONCEPTS]
STUFF = ["sky", "mountain", "grass", "sea"]


def write_folder(folder, names=STUFF, scenes=6, ignored=255, side=112):
    """Scenes whose masks have some classes; all other pixels are ignored."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for index in range(scenes):
        scene = draw_scene((4, index), (side, side))
        mask = np.full(scene.labels.shape, ignored, np.uint8)
        for label, name in enumerate(names):
            mask[scene.labels == NAMES.index(name)] = label
        Image.fromarray(scene.rgb).save(folder / "images" / f"{index}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{index}.png")
    (folder / "classes.json").write_bytes(encode_classes_json(class_list_from(names)))
    return folder


@pytest.fixture(scope="module")
def nano():
    return densezero.load_encoder("nano", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def protocol():
    return replace(find_protocol("tips-simple"), short_side_px=112)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("fit") / "labelled")


@pytest.fixture(scope="module")
def patches(nano, folder, protocol):
    return read_patches(nano, read_mask_folder(folder), protocol.recipe, lambda _: None)


@pytest.fixture(scope="module")
def classifier(nano, patches, protocol):
    return fit_classifier(patches, class_list_from(STUFF), nano, protocol.recipe)


def test_only_patches_of_one_class_are_fitted(nano, folder, patches, protocol):
    expected = 0
    for index in range(6):
        mask = read_labels(folder / "masks" / f"{index}.png")
        found = encode_patches(nano, draw_scene((4, index), (112, 112)).rgb, protocol.recipe)
        side = 112 // found.features.shape[1]
        cells = mask.reshape(112 // side, side, 112 // side, side).transpose(0, 2, 1, 3).reshape(-1, side * side)
        expected += sum((cells == label).mean(1).__ge__(0.99).sum() for label in range(4))
    assert len(patches.labels) == expected > 50


def test_predictions_on_patches_are_those_of_scikit_learn(patches, classifier, nano, protocol):
    units = torch.nn.functional.normalize(patches.features, dim=1).double()
    scale = float(patches.features.norm(dim=1).mean())
    model = LogisticRegression(C=0.1, max_iter=1000).fit((units * scale).numpy(), patches.labels.numpy())
    grid = encode_patches(nano, draw_scene((5, 1), (112, 112)).rgb, protocol.recipe).features[0]  # (gh, gw, D)
    flat = torch.nn.functional.normalize(grid.flatten(0, 1), dim=1).double() * scale
    logits = classifier.bank.cosines(grid).flatten(0, 1)
    assert np.allclose(logits.softmax(1), model.predict_proba(flat.numpy()), atol=1e-4)
    best = classifier.class_of[logits.argmax(1)]
    assert (best.numpy() == model.predict(flat.numpy())).mean() > 0.99


def test_two_classes_have_the_probabilities_of_scikit_learn(patches, nano, protocol):
    two = patches._replace(labels=(patches.labels > 0).long())
    classifier = fit_classifier(two, class_list_from("sky, rest"), nano, protocol.recipe)
    scale = float(two.features.norm(dim=1).mean())
    inputs = (torch.nn.functional.normalize(two.features, dim=1).double() * scale).numpy()
    model = LogisticRegression(C=0.1, max_iter=1000).fit(inputs, two.labels.numpy())
    assert np.allclose(classifier.bank.cosines(two.features).softmax(1), model.predict_proba(inputs), atol=1e-4)


def test_a_file_gives_the_same_classifier_back(tmp_path, classifier):
    file = tmp_path / "c.safetensors"
    file.write_bytes(classifier.encode())
    loaded = load_classifier(file)
    assert all(
        torch.equal(getattr(loaded, name), getattr(classifier, name)) for name in ("weights", "offsets", "class_of")
    )
    assert (loaded.classes, loaded.recipe) == (classifier.classes, classifier.recipe)
    assert (loaded.encoder, loaded.weights_sha256) == ("nano", classifier.weights_sha256)
    assert loaded.encode() == classifier.encode()


def test_a_segmenter_labels_unseen_scenes_by_the_classifier(nano, classifier, protocol):
    segmenter = classifier_segmenter(nano, classifier, protocol)
    right, all_pixels = 0, 0
    for index in range(4):
        scene = draw_scene((6, index), (112, 112))
        labels = segmenter.segment(scene.rgb).labels
        truth = np.array([STUFF.index(name) if name in STUFF else 255 for name in NAMES])[scene.labels]
        right += int((labels == truth)[truth != 255].sum())
        all_pixels += int((truth != 255).sum())
    assert right / all_pixels > 0.85


def test_a_class_without_patches_is_never_predicted(nano, patches, protocol):
    few = patches._replace(labels=torch.where(patches.labels == 1, 2, patches.labels))
    classifier = fit_classifier(few, class_list_from(STUFF), nano, protocol.recipe)
    segmenter = classifier_segmenter(nano, classifier, protocol)
    assert classifier.class_of.tolist() == [0, 2, 3]
    assert 1 not in segmenter.segment(draw_scene((6, 1), (112, 112)).rgb).labels


def test_another_encoder_read_out_or_a_background_is_a_sentence(nano, classifier, protocol):
    with pytest.raises(ModelError, match=r"Expected the encoder that the classifier was fitted to, nano \(.*got nano"):
        classifier_segmenter(nano, replace(classifier, weights_sha256="1" * 64), protocol)
    with pytest.raises(ProtocolError, match=r"read-out 'value'.*has 'patch'"):
        classifier_segmenter(nano, classifier, replace(protocol, readout="patch"))
    with pytest.raises(ProtocolError, match="A classifier has all its classes"):
        classifier_segmenter(nano, classifier, replace(protocol, background=densezero.Background(threshold=0.5)))


@pytest.mark.parametrize("content", [b"", b"no tensors", None])
def test_what_is_no_classifier_is_a_sentence(tmp_path, content):
    file = tmp_path / "c.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"Expected .*c\.safetensors to be a classifier that `densezero fit` wrote"):
        load_classifier(file)


def test_a_run_uses_a_fitted_file_and_notices_another_one(tmp_path, folder):
    made = fit(FitSettings(folder, tmp_path / "c.safetensors", "nano", short_side_px=112, dtype="float32"))
    assert made.done == 6
    write_scenes(tmp_path / "in", ["a.png"])
    chosen = {"classes": None, "templates": None, "short_side_px": 112, "classifier": tmp_path / "c.safetensors"}
    assert segment_images(settings(tmp_path / "in", tmp_path / "out", **chosen)).done == 1
    names = [entry["name"] for entry in json.loads((tmp_path / "out/classes.json").read_text())["classes"]]
    assert names == STUFF
    assert segment_images(settings(tmp_path / "in", tmp_path / "out", **chosen)).skipped == 1
    fit(FitSettings(folder, tmp_path / "d.safetensors", "nano", short_side_px=56, dtype="float32"))
    with pytest.raises(OutputError, match="another request"):
        segment_images(
            settings(tmp_path / "in", tmp_path / "out", **{**chosen, "classifier": tmp_path / "d.safetensors"})
        )


def test_words_beside_a_classifier_are_a_sentence(tmp_path):
    with pytest.raises(VocabularyError, match=r"Expected --classifier without --classes, --unknown"):
        settings(tmp_path, tmp_path / "out", classifier=tmp_path / "c.safetensors", templates=None, unknown=0.5)


def test_an_output_that_is_there_or_of_another_ending_is_a_sentence(tmp_path):
    with pytest.raises(OutputError, match=r"ending in \.safetensors"):
        FitSettings(tmp_path, tmp_path / "c.bin")
    (tmp_path / "c.safetensors").touch()
    with pytest.raises(OutputError, match="is there already"):
        FitSettings(tmp_path, tmp_path / "c.safetensors")


def spoil_size(folder):
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "masks" / "0.png")


def spoil_value(folder):
    Image.fromarray(np.full((112, 112), 7, np.uint8)).save(folder / "masks" / "0.png")


def spoil_all(folder):
    for file in (folder / "masks").iterdir():
        Image.fromarray(np.zeros((112, 112), np.uint8)).save(file)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "classes.json").unlink(), r"classes\.json is missing"),
        (lambda folder: (folder / "masks" / "0.png").rename(folder / "masks" / "x.png"), "0"),
        (spoil_size, r"masks/0\.png: Expected the mask to have the size of the image"),
        (spoil_value, r"masks/0\.png: Expected class indices 0 to 3, and 255 for ignored pixels; got 7"),
        (spoil_all, "patches of at least two classes; got those of sky"),
    ],
)
def test_a_folder_that_cannot_be_fitted_is_a_sentence(tmp_path, spoil, sentence):
    folder = write_folder(tmp_path / "labelled", scenes=2)
    spoil(folder)
    with pytest.raises(InputError, match=sentence):
        fit(FitSettings(folder, tmp_path / "c.safetensors", "nano", short_side_px=112, dtype="float32"))
    assert not (tmp_path / "c.safetensors").exists()
