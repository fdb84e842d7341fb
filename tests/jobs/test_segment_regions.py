"""``segment --regions``: the vote raises the accuracy, and a run with other regions is another run."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError, OutputError
from densezero.jobs.segment import segment_images
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from tests.cli.test_commands import run
from tests.jobs.photos import Recorder, read_labels, settings
from tests.regions.test_run_lengths import compressed

SCENES = 6


def write_scenes_and_regions(tmp_path):
    """Scenes, their true labels, and the true mask of each class of a scene: half as PNG files, half as JSON."""
    truth = {}
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
    for index in range(SCENES):
        scene = draw_scene((31, index), (112, 140))
        truth[f"{index}.png"] = scene.labels
        Image.fromarray(scene.rgb).save(tmp_path / "in" / f"{index}.png")
        if index % 2:
            masks = [compressed(scene.labels == value) for value in np.unique(scene.labels)]
            (tmp_path / "masks" / f"{index}.json").write_text(json.dumps([{"segmentation": mask} for mask in masks]))
        else:
            Image.fromarray(scene.labels + np.uint8(1)).save(tmp_path / "masks" / f"{index}.png")
    return truth


def accuracy(out, truth):
    return np.mean([(read_labels(out / "labels" / name) == labels).mean() for name, labels in truth.items()])


def request(tmp_path, regions="masks", **changes):
    chosen = None if regions is None else str(tmp_path / regions)
    return settings(tmp_path / "in", tmp_path / "out", regions=chosen, **changes)


@pytest.fixture
def small(tmp_path):
    """Two images with label maps as regions."""
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
    for index in range(2):
        scene = draw_scene((31, index), (48, 64))
        Image.fromarray(scene.rgb).save(tmp_path / "in" / f"{index}.png")
        Image.fromarray(scene.labels + np.uint8(1)).save(tmp_path / "masks" / f"{index}.png")
    return tmp_path


def manifest(tmp_path):
    return json.loads((tmp_path / "out" / "run.json").read_text())


def test_true_masks_raise_the_accuracy_of_the_command_line(tmp_path):
    truth = write_scenes_and_regions(tmp_path)
    words = ", ".join(concept.name for concept in CONCEPTS)
    command = ("segment", str(tmp_path / "in"), "--classes", words, "--model", "nano", "--dtype", "float32")
    for name, options in (("own", ()), ("voted", ("--regions", str(tmp_path / "masks")))):
        outcome = run(*command, "--short-side", "112", "--out", str(tmp_path / name), *options)
        assert outcome.exit_code == 0, outcome.stderr
    own, voted = accuracy(tmp_path / "own", truth), accuracy(tmp_path / "voted", truth)
    assert voted > own + 0.03  # 0.92 and 0.88 when this was written


def test_the_choice_is_recorded_and_taken_over_by_like(small):
    segment_images(request(small))
    content = manifest(small)
    assert content["request"]["regions"] == str(small / "masks")
    assert content["settings"]["regions"] == str(small / "masks")
    assert "without_regions" not in content
    outcome = run(
        "segment", str(small / "in"), "--like", str(small / "out" / "run.json"), "--out", str(small / "again")
    )
    assert outcome.exit_code == 0, outcome.stderr
    again = json.loads((small / "again" / "run.json").read_text())
    assert again["request"] == content["request"]


def test_without_regions_the_request_is_as_before(small):
    segment_images(request(small, None))
    assert "regions" not in manifest(small)["request"]


@pytest.mark.parametrize("first", [None, "masks"])
def test_another_choice_is_another_request(small, first):
    (small / "masks").joinpath("0.png").replace(small / "kept.png")
    (small / "others").mkdir()
    for folder in ("masks", "others"):
        (small / folder / "0.png").write_bytes((small / "kept.png").read_bytes())
    segment_images(request(small, first))
    with pytest.raises(OutputError, match="another request; these differ: regions"):
        segment_images(request(small, "others"))
    assert segment_images(request(small, "others", overwrite=True)).done == 2


def test_a_changed_file_of_regions_is_done_again(small):
    segment_images(request(small))
    before = read_labels(small / "out" / "labels" / "1.png")
    assert segment_images(request(small)).skipped == 2
    Image.fromarray(np.ones((48, 64), np.uint8)).save(small / "masks" / "1.png")
    listener = Recorder()
    summary = segment_images(request(small), listener)
    assert (summary.done, summary.skipped) == (1, 1)
    assert "1 picture (1.png), or the regions, changed since the last run, and will be done again" in listener.notes
    assert len(np.unique(read_labels(small / "out" / "labels" / "1.png"))) == 1
    assert len(np.unique(before)) > 1


def test_a_file_of_regions_that_was_only_copied_is_not_done_again(small):
    segment_images(request(small))
    for file in (small / "masks").iterdir():
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
        os.utime(file, (1, 1))
    assert segment_images(request(small)).skipped == 2


def test_regions_that_come_later_are_used(small):
    (small / "masks" / "1.png").rename(small / "late.png")
    listener = Recorder()
    assert segment_images(request(small), listener).done == 2
    assert "1 of 2 images have no regions (1.png); their pixels keep their own labels" in listener.notes
    assert manifest(small)["without_regions"] == ["1.png"]
    (small / "late.png").rename(small / "masks" / "1.png")
    assert segment_images(request(small)).done == 1
    assert "without_regions" not in manifest(small)


def test_regions_of_another_size_fail_one_image_alone(small):
    Image.fromarray(np.ones((64, 48), np.uint8)).save(small / "masks" / "0.png")
    summary = segment_images(request(small))
    assert (summary.done, summary.failed) == (1, 1)
    (failed,) = [image for image in manifest(small)["images"] if image["status"] == "failed"]
    assert "masks/0.png: Expected the regions to have the size of the image, 48 × 64" in failed["error"]
    outcome = run("segment", str(small / "in"), "--like", str(small / "out" / "run.json"), "--out", str(small / "out"))
    assert outcome.exit_code == 1
    assert "0.png" in outcome.stderr


def test_no_regions_at_all_is_refused_before_the_work(small):
    (small / "none").mkdir()
    with pytest.raises(InputError, match="found none for any of the 2 images"):
        segment_images(request(small, "none"))
    with pytest.raises(InputError, match="there is no"):
        segment_images(request(small, "nowhere"))
    assert not (small / "out").exists()


def test_files_of_regions_are_never_overwritten(small):
    (small / "out").mkdir()
    (small / "masks").rename(small / "out" / "labels")
    before = (small / "out" / "labels" / "0.png").read_bytes()
    with pytest.raises(OutputError):
        segment_images(request(small, "out/labels", overwrite=True))
    assert (small / "out" / "labels" / "0.png").read_bytes() == before


def test_a_threshold_works_with_regions(small):
    summary = segment_images(request(small, save=("labels", "coco", "csv"), background_threshold=0.99))
    assert (summary.done, summary.failed) == (2, 0)
    labels, regions = read_labels(small / "out" / "labels" / "0.png"), read_labels(small / "masks" / "0.png")
    assert all(len(np.unique(labels[regions == region])) == 1 for region in np.unique(regions))


def test_scores_are_those_of_the_regions(small):
    segment_images(request(small, save=("labels", "scores")))
    with np.load(small / "out" / "scores" / "0.npz") as arrays:
        regions = np.array(Image.open(small / "masks" / "0.png"))
        assert len(np.unique(arrays["scores"][:, regions == regions[0, 0]], axis=1).T) == 1
