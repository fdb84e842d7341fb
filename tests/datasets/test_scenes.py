"""Drawn scenes, written by the committed script and read back as a data set."""

import importlib.util

import numpy as np
import pytest

from densezero.datasets import check_dataset, load_dataset
from densezero.datasets.scenes import scene_classes
from densezero.errors import InputError
from densezero.images import read_rgb
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("write_scenes", ROOT / "benchmarks" / "write_scenes.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("scenes")
    script.write_scenes(folder, count=3, side_px=48)
    return folder


def test_written_scenes_are_the_drawn_ones_to_the_pixel(written):
    dataset = load_dataset("scenes", written)
    assert [pair.name for pair in dataset.pairs] == ["scene_0000", "scene_0001", "scene_0002"]
    for index, pair in enumerate(dataset.pairs):
        scene = draw_scene((2, index), (48, 48))
        np.testing.assert_array_equal(read_rgb(pair.image), scene.rgb)
        np.testing.assert_array_equal(dataset.read_target(pair), scene.labels)


def test_the_classes_of_scenes_are_the_concepts_in_their_order():
    assert scene_classes().names == tuple(concept.name for concept in CONCEPTS)
    assert scene_classes().words == tuple((concept.name,) for concept in CONCEPTS)


def test_scenes_are_a_folder_like_any_other(written):
    assert load_dataset("folder", written).classes == load_dataset("scenes", written).classes
    assert check_dataset("scenes", written).problems == ()


def test_a_folder_of_other_classes_is_no_scenes(written, tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).symlink_to(written / name)
    (tmp_path / "classes.txt").write_text("\n".join(reversed(scene_classes().names)))
    with pytest.raises(InputError, match="as the data set 'folder'"):
        load_dataset("scenes", tmp_path)


def test_scenes_that_are_not_written_yet_say_how(tmp_path):
    with pytest.raises(InputError, match=r"python benchmarks/write_scenes\.py"):
        load_dataset("scenes", tmp_path)
