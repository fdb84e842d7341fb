import hashlib

import numpy as np
import pytest

from densezero.pretrain import things
from densezero.pretrain.captions import REGION_TEMPLATES, region_phrase
from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPT_INDEX, CONCEPTS, MORE_CONCEPTS
from densezero.pretrain.held_out import held_out_scene, training_scene
from densezero.pretrain.more_things import ALL_THINGS, ALL_TINTED, MORE_THINGS
from densezero.pretrain.scenes import Mention, _Canvas, _draw_thing, draw_scene
from densezero.pretrain.shapes import box, convex, ellipse, square_grid, union, without

# Of picture, label map and mentions, for seeds and sizes. The embedded model and stored measurements depend on them.
HASHES = {
    (0, (224, 224)): "2f85498422439b35", ((4, 1), (64, 80)): "a854c029da33a775",
    ((4, 2), (16, 16)): "3471450f46b72f80", ((4, 3), (90, 60)): "ab7f4f60e36b713b",
    (4, (112, 112)): "66c96c14c01d53f5", ((4, 5), (33, 47)): "0e83d18dcb9af624",
    ((4, 6), (224, 224)): "5502b654332cf897", ((4, 7), (64, 80)): "a6d967aeeab7ec12",
    (8, (16, 16)): "0d7b7f039df49fb6", ((4, 9), (90, 60)): "79e64a4f42926954",
    ((4, 10), (112, 112)): "7b3ed472b93f0e12", ((4, 11), (33, 47)): "895bb20194f34ab9",
    (12, (224, 224)): "1067439f98544ebe", ((4, 13), (64, 80)): "94c994b6edcd01f0",
    ((4, 14), (16, 16)): "9b4a36c95ca4cae0", ((4, 15), (90, 60)): "7cb23f9b958190f4",
    (16, (112, 112)): "6206126e396894d2", ((4, 17), (33, 47)): "3c3de63776ae218b",
    ((4, 18), (224, 224)): "ddfd8b24f7b0637c", ((4, 19), (64, 80)): "f23ff461529ad292",
    (20, (16, 16)): "26d19637e7163c8c", ((4, 21), (90, 60)): "37a1a7968aee07e9",
    ((4, 22), (112, 112)): "bd219db3b1e0a8b5", ((4, 23), (33, 47)): "b6841fd8f0e52c05",
}  # fmt: skip


# Of the first three scenes of 64 px.
TRAINING_HASHES = ["63dab99124502389", "db7646edfad6a556", "b8e02f9bc8338143"]
HELD_OUT_HASHES = ["c72c81022f236ae5", "41338c1f52d00131", "32580c1f6629c646"]


def scene_hash(scene):
    mentions = repr([(mention.concept, mention.tint) for mention in scene.mentions]).encode()
    return hashlib.sha256(scene.rgb.tobytes() + scene.labels.tobytes() + mentions).hexdigest()[:16]


def test_the_pixels_labels_and_mentions_of_a_seed_never_change():
    assert {(seed, hw): scene_hash(draw_scene(seed, hw)) for seed, hw in HASHES} == HASHES


def test_training_scenes_and_held_out_scenes_of_the_first_edition_never_change():
    assert [scene_hash(training_scene(1, index, (64, 64))) for index in range(3)] == TRAINING_HASHES
    assert [scene_hash(held_out_scene(index, (64, 64))) for index in range(3)] == HELD_OUT_HASHES


def test_the_same_seed_draws_the_same_pixels_and_another_does_not():
    first, again, other = draw_scene((4, 1), (64, 80)), draw_scene((4, 1), (64, 80)), draw_scene((4, 2), (64, 80))
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.labels, again.labels)
    assert first.mentions == again.mentions
    assert not np.array_equal(first.rgb, other.rgb)


def test_every_pixel_has_a_label_and_every_label_was_mentioned():
    for seed in range(30):
        scene = draw_scene((4, seed), (60, 90))
        assert scene.rgb.shape == (60, 90, 3)
        shown = {CONCEPTS[index].name for index in np.unique(scene.labels)}
        assert shown <= {mention.concept for mention in scene.mentions}


def test_all_concepts_are_drawn_and_there_are_enough_of_them():
    assert len(CONCEPTS) >= 24
    assert sum(concept.is_stuff for concept in CONCEPTS) >= 6
    assert {concept.name for concept in CONCEPTS if not concept.is_stuff} == set(things.THINGS)
    counts = sum(
        np.bincount(draw_scene((4, seed), (64, 64)).labels.ravel(), minlength=len(CONCEPTS)) for seed in range(120)
    )
    assert counts.min() > 0


