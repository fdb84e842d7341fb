"""The official number of images of each benchmark, to tell a part from the whole."""

from __future__ import annotations

from typing import Final

OFFICIAL_IMAGES: Final[dict[tuple[str, str], tuple[int, ...]]] = {
    ("ade20k", "val"): (2_000,),
    ("voc20", "val"): (1_449,),
    ("voc21", "val"): (1_449,),
    ("pascal-context59", "val"): (5_105, 5_104),  # the paper; the list of mmsegmentation
    ("pascal-context60", "val"): (5_105, 5_104),
    ("cityscapes", "val"): (500,),
    ("coco-stuff", "val"): (5_000,),
    ("coco-object", "val"): (5_000,),
}
"""Data set and split to its number of images; two numbers where two official lists exist."""


def describe_part(name: str, split: str, images: int) -> str:
    """Say how the number of images differs from the official one.

    Args:
        name: a key of ``DATASETS``.
        split: the split.
        images: the number of images found or measured.

    Returns:
        A text such as ``48 of 1,449``. Empty for a whole split, and where no official number is known.

    Example:
        >>> describe_part("voc21", "val", 48)
        '48 of 1,449'
        >>> describe_part("voc21", "val", 1449)
        ''
    """
    official = OFFICIAL_IMAGES.get((name, split), (images,))
    if images in official:
        return ""
    return f"{images:,} {'of' if images < max(official) else 'instead of'} {max(official):,}"
