"""The class list of a segmentation head."""

from __future__ import annotations

from typing import Final

from densezero.errors import ModelError
from densezero.heads.head import Head
from densezero.vocabulary import ClassList, load_packaged

ADE20K: Final = "ade20k"


def known_classes(head: Head) -> ClassList | None:
    """Give the classes of a segmentation head with as many outputs as ADE20K has classes; None for others."""
    classes = load_packaged(ADE20K)
    return classes if head.decoder.config.outputs == len(classes) else None


def require_classes(head: Head) -> ClassList:
    """Give the classes of a segmentation head.

    Raises:
        ModelError: if it has another number of outputs than ADE20K has classes.
    """
    classes = known_classes(head)
    if classes is None:
        raise ModelError(
            f"Expected a segmentation head with the {len(load_packaged(ADE20K))} classes of ADE20K; {head.name} has "
            f"{head.decoder.config.outputs} outputs, whose names are not known. Use it from Python: DensePredictor."
        )
    return classes
