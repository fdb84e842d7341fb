"""The vision tower in the file of a hub repository with heads, under the published names.

There it is called ``backbone.``; queries, keys and values are apart, as are both halves of a gated layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from densezero.encoders.tips.checkpoint import TensorFile
from densezero.encoders.tips.config_json import read_config_json
from densezero.errors import ModelError

BACKBONE = "backbone."
# Names in the file, and the published ones.
NAMES = (
    (r"embeddings\.(cls_token|mask_token|register_tokens)", r"\1"),
    (r"embeddings\.position_embeddings", r"pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.(\w+)", r"patch_embed.proj.\1"),
    (r"encoder\.layer\.(\d+)\.attention\.o_proj\.(\w+)", r"blocks.\1.attn.proj.\2"),
    (r"encoder\.layer\.(\d+)\.attention\.[qkv]_proj\.(\w+)", r"blocks.\1.attn.qkv.\2"),
    (r"encoder\.layer\.(\d+)\.layer_scale(\d)\.lambda1", r"blocks.\1.ls\2.gamma"),
    (r"encoder\.layer\.(\d+)\.mlp\.(?:gate|up)_proj\.(\w+)", r"blocks.\1.mlp.w12.\2"),
    (r"encoder\.layer\.(\d+)\.mlp\.down_proj\.(\w+)", r"blocks.\1.mlp.w3.\2"),
    (r"encoder\.layer\.(\d+)\.(norm\d|mlp\.fc\d)\.(\w+)", r"blocks.\1.\2.\3"),
    (r"layernorm\.(\w+)", r"norm.\1"),
)
PARTS = {"attn.qkv": ("q_proj", "k_proj", "v_proj"), "mlp.w12": ("gate_proj", "up_proj")}  # in their order in a layer


class HubBackbone(TensorFile):
    """The vision tower in a file of tensors, as if it had the published names.

    Args:
        tensors: the file; names that do not begin with ``backbone.`` are left out.
    """

    def __init__(self, tensors: TensorFile) -> None:
        self.file, self._tensors = tensors.file, tensors
        self._sources: dict[str, list[str]] = {}
        for name in tensors.shapes:
            if name.startswith(BACKBONE):
                self._sources.setdefault(_published_name(name.removeprefix(BACKBONE)), []).append(name)
        for published, sources in self._sources.items():
            self._sources[published] = _in_order(published, sources)
        self.shapes = {published: self._shape(sources) for published, sources in self._sources.items()}

    def _shape(self, sources: list[str]) -> tuple[int, ...]:
        shapes = [self._tensors.shapes[name] for name in sources]
        if len(shapes) == 1:
            return shapes[0]
        if any(not shape or shape[1:] != shapes[0][1:] for shape in shapes):
            raise ModelError(f"{self.file} is damaged: {', '.join(sources)} have shapes {shapes}. Download it again.")
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def _read(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        for name in names:
            sources = self._sources[name]
            read = dict(self._tensors.each("", sources))
            parts = [read[source] for source in sources]
            yield name, parts[0] if len(parts) == 1 else torch.cat(parts)


def backbone_heads(file: Path) -> int | None:
    """Read the attention heads of the vision tower from ``config.json``; None if it does not state them.

    Raises:
        ModelError: if the file cannot be read, or the number is below 1.
    """
    backbone = read_config_json(file).get("backbone_config")
    heads = backbone.get("num_attention_heads") if isinstance(backbone, dict) else None
    if heads is not None and (type(heads) is not int or heads < 1):
        raise ModelError(
            f"Expected a whole number of at least 1 for num_attention_heads in {file}; got {heads!r}. Correct it."
        )
    return heads


def _published_name(name: str) -> str:
    """Translate a name; one that is not known stays as it is, and the check of the layout reports it."""
    for pattern, published in NAMES:
        if match := re.fullmatch(pattern, name):
            return match.expand(published)
    return name


def _in_order(published: str, sources: list[str]) -> list[str]:
    """Bring the parts of a layer into their order in it."""
    parts = next((parts for layer, parts in PARTS.items() if f".{layer}." in published), ())
    return sorted(sources, key=lambda name: next((place for place, part in enumerate(parts) if part in name), 0))
