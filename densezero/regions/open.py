"""Turns the value of ``--regions`` into a source of regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from densezero.errors import InputError
from densezero.images import FoundImage
from densezero.regions.files import RegionFiles
from densezero.regions.sam2 import DEFAULT_SAM2, SAM2, Sam2Regions
from densezero.regions.source import RegionSource


def open_regions(given: str | None, images: Sequence[FoundImage], note: Callable[[str], None]) -> RegionSource:
    """Find the regions of a run.

    Args:
        given: a folder, a COCO file, ``sam2`` or ``sam2:NAME``; None for no regions.
        images: of the run.
        note: called with sentences that the user should read.

    Raises:
        InputError: if the place does not exist, or holds no masks that can be read.
    """
    if given is None:
        return RegionSource(images)
    kind, colon, name = given.partition(":")
    if kind == SAM2 and (not colon or name):
        return Sam2Regions(images, name or DEFAULT_SAM2)
    place = Path(given).expanduser()
    if not place.exists():
        raise InputError(
            f"Expected --regions as a folder of label PNGs or COCO JSON, a COCO file, {SAM2}, or {SAM2}:NAME; there is "
            f"no {given}. Check the spelling."
        )
    return RegionFiles(place, images, note)
