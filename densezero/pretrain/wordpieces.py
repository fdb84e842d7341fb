"""Trains the SentencePiece vocabulary of the small model on its captions."""

from __future__ import annotations

import io
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from densezero.atomic import write_bytes
from densezero.errors import InputError
from densezero.pretrain.captions import REGION_TEMPLATES, SceneContent, alt_text, long_text, short_text
from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPT_INDEX, CONCEPTS, Concept
from densezero.pretrain.more_things import ALL_TINTED
from densezero.pretrain.scenes import Mention, PlacedThing
from densezero.pretrain.things import TINTS

VOCAB_SIZE = 512


def train_wordpieces(model_file: Path, seed: int = 0, *, concepts: tuple[Concept, ...] = CONCEPTS) -> None:
    """Write a SentencePiece model of byte pairs for the captions of drawn scenes.

    Args:
        model_file: the file to write.
        seed: chooses the captions that it is trained on.
        concepts: what the scenes can show, as for ``draw_scene``. Words of other concepts are split into letters.
    """
    # unigram splits "the": it ignores words that are not part of a second word
    train_tokenizer(model_file, _corpus(seed, concepts), VOCAB_SIZE, kind="bpe")


def train_tokenizer(model_file: Path, lines: Sequence[str], vocab_size: int, kind: str = "unigram") -> None:
    """Write a SentencePiece model. Every letter, digit and mark is a piece, so no word is unknown.

    Args:
        model_file: the file to write.
        lines: texts to learn from; they are lower-cased.
        vocab_size: the most pieces; few texts give fewer.
        kind: ``"unigram"`` or ``"bpe"``.

    Raises:
        InputError: if the texts cannot be learned from.
    """
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    letters = [" ".join(string.ascii_lowercase + string.digits + ".,-'&/()")] * 20
    try:
        SentencePieceTrainer.Train(
            sentence_iterator=iter([line.lower() for line in (*letters, *lines)]),
            model_writer=model,
            model_type=kind,
            split_digits=True,
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"Expected captions that a tokenizer can be trained on; {len(lines)} texts gave: {error}"
        ) from None
    write_bytes(model_file, model.getvalue())


def _corpus(seed: int, concepts: tuple[Concept, ...]) -> list[str]:
    rng = np.random.default_rng(seed)
    words = [word for concept in concepts for word in concept.words]
    lines = [template.format(word) for template in REGION_TEMPLATES for word in words]
    for _ in range(2000):
        drawn = [concepts[i].name for i in rng.integers(0, len(concepts), 5)]
        tints = [str(rng.choice(list(TINTS))) if name in ALL_TINTED else None for name in drawn]
        mentions = tuple(Mention(name, tint) for name, tint in zip(drawn, tints, strict=True))
        content = _random_content(mentions, concepts, rng)
        lines += [write(content, rng) for write in (alt_text, short_text, long_text)]
    return lines


def _random_content(
    mentions: tuple[Mention, ...], concepts: tuple[Concept, ...], rng: np.random.Generator
) -> SceneContent:
    """Give the things among the mentions a random place, side and ground."""
    stuff = tuple(m.concept for m in mentions if ALL_CONCEPTS[CONCEPT_INDEX[m.concept]].is_stuff)
    grounds = [concept.name for concept in concepts if concept.place == "below"]
    things = tuple(
        PlacedThing(
            concept=m.concept,
            tint=m.tint,
            centre=(rng.random(), rng.random()),
            side=rng.uniform(0.1, 0.5),
            ground=grounds[rng.integers(len(grounds))] if rng.random() < 0.6 else None,
            visible_px=100,
        )
        for m in mentions
        if m.concept not in stuff
    )
    return SceneContent(things, stuff)
