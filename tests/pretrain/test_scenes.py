import hashlib

import numpy as np
import pytest

from densezero.pretrain import things
from densezero.pretrain.captions import REGION_TEMPLATES, long_caption, region_phrase, short_caption, visible_mentions
from densezero.pretrain.concepts import CONCEPT_INDEX, CONCEPTS
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


def test_the_pixels_labels_and_mentions_of_a_seed_never_change():
    found = {}
    for seed, hw in HASHES:
        scene = draw_scene(seed, hw)
        mentions = repr([(mention.concept, mention.tint) for mention in scene.mentions]).encode()
        found[seed, hw] = hashlib.sha256(scene.rgb.tobytes() + scene.labels.tobytes() + mentions).hexdigest()[:16]
    assert found == HASHES


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


def test_no_word_belongs_to_two_concepts():
    words = [word for concept in CONCEPTS for word in concept.words]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("name", sorted(things.THINGS))
def test_the_mask_of_a_thing_is_where_its_paint_is(name):
    rng = np.random.default_rng(0)
    grid = square_grid(64, flip=False, rotation_rad=0.0)
    parts = things.THINGS[name](grid, rng, things.shade(things.TINTS["red"], 1))
    covered = np.maximum.reduce([grid.cover(part.field) for part in parts])
    assert 0.05 < (covered >= 0.5).mean() < 0.95
    assert all(part.colour.shape == (3,) and part.colour.min() >= 0 and part.colour.max() <= 1 for part in parts)


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


def test_captions_name_what_is_there():
    rng = np.random.default_rng(0)
    mentions = (Mention("sky"), Mention("grass"), Mention("car", "red"), Mention("tree"), Mention("tree"))
    long = long_caption(mentions, rng)
    assert all(part in long for part in ("a red car", "two trees", "the sky", "the grass"))
    shorts = {short_caption(mentions, np.random.default_rng(seed)) for seed in range(40)}
    assert len(shorts) > 5
    assert max(len(short.split(" and ")) for short in shorts) == 2


def test_region_phrases_use_the_concepts_own_words_in_the_frames():
    rng = np.random.default_rng(0)
    boat = CONCEPT_INDEX["boat"]
    phrases = {region_phrase(boat, rng) for _ in range(200)}
    known = {template.format(word) for template in REGION_TEMPLATES for word in CONCEPTS[boat].words}
    assert phrases <= known
    assert {"boat", "sailing ship"} <= phrases


def test_what_is_hidden_is_not_mentioned():
    scene = draw_scene((4, 5), (64, 64))
    counts = np.bincount(scene.labels.ravel(), minlength=len(CONCEPTS))
    assert all(counts[CONCEPT_INDEX[mention.concept]] >= 12 for mention in visible_mentions(scene))
    assert visible_mentions(scene, least_px=64 * 64 + 1) == ()


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
