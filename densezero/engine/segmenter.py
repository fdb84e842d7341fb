"""The Segmenter: an encoder, words and a protocol; an image in, a label map out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import images_at_once, plain_torch, to_numpy, upload_pixels
from densezero.engine.labelling import BYTE_CLASSES, LabelRule, class_scores, label_map
from densezero.engine.presets import DEFAULT_PROTOCOL, protocol_for
from densezero.engine.protocol import Protocol
from densezero.engine.score_map import ScoreMap, vote
from densezero.engine.scoring import refine_map, require_finite, score_images
from densezero.errors import ModelError
from densezero.examples.bank import add_examples
from densezero.examples.classes import leave_out_words, with_example_classes
from densezero.examples.example import Example, read_example
from densezero.images import resize_rgb
from densezero.images.any_image import AnyImage, as_rgb, read_in_batches
from densezero.images.region_maps import RegionMap, Regions, region_map
from densezero.output.segmentation import Labels, Provenance, Segmentation
from densezero.vocabulary import ClassEntry, ClassList, Templates, load_templates
from densezero.vocabulary.background import refuse_idle_threshold, refuse_unknown_temperature, with_background
from densezero.vocabulary.negative_words import choose_background_words
from densezero.vocabulary.text_bank import TextBank, bank_from_vectors, build_text_bank, vectors_sha256

OWN_EMBEDDINGS = "own text embeddings"  # written to reports in place of the templates' name


class Prepared(NamedTuple):
    """The (H, W) of an image, the model input made from it, (h, w, 3) uint8, and the map of its regions, if any."""

    image_hw: tuple[int, int]
    resized: NDArray[np.uint8]
    regions: RegionMap | None = None


class Scored(NamedTuple):
    """The (H, W) of an image, and the scores of its patches."""

    image_hw: tuple[int, int]
    scores: ScoreMap


class Segmenter:
    """Segments images with class names, without training.

    Args:
        encoder: from ``load_encoder``.
        classes: the name of a packaged class list (``"ade20k"``), text (``"sky, boat=yacht|ship"``), an iterable of
            names in which a list is one class with its synonyms, or a ``ClassList``. None if examples are all.
        protocol: the name of a preset, which takes its paper's constants for a packaged class list; or a ``Protocol``.
        templates: prompt templates or the name of packaged ones; None takes the protocol's.
        progress: called with the words embedded so far and all words, while the text bank is made.
        text_embeddings: your own text vectors in place of prompts, of any length: (C, D), one row for each class, or
            (P, D), one row for each word of the classes in their order.
        keep_scores: keep what ``Segmentation.scores`` needs. Results then hold memory of the device.
        examples: pictures that show a class, beside its words. A name that the classes lack adds a class without words.

    Raises:
        VocabularyError: for classes, templates or text embeddings that cannot be used.
        ProtocolError: for an unknown protocol, a threshold that no pixel can be below, or one with an encoder whose
            temperature is not known.
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
        classes: ClassList | str | Iterable[str | Iterable[str] | ClassEntry] | None = None,
        protocol: str | Protocol = DEFAULT_PROTOCOL,
        templates: Templates | str | None = None,
        progress: Callable[[int, int], None] | None = None,
        text_embeddings: NDArray[np.floating] | Tensor | TextBank | None = None,
        keep_scores: bool = False,
        examples: Sequence[Example] = (),
    ) -> None:
        if not hasattr(encoder, "encode_dense"):
            raise ModelError(f"Expected an encoder from densezero.load_encoder; got {encoder!r}.")
        self.encoder, self.keep_scores = encoder, keep_scores
        shown = [read_example(example) for example in examples]
        given, wordless = with_example_classes(classes, [example.name for example in shown])
        self.protocol = protocol_for(given, protocol) if isinstance(protocol, str) else protocol
        named = templates or self.protocol.templates
        self.templates = load_templates(named) if isinstance(named, str) else named
        self._own_embeddings = text_embeddings is not None
        if self.protocol.background.least_confidence:
            refuse_unknown_temperature(encoder, self.protocol.scale, "A threshold")
        if not self._own_embeddings:
            chosen = choose_background_words(encoder, given, self.protocol.background, self.templates, progress)
            self.protocol = replace(self.protocol, background=chosen)
        self.classes, words = leave_out_words(with_background(given, self.protocol.background), wordless)
        if text_embeddings is None:
            bank = build_text_bank(encoder, words, self.templates, progress)
        else:
            bank = bank_from_vectors(encoder, words, text_embeddings)
        bank = add_examples(bank, shown, self.classes, encoder, self.protocol.recipe)
        self.examples = tuple(example.record for example in shown)
        self.rule = LabelRule(self.protocol, bank, self.classes.background_index, encoder.temperature)
        refuse_idle_threshold(len(self.rule.class_of_channel), self.protocol.background)

    def segment(self, image: AnyImage, regions: Regions | None = None) -> Segmentation:
        """Segment one image.

        Args:
            image: the path of a file, a Pillow image, a uint8 array (H, W, 3), or a tensor (3, H, W), uint8 or
                floating-point in [0, 1]. Arrays and tensors are in RGB.
            regions: each of them gets one label, by the mean of its scores. (H, W) whole numbers, 0 for pixels in no
                region; or boolean masks (H, W), small ones on top of large ones. Other pixels keep their own labels.

        Returns:
            Labels (H, W) with the classes and what they were made with.

        Raises:
            InputError: if the image or the regions cannot be used, or the features are not finite.
        """
        rgb = as_rgb(image)  # (H, W, 3)
        prepared = self.prepare(rgb, regions)  # .resized (h, w, 3), .regions (H, W)
        (scored,) = self.score([prepared])  # .scores.grids (N, gh, gw, K)
        labels = self.label(scored)  # (H, W)
        return self._result(image, rgb, scored, labels)

    def segment_many(
        self, images: Iterable[AnyImage], progress: Callable[[int], None] | None = None
    ) -> Iterator[Segmentation]:
        """Segment images one after the other; on a GPU several go through the encoder together.

        Args:
            images: any iterable of what ``segment`` takes.
            progress: called with the number of images done, after each.

        Yields:
            The result of each image, in order.

        Raises:
            InputError: when an image that cannot be used is reached, after the results of all images before it.
        """
        done, at_once = 0, images_at_once(self.encoder.device, self.encoder.batch_pixels)
        for batch in read_in_batches(images, at_once):
            scored_images = self.score([self.prepare(rgb) for _, rgb in batch])
            for (image, rgb), scored in zip(batch, scored_images, strict=True):
                yield self._result(image, rgb, scored, self.label(scored))
                done += 1
                if progress is not None:
                    progress(done)

    def prepare(self, rgb: NDArray[np.uint8], regions: Regions | None = None) -> Prepared:
        """Resize an image (H, W, 3) for the model. This does not use the model, so it may run in another thread."""
        plan = self.protocol.recipe.plan((int(rgb.shape[0]), int(rgb.shape[1])))  # (H, W) and (h, w)
        painted = None if regions is None else region_map(regions, plan.image_hw)  # (H, W)
        return Prepared(plan.image_hw, resize_rgb(rgb, plan.input_hw), painted)

    def prepared_bytes(self, hw: tuple[int, int]) -> int:
        """Give the size of what ``prepare`` returns for an image of (H, W), bytes."""
        height, width = self.protocol.recipe.plan(hw).input_hw
        return 3 * height * width

    @plain_torch()
    def score(self, images: Sequence[Prepared]) -> list[Scored]:
        """Score prepared images, their windows together, then refine the scores, then average them over regions."""
        pixels = [upload_pixels(image.resized, self.encoder.device) for image in images]  # (1, 3, h, w) each
        maps = score_images(self.encoder, pixels, self.rule.bank, self.protocol)
        refined = (
            refine_map(score_map, of_image, self.rule.bank, self.protocol, image.image_hw)
            for image, score_map, of_image in zip(images, maps, pixels, strict=True)
        )
        return [Scored(each.image_hw, vote(scores, each.regions)) for each, scores in zip(images, refined, strict=True)]

    @plain_torch()
    def label(self, scored: Scored) -> Labels:
        """Label every pixel of a scored image: (H, W), uint8 up to 254 classes, else uint16.

        Raises:
            InputError: if the features of the image are not finite.
        """
        labels = to_numpy(label_map(scored.scores, scored.image_hw, self.rule))  # (H, W)
        require_finite(scored.scores, self.encoder)  # here, where a GPU has just been waited for
        return labels if len(self.classes) <= BYTE_CLASSES else labels.astype(np.uint16)

    def class_scores(self, scored: Scored) -> NDArray[np.float32]:
        """Compute the scores of every class at the image's size: (C, H, W), as ``Segmentation.scores``."""
        return class_scores(scored.scores, scored.image_hw, self.rule)

    @property
    def text_embeddings(self) -> NDArray[np.float32]:
        """(P, D) unit text vectors, one for each word of the classes in their order, then its row from examples."""
        return np.array(to_numpy(self.rule.bank.vectors))

    @cached_property
    def provenance(self) -> Provenance:
        """What every result of this segmenter is made with."""
        own = self._own_embeddings
        return Provenance(
            self.protocol,
            self.classes.name,
            self.classes.sha256,
            OWN_EMBEDDINGS if own else self.templates.name,
            vectors_sha256(self.rule.bank.vectors) if own else self.templates.sha256,
            self.encoder.name,
            self.encoder.weights_hash,
            str(self.encoder.dtype).removeprefix("torch."),
            self.examples,
        )

    def _result(self, image: AnyImage, rgb: NDArray[np.uint8], scored: Scored, labels: Labels) -> Segmentation:
        if isinstance(image, str | os.PathLike):
            picture: Path | NDArray[np.uint8] = Path(image).absolute()  # read again when it is drawn
        else:
            picture = rgb.copy() if rgb is image else rgb  # the caller may change the array
        compute = partial(class_scores, scored.scores, scored.image_hw, self.rule) if self.keep_scores else None
        return Segmentation(labels, self.classes, self.provenance, picture, compute)
