"""Trains the SentencePiece vocabulary of the small model on its captions."""

from __future__ import annotations

import io
import string
from pathlib import Path

import numpy as np

from densezero.pretrain.captions import REGION_TEMPLATES, long_caption, short_caption
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import Mention
from densezero.pretrain.things import TINTED, TINTS

VOCAB_SIZE = 512


def train_wordpieces(model_file: Path, seed: int = 0) -> None:
    """Write a unigram SentencePiece model. Every letter, digit and mark is a piece, so no word is unknown."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.Train(
        sentence_iterator=iter(_corpus(seed)),
        model_writer=model,
        vocab_size=VOCAB_SIZE,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    model_file.write_bytes(model.getvalue())


def _corpus(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    words = [word for concept in CONCEPTS for word in concept.words]
    lines = [template.format(word) for template in REGION_TEMPLATES for word in words]
    lines += [" ".join(string.ascii_lowercase + string.digits + ".,-'&/()")] * 20
    for _ in range(2000):
        drawn = [CONCEPTS[i].name for i in rng.integers(0, len(CONCEPTS), 5)]
        tints = [str(rng.choice(list(TINTS))) if name in TINTED else None for name in drawn]
        mentions = tuple(Mention(name, tint) for name, tint in zip(drawn, tints, strict=True))
        lines += [short_caption(mentions, rng), long_caption(mentions, rng)]
    return [line.lower() for line in lines]
