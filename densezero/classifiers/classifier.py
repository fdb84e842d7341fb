"""A fitted classifier: its file, and a Segmenter that uses it in place of words."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.engine.protocol import Protocol
from densezero.engine.segmenter import Segmenter
from densezero.errors import InputError, ModelError, ProtocolError
from densezero.examples.recipe import Recipe
from densezero.vocabulary.background import Background
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.text_bank import TextBank

FORMAT: Final = 1


@dataclass(frozen=True, eq=False)
class Classifier:
    """A linear classifier of unit patch features.

    Args:
        weights: (K, D) float32, one row for each class that the fitted images show.
        offsets: (K,) added to the product of each row and a feature. The sum is the logit of a class.
        class_of: (K,) int64 class index of each row, rising.
        classes: all classes.
        recipe: how the images were encoded.
        encoder: name of the encoder.
        weights_sha256: of the encoder.
    """

    weights: Tensor
    offsets: Tensor
    class_of: Tensor
    classes: ClassList
    recipe: Recipe
    encoder: str
    weights_sha256: str

    @property
    def bank(self) -> TextBank:
        """Its rows in the form of a text bank, whose cosines are then logits."""
        return TextBank(self.weights, self.class_of, len(self.classes), self.offsets)

    def encode(self) -> bytes:
        """Encode as a safetensors file. Equal classifiers give equal bytes."""
        from safetensors.torch import save

        about = {
            "format": FORMAT,
            "encoder": self.encoder,
            "weights_sha256": self.weights_sha256,
            "recipe": asdict(self.recipe),
            "classes": self.classes.to_json(),
        }
        tensors = {"weights": self.weights, "offsets": self.offsets, "class_of": self.class_of}
        return save(tensors, {"densezero_classifier": json.dumps(about, sort_keys=True)})

    @property
    def sha256(self) -> str:
        """Hash of its file."""
        return hashlib.sha256(self.encode()).hexdigest()


def load_classifier(path: Path) -> Classifier:
    """Read a file that ``densezero fit`` wrote.

    Raises:
        InputError: if it is missing, damaged, or something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as stored:
            about: dict[str, Any] = json.loads((stored.metadata() or {})["densezero_classifier"])
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']}")
            tensors = {name: stored.get_tensor(name) for name in ("weights", "offsets", "class_of")}
        classes, recipe = ClassList.from_json(about["classes"]), Recipe(**about["recipe"])
        _check(tensors, len(classes))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"Expected {path} to be a classifier that `densezero fit` wrote; it cannot be read as one "
            f"({type(error).__name__}: {error}). Check the path, or fit it again."
        ) from None
    return Classifier(
        **tensors, classes=classes, recipe=recipe, encoder=about["encoder"], weights_sha256=about["weights_sha256"]
    )


def classifier_segmenter(encoder: DenseEncoder, classifier: Classifier, protocol: Protocol) -> Segmenter:
    """Make a Segmenter that labels by a classifier. Its scores are logits instead of cosines.

    Args:
        encoder: the one that the classifier was fitted to.
        classifier: in place of words.
        protocol: as for words. A scale becomes 1, because it is made for cosines.

    Raises:
        ModelError: for another encoder.
        ProtocolError: for another read-out, or a protocol with a background.
    """
    if encoder.weights_hash != classifier.weights_sha256:
        raise ModelError(
            f"Expected the encoder that the classifier was fitted to, {classifier.encoder} "
            f"({classifier.weights_sha256[:12]}); got {encoder.name} ({encoder.weights_hash[:12]}). Take that model, "
            "or fit a classifier for this one with `densezero fit`."
        )
    if protocol.readout != classifier.recipe.readout:
        raise ProtocolError(
            f"Expected a protocol with the read-out {classifier.recipe.readout!r} that the classifier was fitted to; "
            f"{protocol.name} has {protocol.readout!r}. Take another protocol, or fit a classifier for this one."
        )
    if protocol.background != Background():
        raise ProtocolError(
            "A classifier has all its classes from the masks that it was fitted to. Leave out the background and "
            "unknown options, or show the background in the masks as a class of its own."
        )
    fitting = replace(protocol, scale=None if protocol.scale is None else 1.0)
    segmenter = Segmenter(encoder, classifier.classes, fitting, text_embeddings=classifier.bank)
    segmenter.rule = replace(segmenter.rule, temperature=1.0)
    segmenter.examples = ({"classifier_sha256": classifier.sha256},)
    return segmenter


def _check(tensors: dict[str, Tensor], classes: int) -> None:
    """Raise ValueError unless the tensors fit together."""
    weights, offsets, class_of = (tensors[name] for name in ("weights", "offsets", "class_of"))
    rows = len(class_of)
    if weights.ndim != 2 or offsets.shape != (rows,) or len(weights) != rows or class_of.dtype != torch.int64:
        raise ValueError(f"tensors of shapes {tuple(weights.shape)}, {tuple(offsets.shape)}, {tuple(class_of.shape)}")
    if sorted(set(class_of.tolist())) != class_of.tolist() or rows < 2 or class_of[0] < 0 or class_of[-1] >= classes:
        raise ValueError("class indices that do not fit the class list")
    if not (weights.isfinite().all() and offsets.isfinite().all()):
        raise ValueError("numbers that are not finite")
