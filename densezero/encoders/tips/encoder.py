"""TIPS towers behind the common interface."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder, stretch_to_patch
from densezero.encoders.digest import file_sha256
from densezero.encoders.readouts import READOUTS
from densezero.encoders.tips.checkpoint import TensorFile
from densezero.encoders.tips.config import TextConfig
from densezero.encoders.tips.layout import TEMPERATURE
from densezero.encoders.tips.text import TextTower
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.encoders.tips.vision import VisionTower
from densezero.errors import ModelError

TEXT_BATCH = 256


@dataclass(frozen=True)
class TowerSource:
    """Where a tower's tensors lie: a file, and the prefix of their names in it."""

    tensors: TensorFile
    prefix: str = ""


class TipsEncoder(DenseEncoder):
    """A TIPS model: the vision tower at hand, the text tower read from its file when a text first comes.

    Args:
        name: as reports name the model.
        vision: vision tower with its weights, on its device and in its type.
        text: text tower without weights.
        text_source: where the text tower's weights lie.
        tokenizer_file: SentencePiece model.
        temperature: of the contrastive loss.
        weight_files: what ``weights_hash`` covers.
        device: where the vision tower lies.
        dtype: numeric type that it computes in.
        note: a line the user should read.
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
        self.name = name
        self.vision = vision.eval().requires_grad_(False)
        self.patch_px = vision.config.patch_px
        self.native_px = vision.config.native_px
        self.width = vision.config.width
        self.temperature = temperature
        self.device = device
        self.dtype = dtype
        self.readouts = tuple(READOUTS)
        self._empty_text = text
        self._text_source = text_source
        self._tokenizer_file = tokenizer_file
        self._weight_files = weight_files
        self._note = note

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the digests of the weight files and the tokenizer, in order."""
        digests = [file_sha256(file) for file in (*self._weight_files, self._tokenizer_file)]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @property
    def note(self) -> str | None:
        """One line that a user should read before trusting the results; None for the published models."""
        return self._note

    @torch.inference_mode()
    def encode_dense(self, pixels: Tensor, readout: str = "value") -> Tensor:
        """Encode (B, 3, h, w) in [0, 1] into (B, gh, gw, D) float32 patch features."""
        stretched = stretch_to_patch(pixels.to(self.device), self.patch_px)
        return self.vision(stretched, readout).grid.float()  # type: ignore[no-any-return]

    @torch.inference_mode()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Encode N prompts into (N, D) float32 embeddings; prompts of like length are encoded together."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        embeddings = torch.empty(len(prompts), self.width, device=self.device)
        for start in range(0, len(order), TEXT_BATCH):
            chosen = order[start : start + TEXT_BATCH]
            tokens = self.tokenizer([prompts[index] for index in chosen])
            embeddings[chosen] = self.text(tokens.ids.to(self.device), tokens.paddings.to(self.device))
        return embeddings

    def release_text(self) -> None:
        """Let go of the text tower's weights, which are read again when a text comes."""
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
        """The text tower, float32."""
        tensors = self._text_source.tensors.load(self._text_source.prefix, self.device, torch.float32)
        tensors.pop(TEMPERATURE, None)
        self._empty_text.load_state_dict(tensors, assign=True)
        return self._empty_text.eval().requires_grad_(False)
