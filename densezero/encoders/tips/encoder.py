"""TIPS towers behind the common interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from densezero.encoders.device import plain_torch
from densezero.encoders.file_hash import file_sha256
from densezero.encoders.tips.config import TextConfig
from densezero.encoders.tips.image_encoder import TipsImageEncoder
from densezero.encoders.tips.read_weights import TowerSource
from densezero.encoders.tips.text import TextTower
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.encoders.tips.vision import VisionTower
from densezero.encoders.weights import facts_sha256
from densezero.errors import ModelError

TEXT_BATCH = 256


class TipsEncoder(TipsImageEncoder):
    """A TIPS model. Its vision tower is in memory; the text tower is read from its file at the first text.

    Args:
        name: the model's name in reports.
        vision: vision tower with its weights, on its device and in its numeric type.
        text: text tower without weights.
        text_source: where the text tower's weights are stored.
        tokenizer_file: SentencePiece model.
        temperature: of the contrastive loss.
        weight_files: the files of both towers, for the hash.
        device: where the vision tower is.
        dtype: numeric type that the vision tower computes in.
        note: one line that the user should read.
    """

    def __init__(
        self,
        name: str,
        vision: VisionTower,
        text: TextTower,
        text_source: TowerSource,
        tokenizer_file: Path,
        temperature: float | None,
        weight_files: tuple[Path, ...],
        device: torch.device,
        dtype: torch.dtype,
        note: str | None = None,
    ) -> None:
        super().__init__(name, vision, weight_files, device, dtype)
        self.temperature = temperature
        self._empty_text = text
        self._text_source = text_source
        self._tokenizer_file = tokenizer_file
        self._note = note

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the weight files, the tokenizer, the sizes and heads of both towers, and the temperature."""
        facts = {
            "weights": [file_sha256(file) for file in self._weight_files],
            "tokenizer": file_sha256(self._tokenizer_file),
            "vision": asdict(self.vision.config),
            "text": asdict(self.text_config),
            "temperature": self.temperature,
        }
        return facts_sha256(facts)

    @property
    def has_text(self) -> bool:
        """True."""
        return True

    @property
    def note(self) -> str | None:
        """One line that a user should read before trusting the results; None for the published models."""
        return self._note

    @plain_torch()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Encode N prompts into (N, D) float32 embeddings; prompts of about the same length are encoded together."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        embeddings = torch.empty(len(prompts), self.width, device=self.device)
        for start in range(0, len(order), TEXT_BATCH):
            chosen = order[start : start + TEXT_BATCH]
            tokens = self.tokenizer([prompts[index] for index in chosen])
            embeddings[chosen] = self.text(tokens.ids.to(self.device), tokens.paddings.to(self.device))
        return embeddings

    def release_text(self) -> None:
        """Free the text tower's weights; the next text reads them again."""
        if self.__dict__.pop("text", None) is not None:
            self._empty_text.to("meta")

    @property
    def text_config(self) -> TextConfig:
        """Sizes of the text tower, known before its weights are read."""
        return self._empty_text.config

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The SentencePiece tokenizer."""
        tokenizer = Tokenizer(self._tokenizer_file)
        if tokenizer.vocab_size > self._empty_text.config.vocab_size:
            raise ModelError(
                f"{self._tokenizer_file} has {tokenizer.vocab_size} pieces, the text tower knows "
                f"{self._empty_text.config.vocab_size}: they belong to two different models."
            )
        return tokenizer

    @cached_property
    def text(self) -> TextTower:
        """The text tower, float32, on the encoder's device; its weights are read at the first text."""
        with plain_torch(inference=False):
            tower = self._empty_text
            tower.load_state_dict(
                self._text_source.tensors.load(self._text_source.prefix, tower.state_dict()), assign=True
            )
            return tower.to(self.device).eval().requires_grad_(False)

    def _move(self, device: torch.device) -> None:
        super()._move(device)
        if "text" in self.__dict__:
            self.text.to(device)
