"""The Segmenter of a trained head, for ``segment`` and ``evaluate``."""

from __future__ import annotations

from pathlib import Path

from densezero.classifiers.head_segmenter import HeadSegmenter, head_protocol
from densezero.datasets import Dataset
from densezero.errors import InputError
from densezero.heads.classes import ADE20K
from densezero.heads.names import DEFAULT_SIDE_PX, RATIO, SEGMENTATION
from densezero.heads.open import open_encoder, open_heads
from densezero.vocabulary import load_packaged


def head_files(head: str | None) -> tuple[Path, ...]:
    """The file or folder of a head that is the user's own; none for the head of the model."""
    return () if head in (None, ADE20K) else (Path(head or ""),)


def head_segmenter_for(
    dataset: Dataset, head: str, model: str, preset: str = RATIO, side_px: int | None = None, device: str = "auto",
    dtype: str = "auto",
) -> HeadSegmenter:  # fmt: skip
    """Load a segmentation head for the labels of a data set; arguments and errors as ``build_head_segmenter``.

    Raises:
        InputError: if the data set has other classes than the head.
    """
    expected = load_packaged(ADE20K)
    if dataset.classes.names != expected.names:
        raise InputError(
            f"Expected a data set with the {len(expected)} classes of ADE20K for --head; {dataset.name} has "
            f"{len(dataset.classes)} others. Evaluate ade20k, or use words."
        )
    return build_head_segmenter(head, model, preset, side_px, device, dtype)


def build_head_segmenter(
    head: str,
    model: str,
    preset: str = RATIO,
    side_px: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> HeadSegmenter:
    """Load the segmentation head of a model, and its encoder.

    Args:
        head: ``"ade20k"``, or the file or folder of a head.
        model: a model's name, or a path.
        preset: ``"ratio"`` or ``"official"``.
        side_px: short side of the model input; None takes 448.
        device: where to compute.
        dtype: numeric type of the vision tower.

    Raises:
        ModelError: if there is no such head, or it does not fit the encoder.
    """
    files = head_files(head)
    (loaded,) = open_heads(model, (SEGMENTATION,), files)
    encoder = open_encoder(model, not files, device, dtype)
    return HeadSegmenter(encoder, loaded, head_protocol(preset, side_px or DEFAULT_SIDE_PX))
