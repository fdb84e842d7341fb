"""The models of open_clip as dense image-text encoders. Only this module imports open_clip."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder, stretch_to_patch
from densezero.encoders.blocks import BlockFeatures, find_blocks
from densezero.encoders.clip_tokenizer import TextTokenizer, WrappedTokenizer, tokenizer_sha256
from densezero.encoders.clip_towers import read_tower
from densezero.encoders.device import pick_device, pick_dtype, pixels_at_once, plain_torch
from densezero.encoders.hub import offline_if_unreachable
from densezero.encoders.readouts import find_readout
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

PREFIX = "open_clip:"
TEXT_BATCH = 256


class OpenClipEncoder(DenseEncoder):
    """An open_clip model: patch features in the same space as its text embeddings.

    Args:
        name: the model's name in reports.
        model: open_clip model with its weights, on the CPU, in float32.
        load_tokenizer: gives the model's tokenizer; called at the first text.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``, of the vision tower.
        note: one line that the user should read.
        config: the configuration that the model was made with, for its hash.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        load_tokenizer: Callable[[], TextTokenizer],
        device: str = "auto",
        dtype: str = "auto",
        note: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self._model = model.eval().requires_grad_(False)
        self._load_tokenizer = load_tokenizer
        self._note = note
        self._config = config or {}
        self._tower = read_tower(model.visual, name)
        self._mean = as_channels(model.visual.image_mean, self.device)
        self._std = as_channels(model.visual.image_std, self.device)
        if self.dtype != torch.float32:
            _ = self.weights_hash  # of the published weights, which the next lines round
        self._model.to(self.device)
        self._model.visual.to(self.dtype)
        self.batch_pixels = pixels_at_once(self.device)
        self.patch_px, self.native_px = self._tower.patch_px, self._tower.native_px
        self.readouts, self.depth = self._tower.readouts, self._tower.depth
        self.temperature = float((-model.logit_scale.float()).exp())
        self.width = self.encode_dense(torch.zeros(1, 3, self.patch_px, self.patch_px), self.readouts[0]).shape[-1]

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the tensors of both towers, the configuration, the activation and the pixel statistics."""
        facts = {
            "tensors": weights_sha256(self._model.state_dict()),
            "config": self._config,
            "quick_gelu": any(type(layer).__name__ == "QuickGELU" for layer in self._model.modules()),
            "mean": list(self._model.visual.image_mean),
            "std": list(self._model.visual.image_std),
        }
        return facts_sha256(facts)

    @cached_property
    def text_hash(self) -> str:
        """SHA-256 over ``weights_hash`` and the tokenizer, which is loaded for it."""
        return facts_sha256({"weights": self.weights_hash, "tokenizer": tokenizer_sha256(self._tokenizer)})

    @property
    def note(self) -> str | None:
        """One line that the user should read before using the results; None for pretrained weights."""
        return self._note

    @plain_torch()
    def encode_dense(self, pixels: Tensor, readout: str = "value") -> Tensor:
        """Encode (B, 3, h, w) in [0, 1] into (B, gh, gw, D) float32 patch features."""
        how = find_readout(readout, self.readouts, self.name)
        return self._tower.grid(self._normed(pixels), how).float()

    @plain_torch()
    def encode_blocks(self, pixels: Tensor, blocks: Sequence[int]) -> list[BlockFeatures]:
        """Encode (B, 3, h, w) in [0, 1] once into the features after several blocks, in the space of the texts.

        See ``DenseEncoder``. Tokens pass the final norm and what the tower does to its pooled token.
        """
        return self._tower.blocks(self._normed(pixels), find_blocks(blocks, self.depth))

    @plain_torch()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Encode N prompts into (N, D) float32 embeddings."""
        rows = [torch.empty(0, self.width, device=self.device)]
        for start in range(0, len(prompts), TEXT_BATCH):
            ids = self._tokenize(list(prompts[start : start + TEXT_BATCH]))
            rows.append(self._model.encode_text(ids.to(self.device)).float())
        return torch.cat(rows)

    def _normed(self, pixels: Tensor) -> Tensor:
        """Stretch and normalise pixels for the tower."""
        stretched = stretch_to_patch(pixels, self.patch_px).to(self.device)
        return ((stretched - self._mean) / self._std).to(self.dtype)

    def _move(self, device: torch.device) -> None:
        self._model.to(device)
        self._tower.forget_sizes()
        self._mean, self._std = self._mean.to(device), self._std.to(device)

    @cached_property
    def _tokenizer(self) -> TextTokenizer:
        try:
            return self._load_tokenizer()
        except Exception as error:  # the tokenizers' library, the hub's and its transport's own exceptions
            raise ModelError(
                f"The tokenizer of {self.name} cannot be loaded ({first_line(error)}). It is a separate download "
                f"from the hub: connect once and run `densezero models download {self.name}`."
            ) from None

    def _tokenize(self, prompts: list[str]) -> Tensor:
        for prompt in prompts:
            try:
                prompt.encode()
            except UnicodeError:
                raise ModelError(
                    f"Expected a text of whole characters; got {prompt!r}, which cannot be encoded. "
                    "Correct the encoding of its file."
                ) from None
        return self._tokenizer(prompts)


class _Parts(NamedTuple):
    model: str
    weights: str  # a tag, the path of a checkpoint, or RANDOM


