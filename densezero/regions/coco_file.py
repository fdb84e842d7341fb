"""COCO JSON with the masks of one image, or of many images."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from densezero.errors import InputError

_NAMED = 5  # ids that a message lists


class NamedMasks(NamedTuple):
    """The name of an image's file, and the segmentation of each of its masks."""

    name: str
    segmentations: list[Any]


def read_json(file: Path) -> Any:
    """Read JSON; raise InputError if it is damaged."""
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{file}: expected masks as JSON, but it cannot be read ({error}); it is cut short or damaged; copy or "
            "make it again"
        ) from None


def masks_by_image(file: Path, data: Any) -> list[NamedMasks] | None:
    """List the images of a COCO file with many images, and the masks of each.

    Args:
        file: for messages.
        data: its JSON.

    Returns:
        The images in the order of the file; None if it is another kind of JSON.

    Raises:
        InputError: if annotations have no segmentation, or the id of an image that the file does not list.
    """
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in ("images", "annotations")):
        return None
    try:
        found = {image["id"]: NamedMasks(str(image["file_name"]), []) for image in data["images"]}
        unknown = [item["image_id"] for item in data["annotations"] if item["image_id"] not in found]
        if not unknown:
            for item in data["annotations"]:
                found[item["image_id"]].segmentations.append(_segmentation(item))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{file}: expected COCO's images with id and file_name, and annotations with image_id and segmentation; "
            f"one is different ({type(error).__name__}: {error}); make the file again"
        ) from None
    if unknown:
        some = ", ".join(str(number) for number in list(dict.fromkeys(unknown))[:_NAMED])
        raise InputError(
            f"{file}: expected only annotations of images that the file lists; got {len(unknown)} with another "
            f"image_id ({some}); add these images to the file, or remove the annotations"
        )
    return list(found.values())


def masks_of_one(file: Path) -> list[Any]:
    """Read the masks of a file that belongs to one image.

    It holds a list of masks, as SAM's mask generator gives it, or a dictionary with this list as ``annotations``.

    Raises:
        InputError: if it holds something else, or the masks of several images.
    """
    data = read_json(file)
    several = masks_by_image(file, data)
    if several is not None and len(several) > 1:
        raise InputError(
            f"{file}: expected the masks of one image, because the file has the name of an image; it lists "
            f"{len(several)} images; give the file itself as --regions, or rename it"
        )
    items = data.get("annotations") if isinstance(data, dict) else data
    try:
        if not isinstance(items, list):
            raise TypeError(f"got {type(items).__name__}")
        return [_segmentation(item) for item in items]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{file}: expected a list of masks with a segmentation each, or a dictionary with this list as annotations "
            f"({type(error).__name__}: {error}); make the file again"
        ) from None


def is_same_name(name: str, relative: PurePosixPath) -> bool:
    """Whether a COCO file's name of an image fits its path; either may have more folders in front.

    Example:
        >>> is_same_name("val2017/1.jpg", PurePosixPath("1.jpg"))
        True
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    shared = min(len(parts), len(relative.parts))
    return shared > 0 and parts[-shared:] == relative.parts[-shared:]


def _segmentation(item: dict[str, Any]) -> Any:
    return item if "counts" in item else item["segmentation"]
