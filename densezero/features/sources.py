"""The columns of feature pictures: which read-out or layer of which model, and how each is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from densezero.errors import FeatureError


@dataclass(frozen=True)
class Source:
    """A column's features.

    Args:
        model: a name or a path.
        readout: of the last block.
        layer: the block whose tokens are taken instead of the last one's; from 0, or negative from the end.
    """

    model: str
    readout: str
    layer: int | None = None

    @property
    def output(self) -> str:
        """What the model gives: the name of the read-out, or ``layer 5``. Two layers never have the same."""
        return self.readout if self.layer is None else f"layer {self.layer}"


def list_sources(models: Sequence[str], readouts: Sequence[str], layers: Sequence[int] = ()) -> list[Source]:
    """Every read-out of every model, and every layer of it if there are layers; those of one model are neighbours."""
    return [Source(model, *each) for model in models for each in product(readouts, layers or (None,))]


def label_sources(sources: Sequence[Source]) -> dict[Source, str]:
    """A name for each source that is short, different from the others', and fit for a folder."""
    one_output = len({source.output for source in sources}) == 1
    labels: dict[Source, str] = {}
    for source in sources:
        text = source.model if one_output else f"{source.model}-{source.output}"
        label = re.sub(r"[^\w.+-]+", "_", text).strip("._") or "model"
        taken = set(labels.values())
        labels[source] = label if label not in taken else f"{label}-{len(labels) + 1}"
    return labels


def caption_columns(
    sources: Sequence[Source], shows: Sequence[str], labels: Sequence[str] = (), heads: Sequence[str] = ()
) -> list[str]:
    """Write a caption for the image, then for each source and each thing to show: what tells it from the others.

    Args:
        sources: the columns' features.
        shows: what is drawn of each.
        labels: the user's own captions, one for each column after the image; none takes short names.
        heads: of the first source's model, a column each after all others.

    Raises:
        FeatureError: for another number of labels.
    """
    columns = [(source, show) for source in sources for show in shows]
    count = len(columns) + len(heads)
    if labels and len(labels) != count:
        raise FeatureError(f"Expected one --label for each of {count} columns; got {len(labels)}.")
    if labels:
        return ["image", *labels]
    names = shorten_models([source.model for source in sources])
    several_models, several_outputs = len(set(names)) > 1, len({source.output for source in sources}) > 1
    captions = ["image"]
    for source, show in columns:
        parts = [names[source.model]] if several_models else []
        parts += [source.output] if several_outputs or source.layer is not None else []
        parts += [show] if len(shows) > 1 else []
        captions.append(", ".join(parts) or names[source.model])
    whose = f"{names[sources[0].model]}, " if several_models else ""
    return captions + [whose + head for head in heads]


def shorten_models(models: Sequence[str]) -> dict[str, str]:
    """Give each model a short name: without family, weights and folders, as long as the short names differ.

    Example:
        >>> shorten_models(["open_clip:ViT-B-16/openai", "weights/nano-v2", "tipsv2-l14"])
        {'open_clip:ViT-B-16/openai': 'ViT-B-16', 'weights/nano-v2': 'nano-v2', 'tipsv2-l14': 'tipsv2-l14'}
    """
    short = {model: _short(model) for model in models}
    taken = Counter(short.values())
    return {model: name if taken[name] == 1 else model for model, name in short.items()}


def _short(model: str) -> str:
    family, colon, name = model.partition(":")
    if colon and family == "open_clip":
        return name.split("/")[0] if not name.startswith("hf-hub") else name.rsplit("/", 1)[-1]
    if colon and family == "timm":
        return name.split(".")[0]
    return Path(model).name.removesuffix("_vision.npz") or model
