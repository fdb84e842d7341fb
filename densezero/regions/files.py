"""Regions that other tools made: a folder of label PNGs or COCO JSON, or one COCO file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from densezero.errors import InputError
from densezero.images import FoundImage
from densezero.images.label_maps import read_label_map
from densezero.images.region_maps import MAP_BYTES, Regions, region_map
from densezero.regions.coco_file import is_same_name, masks_by_image, masks_of_one, read_json
from densezero.regions.run_lengths import read_masks
from densezero.regions.source import RegionSource

SUFFIXES: Final = (".png", ".json")
_NAMED = 5  # files that a message lists


class RegionFiles(RegionSource):
    """Regions in files.

    For an image ``a/b.jpg`` it takes ``a/b.jpg.png``, ``a/b.jpg.json``, ``a/b.png`` or ``a/b.json`` below the folder.
    Images without one are looked up in the COCO files that lie in the folder itself.

    Args:
        place: a folder, or one COCO file.
        images: of the run.
        note: called with a sentence about images without regions, and about files that are not used.

    Raises:
        InputError: if there are no regions for any of the images, or several for one of them, or a file is damaged.
    """

    px_bytes = MAP_BYTES

    def __init__(self, place: Path, images: Sequence[FoundImage], note: Callable[[str], None]) -> None:
        super().__init__(images)
        self.place = place
        self._listed: dict[str, list[Any]] = {}  # segmentations by the image's name, where a COCO file lists them
        files = {} if place.is_file() else self._pair()
        self._look_up([image for image in images if str(image.relative) not in files], files)
        if not files:
            raise InputError(self._nothing_found())
        self.images = tuple(
            replace(image, companions=(files[name],)) if (name := str(image.relative)) in files else image
            for image in images
        )
        self.without = tuple(str(image.relative) for image in self.images if not image.companions)
        self._tell(set(files.values()), note)

    def start(self, device: torch.device) -> dict[str, Any]:  # noqa: ARG002
        """Name the place. The content of the files is compared image by image."""
        return {"regions": str(self.place.absolute())}

    def read(self, image: FoundImage, hw: tuple[int, int]) -> Regions | None:
        """Read a label map, or masks. None where the image has no file."""
        if not image.companions:
            return None
        (file,) = image.companions
        try:
            if file.suffix.lower() == ".png":
                return region_map(read_label_map(file), hw)
            listed = self._listed.get(str(image.relative))
            return read_masks(masks_of_one(file) if listed is None else listed, hw)
        except InputError as error:
            raise InputError(str(error) if str(file) in str(error) else f"{file}: {error}") from None

    def _pair(self) -> dict[str, Path]:
        """Find the file that has the name of each image."""
        files: dict[str, Path] = {}
        owners: dict[Path, FoundImage] = {}
        for image in self.images:
            file = self._find(image)
            if file is None:
                continue
            first = owners.setdefault(file, image)
            if first is not image:
                raise InputError(
                    f"Expected regions of their own for {first.relative} and {image.relative}; both would take {file}. "
                    f"Name the files after the whole names, such as {image.path.name}{file.suffix}."
                )
            files[str(image.relative)] = file
        return files

    def _find(self, image: FoundImage) -> Path | None:
        whole = self.place / image.relative
        for stem in (whole, whole.with_suffix("")):
            named = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
            found = [file for file in named if file.is_file() and file.absolute() != image.path.absolute()]
            if len(found) > 1:
                raise InputError(
                    f"Expected one file with the regions of {image.relative}; got {found[0]} and {found[1]}. Remove "
                    "one of them."
                )
            if found:
                return found[0]
        return None

    def _look_up(self, images: Sequence[FoundImage], files: dict[str, Path]) -> None:
        """Find the images that have no file of their own in COCO files with many images."""
        if not images:
            return
        by_name: dict[str, list[tuple[Path, str, list[Any]]]] = defaultdict(list)
        for file in self._coco_files(set(files.values())):
            for name, segmentations in masks_by_image(file, read_json(file)) or ():
                by_name[Path(name).name].append((file, name, segmentations))
        for image in images:
            fitting = [each for each in by_name[image.relative.name] if is_same_name(each[1], image.relative)]
            if len(fitting) > 1:
                raise InputError(
                    f"Expected one set of masks for {image.relative}; got {fitting[0][1]} in {fitting[0][0]} and "
                    f"{fitting[1][1]} in {fitting[1][0]}. Give one file as --regions FILE, or longer names."
                )
            for file, _, segmentations in fitting:
                files[str(image.relative)], self._listed[str(image.relative)] = file, segmentations

    def _coco_files(self, taken: set[Path]) -> Iterable[Path]:
        if self.place.is_file():
            return [self.place]
        return sorted(file for file in self.place.glob("*.json") if file not in taken and file.is_file())

    def _nothing_found(self) -> str:
        first, count = self.images[0].relative, len(self.images)
        if self.place.is_file():
            looked_for = f"an image called {first} among the images of this COCO file"
        else:
            looked_for = (
                f"{first.with_suffix('.png')}, {first.with_suffix('.json')}, or a COCO file that lists {first.name}"
            )
        return (
            f"Expected regions for the images in {self.place}, for example {looked_for}; found none for "
            f"{'the image' if count == 1 else f'any of the {count} images'}. Name the files after the images."
        )

    def _tell(self, taken: set[Path], note: Callable[[str], None]) -> None:
        """Say which images have no regions, and how many files belong to no image."""
        if self.without:
            note(
                f"{len(self.without)} of {len(self.images)} images have no regions ({_few(self.without)}); their "
                "pixels keep their own labels"
            )
        if self.place.is_file():
            return
        own = {image.path.absolute() for image in self.images}
        below = (file for file in self.place.rglob("*") if file.suffix.lower() in SUFFIXES)
        unused = sorted(file for file in below if file not in taken and file.absolute() not in own)
        if unused:
            names = [str(file.relative_to(self.place)) for file in unused]
            note(f"{len(unused)} files in {self.place} are regions of no image of this run ({_few(names)})")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
