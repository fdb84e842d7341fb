"""The Segmenter: an encoder, words and a protocol; an image in, a label map out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from densezero.encoders.base import DenseEncoder
from densezero.engine.background import with_background
from densezero.engine.labelling import LabelRule, class_strips, label_map
from densezero.engine.presets import DEFAULT_PROTOCOL, find_protocol
from densezero.engine.protocol import Protocol
from densezero.engine.scores import ScoreMap
from densezero.engine.scoring import score_maps
from densezero.errors import InputError, ProtocolError
from densezero.images import ResizePlan, plan_resize, to_pixels
from densezero.vocabulary import ClassList, Templates, class_list_from, load_templates
from densezero.vocabulary.text_bank import build_text_bank

Labels = NDArray[np.uint8] | NDArray[np.uint16]

BYTE_CLASSES = 254  # labels fit into a byte up to here; 255 is kept for "no label"


@dataclass(frozen=True)
class Provenance:
    """What a result was made with; enough to make it again."""

    protocol: Protocol
    class_list: str
    class_list_sha256: str
    templates: str
    templates_sha256: str
    encoder: str
    weights_sha256: str
    dtype: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {**vars(self), "protocol": self.protocol.to_json()}


@dataclass(frozen=True)
class Prepared:
    """An image as the model takes it.

    Args:
        image_hw: (H, W) of the image.
        pixels: (1, 3, h, w) float32 in [0, 1].
    """

    image_hw: tuple[int, int]
    pixels: NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """An image whose patches have met the words.

    Args:
        image_hw: (H, W) of the image.
        scores: as the protocol defines them before the last resize.
    """

    image_hw: tuple[int, int]
    scores: ScoreMap


@dataclass(frozen=True)
class Segmentation:
    """A segmented image.

    Args:
        labels: (H, W) class indices, uint8 up to 254 classes, else uint16; 255 and 65535 never occur.
        classes: the classes in label order.
        provenance: what it was made with.
    """

    labels: Labels
    classes: ClassList
    provenance: Provenance
    _scores: ScoreMap
    _rule: LabelRule

    @torch.inference_mode()
    def scores(self) -> NDArray[np.float32]:
        """Class scores at the image's size, computed when asked for.

        Returns:
            (C, H, W) float32: cosines, averaged probabilities, or probabilities, as the protocol has them; minus
            infinity for a background class that has no words.
        """
        h, w = self.labels.shape
        scores = np.empty((len(self.classes), h, w), np.float32)
        for strip in class_strips(self._scores, (h, w), self._rule):
            scores[:, strip.start : strip.end] = strip.scores.cpu().numpy()
        return scores


class Segmenter:
    """Segments images with class names, without training.

    Args:
        encoder: from ``load_encoder``.
        classes: names; a list inside the list is one class with its synonyms. Or a ``ClassList``, or inline text.
        protocol: a preset's name, with the constants that its paper takes for a benchmark's class list, or a
            ``Protocol``.
        templates: prompt templates; None takes the protocol's.
        progress: called with the words embedded so far and all words, while the text bank is made.

    Raises:
        VocabularyError: for classes or templates that cannot be used.
        ProtocolError: for an unknown protocol, or a threshold with an encoder whose temperature is not known.
        ModelError: if the encoder has no text tower.

    Example:
        >>> import densezero, numpy as np
        >>> encoder = densezero.load_encoder("nano")
        >>> segmenter = densezero.Segmenter(encoder, ["sky", "grass", ["boat", "sailing ship"]])
        >>> segmenter.segment(np.zeros((30, 40, 3), np.uint8)).labels.shape
        (30, 40)
    """

    def __init__(
        self,
        encoder: DenseEncoder,
        classes: ClassList | str | Sequence[str | Sequence[str]],
        protocol: str | Protocol = DEFAULT_PROTOCOL,
        templates: Templates | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.encoder = encoder
        asked = class_list_from(classes)
        self.protocol = find_protocol(protocol, asked.name) if isinstance(protocol, str) else protocol
        self.templates = templates or load_templates(self.protocol.templates)
        if self.protocol.background.threshold and self.protocol.scale is None and encoder.temperature is None:
            raise ProtocolError(
                f"A background threshold needs the encoder's temperature, and {encoder.name} states none. "
                "Use background words, or a protocol with a scale."
            )
        worded = with_background(asked, self.protocol.background)
        self.classes = worded.classes
        bank = build_text_bank(encoder, worded.prompted, self.templates, progress)
        self.rule = LabelRule(self.protocol, bank, self.classes.background_index, encoder.temperature)

    def segment(self, rgb: NDArray[np.uint8]) -> Segmentation:
        """Segment one image.

        Args:
            rgb: (H, W, 3) uint8, upright; ``densezero.read_rgb`` gives it from a file.

        Returns:
            Labels (H, W) with the classes and what they were made with.

        Raises:
            InputError: if the array is no such image.
        """
        (scored,) = self.score([self.prepare(rgb)])
        return self.label(scored)

    def prepare(self, rgb: NDArray[np.uint8]) -> Prepared:
        """Resize an image for the model, which is left alone: may run in another thread than the model.

        Args:
            rgb: (H, W, 3) uint8, upright.

        Raises:
            InputError: if the array is no such image.
        """
        plan = self._plan(rgb)  # (H, W) and (h, w)
        return Prepared(plan.image_hw, to_pixels(rgb, plan))  # (1, 3, h, w)

    def prepared_bytes(self, hw: tuple[int, int]) -> int:
        """Bytes of what ``prepare`` makes of an image of (H, W)."""
        height, width = self._plan_of(hw).input_hw
        return 12 * height * width  # three float32 numbers a pixel

    @torch.inference_mode()
    def score(self, images: Sequence[Prepared]) -> list[Scored]:
        """Score images that ``prepare`` of this segmenter has resized; the model takes windows of several at once."""
        pixels = [torch.from_numpy(image.pixels).to(self.encoder.device) for image in images]  # (1, 3, h, w) each
        scores = score_maps(self.encoder, pixels, self.rule.bank, self.protocol)
        return [Scored(image.image_hw, score) for image, score in zip(images, scores, strict=True)]

    @torch.inference_mode()
    def label(self, scored: Scored) -> Segmentation:
        """Label every pixel of an image that has been scored."""
        labels = label_map(scored.scores, scored.image_hw, self.rule)  # (H, W)
        return Segmentation(self._narrow(labels.numpy()), self.classes, self.provenance, scored.scores, self.rule)

    @property
    def provenance(self) -> Provenance:
        """What every result of this segmenter is made with."""
        return Provenance(
            self.protocol,
            self.classes.name,
            self.classes.sha256,
            self.templates.name,
            self.templates.sha256,
            self.encoder.name,
            self.encoder.weights_hash,
            str(self.encoder.dtype).removeprefix("torch."),
        )

    def _narrow(self, labels: NDArray[np.int64]) -> Labels:
        return labels.astype(np.uint8) if len(self.classes) <= BYTE_CLASSES else labels.astype(np.uint16)

    def _plan(self, rgb: NDArray[np.uint8]) -> ResizePlan:
        if not isinstance(rgb, np.ndarray) or rgb.ndim != 3:
            raise InputError(
                f"Expected an image as a uint8 array (H, W, 3); got {type(rgb).__name__} of shape "
                f"{getattr(rgb, 'shape', None)}. Read files with densezero.read_rgb."
            )
        return self._plan_of((int(rgb.shape[0]), int(rgb.shape[1])))

    def _plan_of(self, hw: tuple[int, int]) -> ResizePlan:
        settings = self.protocol
        return plan_resize(hw, settings.short_side_px, settings.long_side_cap_px, settings.rounding)
