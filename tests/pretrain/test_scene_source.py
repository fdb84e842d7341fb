import json

import numpy as np
import pytest

import densezero.pretrain.data.scenes as scene_source
from densezero.errors import InputError
from densezero.pretrain.captions import visible_content
from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPTS
from densezero.pretrain.data import SceneSource
from densezero.pretrain.held_out import (
    HELD_OUT_GROUNDS,
    HELD_OUT_TINTS,
    has_held_out,
    held_out_scene,
    training_scene,
)
from densezero.pretrain.scenes import PlacedThing, draw_scene
from densezero.pretrain.things import TINTS

RNG = np.random.default_rng(0)


class InProcess:
    """Stands for the executor of processes, which takes seconds to start."""

    def __init__(self, mp_context):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def map(self, function, items, chunksize):
        return map(function, items)


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr(scene_source, "ProcessPoolExecutor", InProcess)


def test_drawn_scenes_come_back_with_new_captions_at_each_reading(tmp_path, in_process):
    source, again = SceneSource(tmp_path, 3), SceneSource(tmp_path, 3)
    assert len(source) == 3
    assert source.describe()["samples"] == 3
    for index in range(3):
        scene = training_scene(1, index)
        first = source.read(index, np.random.default_rng(0))
        assert np.array_equal(first.rgb, scene.rgb)
        assert source._contents[index] == visible_content(scene)
        assert again.read(index, np.random.default_rng(0))[1:4] == first[1:4]
        assert len({source.read(index, np.random.default_rng(seed)).long for seed in range(9)}) > 3


@pytest.mark.parametrize(("choice", "concepts"), [("first", CONCEPTS), ("all", ALL_CONCEPTS)])
def test_the_labels_of_the_source_are_those_of_the_drawing(tmp_path, in_process, choice, concepts):
    source = SceneSource(tmp_path, 3, concepts=choice)
    assert source.describe()["concepts"] == choice
    for index in range(3):
        scene, read = training_scene(1, index, concepts=concepts), source.read(index, RNG)
        assert read.labels.dtype == np.uint8
        assert np.array_equal(read.labels, scene.labels)
        assert np.array_equal(read.rgb, scene.rgb)
    assert json.loads((tmp_path / "done.json").read_text()) == {"count": 3, "concepts": choice}


def test_the_concepts_of_a_folder_are_the_first_ones_unless_chosen_and_others_are_refused(tmp_path, in_process):
    assert SceneSource(tmp_path / "first", 1).describe()["concepts"] == "first"
    with pytest.raises(
        InputError, match="with the concepts 'all', but it has 1 drawn scenes with the concepts 'first'"
    ):
        SceneSource(tmp_path / "first", 1, concepts="all")
    with pytest.raises(InputError, match="expected the concepts 'first' or 'all', got 'both'"):
        SceneSource(tmp_path / "other", 1, concepts="both")


def test_a_folder_of_a_version_without_labels_is_drawn_again(tmp_path, in_process):
    SceneSource(tmp_path, 2)
    (tmp_path / "labels.u8").unlink()
    (tmp_path / "done.json").write_text('{"count": 2}')
    source = SceneSource(tmp_path, 1, concepts="all")
    assert len(source) == 1
    assert np.array_equal(source.read(0, RNG).labels, training_scene(1, 0, concepts=ALL_CONCEPTS).labels)


def test_another_count_is_refused_and_a_stopped_drawing_starts_again(tmp_path, in_process):
    SceneSource(tmp_path, 2)
    with pytest.raises(InputError, match=r"expected 3 drawn scenes .*, but it has 2 drawn scenes"):
        SceneSource(tmp_path, 3)
    (tmp_path / "done.json").unlink()
    assert len(SceneSource(tmp_path, 3)) == 3
    with pytest.raises(InputError, match="at least one"):
        SceneSource(tmp_path, 0)


def test_processes_draw_the_same_scenes(tmp_path):
    assert np.array_equal(SceneSource(tmp_path, 2).read(1, RNG).rgb, training_scene(1, 1).rgb)


def test_held_out_combinations_by_hand():
    def thing(concept, tint, ground):
        return PlacedThing(concept, tint, (0.5, 0.5), 0.3, ground, 100)

    assert has_held_out([thing("tree", None, None), thing("car", "green", "road")])
    assert has_held_out([thing("boat", None, "snow")])
    assert not has_held_out([thing("car", "red", "road"), thing("ball", "green", "snow"), thing("boat", None, "sea")])
    assert not has_held_out([])
    assert has_held_out([thing("tent", "red", "grass")])
    assert has_held_out([thing("mushroom", None, "soil")])
    assert not has_held_out([thing("tent", "blue", "grass"), thing("sheep", None, "soil")])


def test_training_scenes_have_no_held_out_combination_and_few_scenes_are_dropped():
    for index in range(60):
        assert not has_held_out(training_scene(1, index, (64, 64)).things)
    dropped = np.mean([has_held_out(draw_scene((1, index), (64, 64)).things) for index in range(150)])
    assert 0.1 < dropped < 0.35


def test_held_out_scenes_show_one_and_do_not_depend_on_the_order_of_calls():
    scenes = {index: held_out_scene(index, (64, 64)) for index in (2, 0, 1)}
    assert all(has_held_out(visible_content(scene).things) for scene in scenes.values())
    fitting = [
        scene
        for scene in (draw_scene((3, number), (64, 64)) for number in range(60))
        if has_held_out(visible_content(scene).things)
    ]
    assert all(np.array_equal(scenes[index].rgb, fitting[index].rgb) for index in range(3))


def test_the_second_edition_has_held_out_scenes_of_its_own():
    known = {concept.name for concept in ALL_CONCEPTS}
    new = known - {concept.name for concept in CONCEPTS}
    assert all(thing in known and tint in TINTS for tint, thing in HELD_OUT_TINTS)
    assert any(thing in new for _, thing in HELD_OUT_TINTS)
    assert any(thing in new for thing, _ in HELD_OUT_GROUNDS)
    assert any(ground in new for _, ground in HELD_OUT_GROUNDS)
    scenes = [training_scene(1, index, (64, 64), concepts=ALL_CONCEPTS) for index in range(40)]
    assert not any(has_held_out(scene.things) for scene in scenes)
    assert new & {mention.concept for scene in scenes for mention in scene.mentions}
    dropped = np.mean(
        [has_held_out(draw_scene((1, index), (64, 64), concepts=ALL_CONCEPTS).things) for index in range(150)]
    )
    assert 0.1 < dropped < 0.35
    first, second = held_out_scene(0, (64, 64)), held_out_scene(0, (64, 64), concepts=ALL_CONCEPTS)
    assert has_held_out(visible_content(second).things)
    assert not np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.rgb, held_out_scene(0, (64, 64)).rgb)  # each edition remembers its own seeds
