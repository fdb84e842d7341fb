"""``segment --example``: pictures of classes beside words, and instead of them."""

import json

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError, ModelError, OutputError, VocabularyError
from densezero.jobs.segment import segment_images
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from tests.jobs.photos import read_labels, settings, write_scenes

NAMES = [concept.name for concept in CONCEPTS]


@pytest.fixture
def example(tmp_path):
    """A scene with sand, and its labels as a mask; the text of an example of sand."""
    index = NAMES.index("sand")
    scene = next(s for s in (draw_scene((3, k), (112, 112)) for k in range(99)) if (s.labels == index).mean() > 0.2)
    Image.fromarray(scene.rgb).save(tmp_path / "shown.png")
    Image.fromarray(scene.labels).save(tmp_path / "mask.png")
    return f"sand={tmp_path}/shown.png,{tmp_path}/mask.png#{index}"


def run(tmp_path, **changes):
    chosen = {"short_side_px": 112, **changes}
    return segment_images(settings(tmp_path / "in", tmp_path / "out", **chosen))


def manifest(tmp_path):
    return json.loads((tmp_path / "out" / "run.json").read_text())


def test_an_example_adds_a_class_that_is_recorded_and_found(tmp_path, example):
    write_scenes(tmp_path / "in", ["a.png"])
    (tmp_path / "shown.png").rename(tmp_path / "in" / "shown.png")
    example = example.replace("/shown.png", "/in/shown.png")
    assert run(tmp_path, classes="sky, grass, sea, house", examples=(example,)).done == 2
    index = NAMES.index("sand")
    found, truth = read_labels(tmp_path / "out/labels/shown.png") == 4, read_labels(tmp_path / "mask.png") == index
    assert (found & truth).sum() / (found | truth).sum() > 0.7
    record = manifest(tmp_path)
    assert record["settings"]["examples"] == [example]
    (recorded,) = record["request"]["examples"]
    assert recorded["example"] == example
    assert len(recorded["image_sha256"]) == len(recorded["mask_sha256"]) == 64
    classes = json.loads((tmp_path / "out" / "classes.json").read_text())["classes"]
    assert [entry["name"] for entry in classes] == ["sky", "grass", "sea", "house", "sand"]


def test_a_run_goes_on_with_the_same_examples_and_refuses_changed_ones(tmp_path, example):
    write_scenes(tmp_path / "in", ["a.png", "b.png"])
    assert run(tmp_path, examples=(example,)).done == 2
    (tmp_path / "out" / "labels" / "b.png").unlink()
    again = run(tmp_path, examples=(example,))
    assert (again.done, again.skipped) == (1, 1)
    with pytest.raises(OutputError, match=r"another request; these differ: .*examples"):
        run(tmp_path)
    mask = read_labels(tmp_path / "mask.png")
    mask[0, 0] = NAMES.index("sand")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    with pytest.raises(OutputError, match=r"another request; these differ: .*examples"):
        run(tmp_path, examples=(example,))


def test_results_are_loaded_with_their_examples(tmp_path, example):
    from densezero import load_results

    write_scenes(tmp_path / "in", ["a.png"])
    run(tmp_path, examples=(example,))
    assert [each["example"] for each in load_results(tmp_path / "out").provenance.examples] == [example]


def test_examples_alone_need_no_words(tmp_path, example):
    write_scenes(tmp_path / "in", ["a.png"])
    other = example.replace("sand=", "rest=").split("#")[0] + f"#{NAMES.index('sky')}"
    run(tmp_path, classes=None, examples=(example, other))
    assert set(np.unique(read_labels(tmp_path / "out/labels/a.png"))) <= {0, 1}


def test_a_model_without_text_segments_by_examples_and_refuses_words(tmp_path, example):
    pytest.importorskip("timm")
    write_scenes(tmp_path / "in", ["a.png"], hw=(64, 64))
    other = example.replace("sand=", "rest=").split(",")[0] + ",0,0,50,20"
    model = "timm:vit_tiny_patch16_224/random"
    with pytest.raises(ModelError, match="no text tower"):
        run(tmp_path, model=model, examples=(example, other))
    assert run(tmp_path, model=model, classes=None, examples=(example, other)).done == 1


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"examples": ("sand",)}, InputError, "Expected --example as"),
        ({"examples": ("sand=nowhere.png,1,1,2,2",)}, InputError, "Example sand=.*nowhere.png"),
        ({"classes": None}, VocabularyError, "got neither, and no --example"),
        ({"vocabulary": "ade20k"}, VocabularyError, "got both"),
    ],
)
def test_bad_requests_are_sentences_and_nothing_is_written(tmp_path, change, error, sentence):
    write_scenes(tmp_path / "in", ["a.png"])
    with pytest.raises(error, match=sentence):
        run(tmp_path, **change)
    assert not (tmp_path / "out" / "labels").exists()


def test_the_files_of_an_example_are_never_replaced(tmp_path, example):
    write_scenes(tmp_path / "in", ["mask.png"])
    inside = tmp_path / "out" / "labels" / "mask.png"
    inside.parent.mkdir(parents=True)
    (tmp_path / "mask.png").rename(inside)
    before = inside.read_bytes()
    with pytest.raises(OutputError, match=r"mask\.png"):
        run(tmp_path, overwrite=True, examples=(example.replace(f"{tmp_path}/mask.png", str(inside)),))
    assert inside.read_bytes() == before