def test_the_second_edition_keeps_the_labels_of_the_first_and_shows_all_concepts():
    assert ALL_CONCEPTS[:30] == CONCEPTS
    assert len(ALL_CONCEPTS) == 44
    assert [CONCEPT_INDEX[concept.name] for concept in ALL_CONCEPTS] == list(range(44))
    assert {concept.name for concept in MORE_CONCEPTS if not concept.is_stuff} == set(MORE_THINGS)
    shown = np.zeros(44)
    for seed in range(150):
        labels = draw_scene((4, seed), (64, 64), concepts=ALL_CONCEPTS).labels
        shown += np.bincount(labels.ravel(), minlength=44) >= 6
    assert shown.min() / 150 > 0.06, dict(zip(CONCEPT_INDEX, shown, strict=True))
    assert shown[30:].min() / 150 > 0.08


def test_scenes_of_the_first_edition_show_no_concept_of_the_second():
    for seed in range(60):
        scene = draw_scene((4, seed), (64, 64))
        assert scene.labels.max() < 30
        assert not {mention.concept for mention in scene.mentions} & {concept.name for concept in MORE_CONCEPTS}


def test_a_second_edition_scene_of_a_seed_is_always_the_same():
    first, again = (draw_scene((4, 1), (64, 80), concepts=ALL_CONCEPTS) for _ in range(2))
    assert scene_hash(first) == scene_hash(again)
    assert scene_hash(first) != scene_hash(draw_scene((4, 1), (64, 80)))


def test_tinted_things_of_the_second_edition_have_a_colour_word_and_the_others_have_none():
    more = ALL_TINTED - things.TINTED
    assert more == {"aeroplane", "butterfly", "tent", "train", "gift"}
    tints = {}
    for seed in range(60):
        for thing in draw_scene((4, seed), (48, 48), concepts=ALL_CONCEPTS).things:
            tints.setdefault(thing.concept, set()).add(thing.tint)
    assert {name for name, words in tints.items() if words != {None}} == ALL_TINTED
    assert all(words <= set(things.TINTS) for name, words in tints.items() if name in ALL_TINTED)


@pytest.mark.parametrize("name", sorted(MORE_THINGS))
def test_a_new_thing_is_painted_in_its_tint_only_if_captions_name_it(name):
    grid = square_grid(32, flip=False, rotation_rad=0.0)
    red, blue = (
        np.stack([part.colour for part in MORE_THINGS[name](grid, np.random.default_rng(0), things.shade(tint, 1))])
        for tint in (things.TINTS["red"], things.TINTS["blue"])
    )
    assert (red != blue).any() == (name in ALL_TINTED)


def test_no_word_or_colour_belongs_to_two_concepts():
    words = [word for concept in ALL_CONCEPTS for word in concept.words]
    assert len(words) == len(set(words))
    assert len({concept.colour for concept in ALL_CONCEPTS}) == len(ALL_CONCEPTS)


@pytest.mark.parametrize("name", sorted(ALL_THINGS))
def test_the_mask_of_a_thing_is_where_its_paint_is(name):
    rng = np.random.default_rng(0)
    grid = square_grid(64, flip=False, rotation_rad=0.0)
    parts = ALL_THINGS[name](grid, rng, things.shade(things.TINTS["red"], 1))
    covered = np.maximum.reduce([grid.cover(part.field) for part in parts])
    assert 0.05 < (covered >= 0.5).mean() < 0.95
    assert all(part.colour.shape == (3,) and part.colour.min() >= 0 and part.colour.max() <= 1 for part in parts)


@pytest.mark.parametrize("name", sorted(MORE_THINGS))
def test_most_of_a_new_thing_is_thicker_than_an_eighth_of_its_square(name):
    grid = square_grid(64, flip=False, rotation_rad=0.0)
    parts = MORE_THINGS[name](grid, np.random.default_rng(0), things.shade(things.TINTS["red"], 1))
    covered = np.maximum.reduce([grid.cover(part.field) for part in parts]) >= 0.5
    assert covered.mean() > 0.2
    windows = np.lib.stride_tricks.sliding_window_view(covered, (8, 8)).all((2, 3))  # whole 8 x 8 squares inside
    thick = np.zeros_like(covered)
    for row, column in np.argwhere(windows):
        thick[row : row + 8, column : column + 8] = True
    assert thick.sum() > 0.7 * covered.sum()


@pytest.mark.parametrize("name", [concept.name for concept in MORE_CONCEPTS])
def test_a_new_concept_differs_from_what_is_behind_it(name):
    """Its pixels are not those of the ground or sky around it: a neighbour of its edge has another colour."""
    seeds = (seed for seed in range(400) if name in mentioned_at(seed))
    scene = draw_scene((4, next(seeds)), (64, 64), concepts=ALL_CONCEPTS)
    mask = scene.labels == CONCEPT_INDEX[name]
    step = np.abs(scene.rgb[1:].astype(int) - scene.rgb[:-1]).max(2)
    edge = mask[1:] != mask[:-1]
    assert edge.any()
    assert np.median(step[edge]) > 20


