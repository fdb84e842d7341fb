"""The TIPS tokenizer: lower case, SentencePiece, at most 64 pieces, no start or end piece."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.errors import ModelError

MAX_TOKENS = 64  # the longest texts that the published text towers were trained with


class Tokens(NamedTuple):
    """Piece ids (N, T) int64 and paddings (N, T) float32, 1 where a position is padding."""

    ids: Tensor
    paddings: Tensor


class Tokenizer:
    """Turns texts into padded piece ids with a SentencePiece model file.

    Raises:
        ModelError: if the file is missing or is not a SentencePiece model.
    """

    def __init__(self, model_file: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        if not model_file.is_file():
            raise ModelError(
                f"Expected the SentencePiece model {model_file}; it is missing. "
                "Put the published tokenizer.model beside the weights."
            )
        self._processor = SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model_file.read_bytes())
        except (RuntimeError, OSError) as error:
            raise ModelError(
                f"{model_file} cannot be read as a SentencePiece model ({type(error).__name__}). "
                "Download it again; a complete tokenizer.model of the published models has about 800 kB."
            ) from None

    @property
    def vocab_size(self) -> int:
        """Number of pieces."""
        return int(self._processor.GetPieceSize())

    def __call__(self, texts: Sequence[str], length: int | None = None) -> Tokens:
        """Tokenise texts; longer ones are cut after 64 pieces.

        Args:
            texts: N texts.
            length: number of positions T; None takes that of the longest text, at least 1. The text tower masks the
                padding, so T does not change an embedding.

        Raises:
            ModelError: if a text contains an incomplete character, for example a byte that its encoding does not have.
        """
        pieces = [self._encode(text)[:MAX_TOKENS] for text in texts]
        positions = length or max([len(row) for row in pieces], default=1) or 1
        ids = torch.zeros(len(pieces), positions, dtype=torch.int64)
        paddings = torch.ones(len(pieces), positions)
        for row, ids_of_text in enumerate(pieces):
            kept = ids_of_text[:positions]
            ids[row, : len(kept)] = torch.tensor(kept, dtype=torch.int64)
            paddings[row, : len(kept)] = 0
        return Tokens(ids, paddings)

    def _encode(self, text: str) -> list[int]:
        try:
            return list(self._processor.EncodeAsIds(text.lower()))
        except (RuntimeError, UnicodeError):
            raise ModelError(
                f"Expected a text of whole characters; got {text!r}, which cannot be encoded. "
                "Correct the encoding of its file."
            ) from None
