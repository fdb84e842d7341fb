import re

import numpy as np
import pytest

from densezero.encoders.tips import Tokenizer
from densezero.pretrain.captions import (
    ALT_AFTER,
    ALT_BEFORE,
    LONG_OPENINGS,
    SceneContent,
    alt_text,
    long_text,
    region_phrase,
    short_text,
    visible_content,
)
from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPTS
from densezero.pretrain.scenes import PlacedThing, draw_scene
from densezero.pretrain.things import TINTS
from densezero.pretrain.wordpieces import train_wordpieces

KINDS = (alt_text, short_text, long_text)
NAME_OF_WORD = {word: concept.name for concept in ALL_CONCEPTS for word in concept.words}
NAME_OF_WORD |= {f"{concept.name}s": concept.name for concept in ALL_CONCEPTS}
NAME_OF_WORD |= {"cacti": "cactus", "butterflies": "butterfly"}
WORDS = re.compile(
    rf"\b(?:({'|'.join(TINTS)}) )?({'|'.join(sorted(NAME_OF_WORD, key=len, reverse=True))})\b"  # long ones first
)


@pytest.fixture(scope="module")
def contents():
    """Of 40 scenes of each edition."""
    editions = CONCEPTS, ALL_CONCEPTS
    return [visible_content(draw_scene((5, seed), (96, 96), concepts=c)) for c in editions for seed in range(40)]


def named(text):
    """The concepts in a text, each with the colour word before it, or None."""
    return {(NAME_OF_WORD[word], tint or None) for tint, word in WORDS.findall(text)}


def placed(concept, tint=None, centre=(0.5, 0.5), side=0.3, ground=None):
    return PlacedThing(concept, tint, centre, side, ground, 100)


@pytest.mark.parametrize("write", KINDS)
def test_captions_name_only_what_is_visible_in_its_colour(write, contents):
    rng = np.random.default_rng(0)
    for content in contents:
        visible = {thing.concept for thing in content.things} | set(content.stuff)
        tinted = {(thing.concept, thing.tint) for thing in content.things}
        for _ in range(10):
            text = write(content, rng)
            assert named(text), text
            for concept, tint in named(text):
                assert concept in visible, text
                assert tint is None or (concept, tint) in tinted, text


def test_hidden_things_are_no_content():
    for seed in range(30):
        scene = draw_scene((5, seed), (64, 64))
        content = visible_content(scene)
        assert all(thing.visible_px >= 12 for thing in content.things)
        assert set(content.things) <= set(scene.things)
    assert visible_content(scene, least_px=64 * 64 + 1) == ((), ())


def test_a_long_text_by_hand():
    car = placed("car", "red", centre=(0.8, 0.2), side=0.4, ground="road")
    moon = placed("moon", centre=(0.7, 0.6), side=0.2)
    text = long_text(SceneContent((car, moon), ("sky", "road")), np.random.default_rng(0))
    opening, relation = text.removesuffix(".").split(". ")
    begin = next(begin for begin in LONG_OPENINGS if opening.startswith(begin))
    things, stuff = opening.removeprefix(f"{begin} ").split(" with ")
    assert set(things.split(", ")) == {"a large red car on the road", "a small moon"}
    assert stuff == "the sky and the road"
    assert relation in ("the red car is left of the moon", "the moon is right of the red car")


def test_relations_follow_the_centres_and_close_things_have_none():
    ball, kite = placed("ball", "blue", centre=(0.9, 0.5)), placed("kite", "pink", centre=(0.1, 0.55))
    text = long_text(SceneContent((ball, kite), ("sky",)), np.random.default_rng(1))
    assert "the blue ball is below the pink kite." in text or "the pink kite is above the blue ball." in text
    near = kite._replace(centre=(0.8, 0.5))
    assert " is " not in long_text(SceneContent((ball, near), ("sky",)), np.random.default_rng(1))


