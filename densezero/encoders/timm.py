"""The ViTs of timm as encoders of images only. Only this module imports timm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder, stretch_to_patch
from densezero.encoders.blocks import BlockFeatures, find_blocks, split_tokens
from densezero.encoders.device import pick_device, pick_dtype, pixels_at_once, plain_torch
from densezero.encoders.hub import offline_if_unreachable
from densezero.encoders.readouts import find_readout
from densezero.encoders.timm_trunk import TimmTrunk
from densezero.encoders.weights import (
    RANDOM,
    RANDOM_NOTE,
    as_channels,
    facts_sha256,
    first_line,
    fixed_seed,
    weights_sha256,
)
from densezero.errors import ModelError, did_you_mean

PREFIX = "timm:"


class TimmEncoder(DenseEncoder):
    """A vision transformer of timm: patch tokens after its final norm, no text.

    Args:
        name: the model's name in reports.
        model: a timm model with its weights, on the CPU, in float32.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        note: one line that the user should read.
    """

    def __init__(
        self, name: str, model: Any, device: str = "auto", dtype: str = "auto", note: str | None = None
    ) -> None:
        self.name = name
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self._model = model.eval().requires_grad_(False)
        self._note = note
        if self.dtype != torch.float32:
            _ = self.weights_hash  # of the published weights, which the next line rounds
        self._trunk = TimmTrunk(self._model.to(self.device, self.dtype), name)
        self.batch_pixels = pixels_at_once(self.device)
        self.readouts, self.depth = self._trunk.readouts, self._trunk.depth
        self.patch_px = self._trunk.patch_px
        self.native_px = self._trunk.native_hw[0]
        self.width = int(model.num_features)
        self.temperature = None
        self._mean = as_channels(model.pretrained_cfg["mean"], self.device)
        self._std = as_channels(model.pretrained_cfg["std"], self.device)

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over all tensors of the model, its architecture's name and the pixel statistics."""
        known = self._model.pretrained_cfg
        facts = {
            "tensors": weights_sha256(self._model.state_dict()),
            "architecture": known["architecture"],
            "mean": list(known["mean"]),
            "std": list(known["std"]),
        }
        return facts_sha256(facts)

    @property
    def has_text(self) -> bool:
        """No: timm's models have no text tower."""
        return False

    @property
    def note(self) -> str | None:
        """One line that the user should read before using the results; None for pretrained weights."""
        return self._note

    @plain_torch()
    def encode_dense(self, pixels: Tensor, readout: str = "value") -> Tensor:
        """Encode (B, 3, h, w) in [0, 1] into (B, gh, gw, D) float32 patch features."""
        how = find_readout(readout, self.readouts, self.name)
        return self._trunk.tokens(self._normed(pixels), how).float()

    @plain_torch()
    def encode_blocks(self, pixels: Tensor, blocks: Sequence[int]) -> list[BlockFeatures]:
        """Encode (B, 3, h, w) in [0, 1] once into the features after several blocks; see ``DenseEncoder``."""
        numbers, trunk = find_blocks(blocks, self.depth), self._trunk
        normed = self._normed(pixels)
        grid_hw = (normed.shape[2] // self.patch_px, normed.shape[3] // self.patch_px)
        found = trunk.block_tokens(normed, numbers)
        return [split_tokens(tokens, trunk.prefix, grid_hw, has_cls=trunk.has_cls) for tokens in found]

    def encode_text(self, prompts: Sequence[str]) -> Tensor:  # noqa: ARG002 - the interface's own signature
        """Refuse: there is no text tower."""
        raise ModelError(
            f"{self.name} encodes images only; it has no text tower. For class names take an image-text encoder, "
            "for example tipsv2-l14 or open_clip:ViT-B-16/openai; or leave the words out, and show each class by an "
            "example (--example)."
        )

    def _normed(self, pixels: Tensor) -> Tensor:
        """Stretch and normalise pixels for the model."""
        stretched = stretch_to_patch(pixels, self.patch_px).to(self.device)
        return ((stretched - self._mean) / self._std).to(self.dtype)

    def _move(self, device: torch.device) -> None:
        self._model.to(device)
        self._trunk.forget_sizes()
        self._mean, self._std = self._mean.to(device), self._std.to(device)


@plain_torch(inference=False)
def load_timm(name: str, device: str = "auto", dtype: str = "auto") -> TimmEncoder:
    """Load ``timm:MODEL``, ``timm:MODEL.TAG`` or ``timm:MODEL/random``.

    Raises:
        ModelError: if timm cannot be imported, does not know the model or the weights, or cannot load them, or if the
            model is not a ViT.
    """
    model, random = _parse(name)
    note = RANDOM_NOTE.format(name=name) if random else None
    return TimmEncoder(name, _create(model, random), device, dtype, note)


def describe_timm(name: str) -> dict[str, str]:
    """Say what timm knows of a model, without building or downloading it.

    Raises:
        ModelError: if timm cannot be imported, or does not know the model or the weights.
    """
    model, random = _parse(name)
    facts = {"name": name, "what": "encoder of images only, through timm"}
    if random:
        return {**facts, "weights": RANDOM_NOTE.format(name=name)}
    known = _timm().models.get_pretrained_cfg(model)
    return {
        **facts,
        "licence": known.license or "not stated",
        "repository": _repository(known, model) or known.url or "not stated",
        "native side": f"{known.input_size[-1]} px",
    }


def repository_of(name: str) -> str | None:
    """Hub repository that has a model's weights, if any.

    Raises:
        ModelError: as ``describe_timm``.
    """
    model, random = _parse(name)
    return None if random else _repository(_timm().models.get_pretrained_cfg(model), model)


def _repository(known: Any, model: str) -> str | None:
    repository: str = known.hf_hub_id or ""
    if not repository.endswith("/"):  # timm adds the model's name to the name of its account
        return repository or None
    return f"{repository}{model if '.' in model else f'{model}.{known.tag}'}"


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise ModelError(
            "Models named timm:... need the library timm, which cannot be imported. "
            "Repair the installation: pip install --upgrade densezero timm"
        ) from None
    return timm


def _parse(name: str) -> tuple[str, bool]:
    """Split a name into timm's own name and whether the weights are random."""
    timm = _timm()
    model, _, weights = name.removeprefix(PREFIX).partition("/")
    architecture = model.partition(".")[0]
    if not timm.is_model(architecture):
        raise ModelError(f"timm has no model {architecture!r}. {did_you_mean(architecture, timm.list_models())}")
    if weights not in ("", RANDOM):
        raise ModelError(f"Expected {PREFIX}{model} or {PREFIX}{model}/{RANDOM}; got {name!r}.")
    if weights == RANDOM:
        return architecture, True
    tagged = timm.list_pretrained(f"{architecture}.*")
    if not tagged or ("." in model and model not in tagged):
        known = did_you_mean(model, tagged) if tagged else "It has none for this model."
        raise ModelError(
            f"timm has no weights {model!r}. {known} {PREFIX}{architecture}/{RANDOM} has untrained ones, to try a "
            "command."
        )
    return model, False


def _create(model: str, random: bool) -> Any:
    timm = _timm()
    if random:
        with fixed_seed():
            return timm.create_model(model, pretrained=False, num_classes=0)
    try:
        with offline_if_unreachable():
            return timm.create_model(model, pretrained=True, num_classes=0)
    except Exception as error:  # the hub's and its transport's own exceptions come through
        raise ModelError(
            f"The weights of {PREFIX}{model} cannot be loaded ({first_line(error)}). "
            f"Connect once and run `densezero models download {PREFIX}{model}`. "
            f"{PREFIX}{model.partition('.')[0]}/{RANDOM} has untrained weights, to try a command."
        ) from None
