import numpy as np
import pytest

from densezero.pretrain import things
from densezero.pretrain.captions import REGION_TEMPLATES, long_caption, region_phrase, short_caption, visible_mentions
from densezero.pretrain.concepts import CONCEPT_INDEX, CONCEPTS
from densezero.pretrain.scenes import Mention, draw_scene
from densezero.pretrain.shapes import box, convex, ellipse, square_grid, union, without


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