def mentioned_at(seed):
    labels = draw_scene((4, seed), (64, 64), concepts=ALL_CONCEPTS).labels
    return {ALL_CONCEPTS[index].name for index in range(44) if (labels == index).sum() > 40}


def test_shapes_cover_the_area_that_geometry_says():
    grid = square_grid(200, flip=False, rotation_rad=0.0)
    share = {
        "ellipse": (ellipse(grid, (0, 0), (0.8, 0.5)), np.pi * 0.4 / 4),
        "box": (box(grid, (-0.5, -0.25), (0.5, 0.75)), 1 / 4),
        "triangle": (convex(grid, [(0, -1), (1, 1), (-1, 1)]), 2 / 4),
        "ring": (without(ellipse(grid, (0, 0), (0.9, 0.9)), ellipse(grid, (0, 0), (0.5, 0.5))), np.pi * 0.56 / 4),
        "two": (union(box(grid, (-1, -1), (-0.5, 0)), box(grid, (0.5, 0), (1, 1))), 1 / 4),
    }
    for name, (field, expected) in share.items():
        assert grid.cover(field).mean() == pytest.approx(expected, rel=0.02), name


def test_a_picture_is_lit_and_grainy_but_keeps_its_colours():
    scene = draw_scene((4, 3), (64, 64))
    sky = scene.rgb[scene.labels == CONCEPT_INDEX["sky"]] if (scene.labels == 0).any() else scene.rgb.reshape(-1, 3)
    assert 0 < sky.std() < 90


def test_region_phrases_use_the_concepts_own_words_in_the_frames():
    rng = np.random.default_rng(0)
    boat = CONCEPT_INDEX["boat"]
    phrases = {region_phrase(boat, rng) for _ in range(200)}
    known = {template.format(word) for template in REGION_TEMPLATES for word in CONCEPTS[boat].words}
    assert phrases <= known
    assert {"boat", "sailing ship"} <= phrases


def test_the_ground_of_a_thing_is_the_stuff_right_under_it():
    grass, sky, ball = (CONCEPT_INDEX[name] for name in ("grass", "sky", "ball"))
    labels = np.full((64, 64), sky, np.uint8)
    labels[32:] = grass
    canvas = _Canvas(np.zeros((64, 64, 3), np.float32), labels, np.zeros((64, 64), np.uint8))
    rng = np.random.default_rng(0)
    _draw_thing(canvas, rng, "ball", (40, 20), 20)  # on the grass
    _draw_thing(canvas, rng, "ball", (12, 45), 20)  # in front of the sky
    _draw_thing(canvas, rng, "ball", (30, 20), 20)  # on the first ball
    _draw_thing(canvas, rng, "ball", (62, 50), 20)  # its lower half is outside
    _draw_thing(canvas, rng, "ball", (300, 50), 20)  # all of it is outside
    assert [thing.ground for thing in canvas.things] == ["grass", None, None, "grass"]
    assert canvas.things[0].centre == (40 / 64, 20 / 64)
    assert canvas.things[0].side == 20 / 64
    shown = canvas.visible_things()
    assert shown[0].visible_px < canvas.things[0].visible_px  # the third ball hides part of it
    assert [thing.visible_px for thing in shown[1:]] == [thing.visible_px for thing in canvas.things[1:]]
    assert sum(thing.visible_px for thing in shown) == (labels == ball).sum()


def test_things_agree_with_mentions_and_labels():
    grounds = set()
    for seed in range(30):
        scene = draw_scene((4, seed), (60, 90))
        mentioned = [m for m in scene.mentions if not CONCEPTS[CONCEPT_INDEX[m.concept]].is_stuff]
        assert [Mention(thing.concept, thing.tint) for thing in scene.things] == mentioned
        for name in {thing.concept for thing in scene.things}:
            same = [thing for thing in scene.things if thing.concept == name]
            rows, columns = np.nonzero(scene.labels == CONCEPT_INDEX[name])
            assert sum(thing.visible_px for thing in same) == len(rows)
            if len(same) == 1 and len(rows):
                (row, column), half = same[0].centre, same[0].side * 60 / 2 + 1
                assert row * 60 - half <= rows.min() <= rows.max() <= row * 60 + half
                assert column * 90 - half <= columns.min() <= columns.max() <= column * 90 + half
        grounds |= {thing.ground for thing in scene.things}
    assert grounds == {None, "grass", "sand", "sea", "snow", "road"}


def test_things_stand_on_the_grounds_of_the_second_edition_too():
    scenes = [draw_scene((4, seed), (48, 48), concepts=ALL_CONCEPTS) for seed in range(60)]
    grounds = {thing.ground for scene in scenes for thing in scene.things}
    assert grounds == {None, "grass", "sand", "sea", "snow", "road", "soil", "floor"}
