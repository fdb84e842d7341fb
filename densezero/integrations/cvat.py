"""An auto-annotation function for CVAT: masks of the classes that words name, into the tasks of a CVAT server.

``cvat-cli`` loads it on your machine, fetches the pictures of a task, and sends the masks back::

    cvat-cli task auto-annotate TASK --function-module densezero.integrations.cvat -p classes=str:sky,boat

The contract is that of ``cvat_sdk.auto_annotation`` (cvat-sdk 2.80).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from densezero.encoders.catalog import DEFAULT_MODEL, load_encoder
from densezero.engine.presets import DEFAULT_PROTOCOL, protocol_for, with_changes
from densezero.engine.segmenter import Segmenter
from densezero.errors import InputError
from densezero.images.any_image import AnyImage, unrotated_rgb
from densezero.output.cut_outlines import cut_regions
from densezero.output.outlines import trace_rings
from densezero.vocabulary import load_class_list, parse_inline


class CvatFunction:
    """What cvat-cli calls: ``spec`` names the labels, ``detect`` gives the masks of a picture.

    Args:
        segmenter: finds the masks.
        labels: indices of the classes that become labels of CVAT. Background and unknown pixels get no mask.

    Attributes:
        spec: the labels. cvat-cli finds those of the task by their names.
    """

    def __init__(self, segmenter: Segmenter, labels: list[int]) -> None:
        from cvat_sdk.auto_annotation import DetectionFunctionSpec, label_spec

        self.segmenter, self.labels = segmenter, labels
        names = segmenter.classes.names
        self.spec = DetectionFunctionSpec(labels=[label_spec(names[index], index, type="mask") for index in labels])

    def detect(self, context: Any, image: AnyImage) -> list[Any]:
        """Find a mask for each class that occurs in a picture.

        Args:
            context: of cvat-cli. Its threshold is not used: a mask has no single confidence.
            image: as CVAT shows it, in any colour mode; an EXIF orientation is not applied again.

        Returns:
            A shape of type mask for each class, of the size of the image. With ``--conv-mask-to-poly`` a polygon for
            each connected region; a ring with a cut to each hole, so that its area is right.
        """
        from cvat_sdk.auto_annotation import mask, polygon
        from cvat_sdk.masks import encode_mask

        labels = self.segmenter.segment(unrotated_rgb(image)).labels  # (H, W)
        if context.conv_mask_to_poly:
            regions = cut_regions(trace_rings(labels, len(self.segmenter.classes)))
            return [polygon(one.label, one.ring.ravel().tolist()) for one in regions if one.label in self.labels]
        present = np.intersect1d(labels, self.labels).tolist()
        return [mask(index, encode_mask(labels == index)) for index in present]


def create(
    classes: str = "",
    vocabulary: str = "",
    model: str = DEFAULT_MODEL,
    protocol: str = DEFAULT_PROTOCOL,
    background: str = "",
    unknown: float = 0.0,
    refine: str = "",
    device: str = "auto",
    dtype: str = "auto",
) -> CvatFunction:
    """Make the function; cvat-cli passes each ``-p NAME=TYPE:VALUE`` as an argument.

    The arguments mean what the options of the same names of ``densezero segment`` mean. An empty text is the default.

    Args:
        classes: ``sky,grass,boat=sailing ship|yacht``.
        vocabulary: a packaged class list or a file, in place of ``classes``.
        model: a model's name, or a path.
        protocol: a preset's name.
        background: words of a class whose pixels get no mask, ``wall,floor`` or ``auto``.
        unknown: pixels whose best class has a lower probability get no mask; 0 to 1.
        refine: ``none``, ``grid`` or ``pamr``; empty takes the protocol's.
        device: where to compute.
        dtype: numeric type of the model.

    Raises:
        DenseZeroError: if the words, the model or the protocol cannot be used.
    """
    if bool(classes) == bool(vocabulary):
        raise InputError(
            "Expected words, -p classes=str:sky,boat, or a class list, -p vocabulary=str:ade20k; got "
            f"{'both' if classes else 'neither'}."
        )
    listed = parse_inline(classes) if classes else load_class_list(vocabulary)
    chosen = with_changes(
        protocol_for(listed, protocol), None, background or None, None, unknown or None, refine or None
    )
    segmenter = Segmenter(load_encoder(model, device, dtype), listed, chosen)
    found = segmenter.classes
    asked = [
        index for index, name in enumerate(found.names) if name in listed.names and index != found.background_index
    ]
    return CvatFunction(segmenter, asked)