@plain_torch(inference=False)
def load_openclip(name: str, device: str = "auto", dtype: str = "auto") -> OpenClipEncoder:
    """Load ``open_clip:MODEL/TAG``, ``open_clip:MODEL/FILE.safetensors`` or ``open_clip:MODEL/random``.

    The weights are read from safetensors if the hub has them. Otherwise open_clip reads a pickle with torch's
    ``weights_only``, which builds tensors and nothing else.

    Raises:
        ModelError: if open_clip cannot be imported, does not know the model or the weights, or cannot load them, or
            if the vision tower has no dense features.
    """
    parts = _parse(name)
    note = RANDOM_NOTE.format(name=name) if parts.weights == RANDOM else None
    config = _open_clip().get_model_config(parts.model)
    return OpenClipEncoder(name, _create(parts), partial(_load_tokenizer, parts), device, dtype, note, config)


def describe_openclip(name: str) -> dict[str, str]:
    """Say what open_clip knows of a model, without building or downloading it.

    Raises:
        ModelError: if open_clip cannot be imported, or does not know the model or the weights.
    """
    model, weights = _parse(name)
    facts = {"name": name, "what": "image-text encoder, through open_clip"}
    if weights == RANDOM:
        return {**facts, "weights": RANDOM_NOTE.format(name=name)}
    return {
        **facts,
        "licence": "as its publisher states",
        "repository": repository_of(name) or weights,
        "other tags": ", ".join(tag for tag in _tags(model) if tag != weights) or "none",
    }


def repository_of(name: str) -> str | None:
    """Hub repository that has a model's weights, if any.

    Raises:
        ModelError: as ``describe_openclip``.
    """
    known: dict[str, Any] = _open_clip().get_pretrained_cfg(*_parse(name))
    return "/".join(known.get("hf_hub", "").split("/")[:2]) or None


def _open_clip() -> Any:
    try:
        import open_clip
    except ImportError:
        raise ModelError(
            "Models named open_clip:... need the library open_clip, which cannot be imported. "
            "Repair the installation: pip install --upgrade densezero open-clip-torch"
        ) from None
    return open_clip


def _tags(model: str) -> list[str]:
    return list(_open_clip().list_pretrained_tags_by_model(model))


def _parse(name: str) -> _Parts:
    library = _open_clip()
    model, _, weights = name.removeprefix(PREFIX).partition("/")
    if model not in library.list_models():
        raise ModelError(f"open_clip has no model {model!r}. {did_you_mean(model, library.list_models())}")
    known = [*_tags(model), RANDOM]
    if not weights:
        raise ModelError(
            f"Expected {PREFIX}{model}/WEIGHTS, the weights being one of {', '.join(known)} "
            f"({RANDOM}: untrained, to try a command) or the path of a .safetensors file; got {name!r}."
        )
    if weights == RANDOM or library.get_pretrained_cfg(model, weights):
        return _Parts(model, weights)
    if not weights.endswith(".safetensors"):
        raise ModelError(
            f"open_clip has no weights {weights!r} of {model}. A file of weights must be a .safetensors, because a "
            f"pickle can run code. {did_you_mean(weights, known)}"
        )
    if not Path(weights).is_file():
        raise ModelError(f"Expected the weights of {model} at {weights}; there is no such file. Check the path.")
    return _Parts(model, weights)


def _load_tokenizer(parts: _Parts) -> TextTokenizer:
    library = _open_clip()
    text = library.get_model_config(parts.model)["text_cfg"]
    from_hub = "hf_tokenizer_name" in text
    try:
        with _unchanged_root_logger(), offline_if_unreachable() if from_hub else nullcontext():
            return library.get_tokenizer(parts.model)  # type: ignore[no-any-return]
    except Exception:
        if parts.weights != RANDOM:
            raise
    own = library.SimpleTokenizer(context_length=text.get("context_length", 77))
    return WrappedTokenizer(own, text["vocab_size"])


def _create(parts: _Parts) -> Any:
    library = _open_clip()
    model, weights = parts
    text_from_hub = "hf_model_name" in library.get_model_config(model)["text_cfg"]
    asks_hub = text_from_hub or bool(library.get_pretrained_cfg(model, weights))
    try:
        with _unchanged_root_logger(), offline_if_unreachable() if asks_hub else nullcontext():
            return _create_random(model) if weights == RANDOM else _create_trained(model, weights)
    except Exception as error:  # the hub's, its transport's and torch's own exceptions come through
        hint = "" if text_from_hub else f" {PREFIX}{model}/{RANDOM} has untrained weights, to try a command."
        raise ModelError(
            f"{PREFIX}{model}/{weights} cannot be loaded ({first_line(error)}). For weights of the hub, connect once "
            f"and run `densezero models download {PREFIX}{model}/{weights}`. A file that fails is damaged or belongs "
            f"to another model.{hint}"
        ) from None


def _create_trained(model: str, weights: str) -> Any:
    library = _open_clip()
    # The weights of OpenAI and some others were trained with another activation than the configuration states.
    quick = bool(library.get_pretrained_cfg(model, weights).get("quick_gelu", False))
    return library.create_model(model, pretrained=weights, force_quick_gelu=quick)


def _create_random(model: str) -> Any:
    library = _open_clip()
    typical = library.get_pretrained_cfg(model, next(iter(_tags(model)), ""))
    pixels = {key: typical[key] for key in ("mean", "std") if key in typical}
    with fixed_seed():
        return library.create_model(model, load_weights=False, pretrained_text=False, force_preprocess_cfg=pixels)


@contextmanager
def _unchanged_root_logger() -> Iterator[None]:
    """Keep open_clip, which logs through the root logger, from setting up logging for the whole process."""
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