def test_equal_things_are_counted_and_have_no_relation():
    fish = placed("fish", "grey", centre=(0.5, 0.1), ground="sea")
    content = SceneContent((fish, fish._replace(centre=(0.5, 0.9))), ("sea",))
    assert "two grey fish in the sea with the sea." in long_text(content, np.random.default_rng(0))
    assert " is " not in long_text(content, np.random.default_rng(0))


def test_articles_and_plurals():
    def short(*things, stuff=()):
        return short_text(SceneContent(things, stuff), np.random.default_rng(0))

    assert short(placed("umbrella", "red")) == "a red umbrella"
    assert short(placed("ball", "orange")) == "an orange ball"
    assert short(placed("cactus"), placed("cactus")) == "two cacti"
    assert short(*[placed("fish", "red")] * 6) == "many red fish"
    assert short(placed("sheep"), placed("sheep")) == "two sheep"
    assert short(*[placed("butterfly", "blue")] * 3) == "three blue butterflies"
    assert short(placed("aeroplane", "orange")) == "an orange aeroplane"
    assert short(stuff=("soil",)) == "the soil"


def test_a_short_text_names_one_or_two_of_what_is_there():
    content = SceneContent((placed("car", "red"), placed("tree"), placed("tree")), ("sky", "grass"))
    texts = {short_text(content, np.random.default_rng(seed)) for seed in range(60)}
    parts = [text.split(" and ") for text in texts]
    assert {part for words in parts for part in words} == {"a red car", "two trees", "the sky", "the grass"}
    assert {len(words) for words in parts} == {1, 2}


def test_alt_texts_are_poor():
    car, tree = placed("car", "red"), placed("tree")
    rng = np.random.default_rng(0)
    texts = [alt_text(SceneContent((car, tree), ("sky",)), rng) for _ in range(400)]
    assert any("automobile" in text for text in texts)
    colourless = [text for text in texts if named(text) & {("car", None)}]
    assert 0.3 < len(colourless) / sum("car" in text or "automobile" in text for text in texts) < 0.7
    useless = re.compile("|".join(part.replace("{}", "[0-9]+") for part in (*ALT_BEFORE, *ALT_AFTER)))
    assert 0.4 < np.mean([bool(useless.search(text)) for text in texts]) < 0.6
    assert max(len(named(text)) for text in texts) == 2


def test_a_scene_without_things_has_captions():
    content = SceneContent((), ("sky", "sea"))
    for write in KINDS:
        assert named(write(content, np.random.default_rng(0))) <= {("sky", None), ("sea", None)}


def test_captions_have_no_unknown_pieces_and_nearly_all_fit_into_the_text_tower(tmp_path, contents):
    train_wordpieces(tmp_path / "tokenizer.model", concepts=ALL_CONCEPTS)
    tokenizer = Tokenizer(tmp_path / "tokenizer.model")
    rng = np.random.default_rng(0)
    for write in KINDS:
        pieces = [tokenizer._processor.EncodeAsIds(write(content, rng)) for content in contents for _ in range(5)]
        assert not any(tokenizer._processor.unk_id() in row for row in pieces)
        assert np.mean([len(row) <= 64 for row in pieces]) > 0.95


def test_the_tokenizer_of_the_second_edition_has_a_piece_for_nearly_every_name(tmp_path):
    train_wordpieces(tmp_path / "all.model", concepts=ALL_CONCEPTS)
    pieces = Tokenizer(tmp_path / "all.model")._processor
    for index, concept in enumerate(ALL_CONCEPTS):
        for text in (*concept.words, region_phrase(index, np.random.default_rng(index))):
            assert pieces.unk_id() not in pieces.EncodeAsIds(text), text
    whole = [concept.name for concept in ALL_CONCEPTS if len(pieces.EncodeAsIds(concept.name)) == 1]
    assert len(whole) >= 40


def test_the_tokenizer_of_the_first_edition_learns_from_its_own_words_alone(tmp_path):
    train_wordpieces(tmp_path / "first.model")
    pieces = Tokenizer(tmp_path / "first.model")._processor
    assert len(pieces.EncodeAsIds("mushroom")) == 1
    assert len(pieces.EncodeAsIds("windmill")) > 2
