"""A folder of image files with captions in text files beside them, as a source."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from densezero.errors import InputError
from densezero.images import FoundImage, find_images, read_rgb
from densezero.pretrain.data.base import Sample, Skipped, check_captions, names_hash

CAPTION_SUFFIXES: Final = (".txt", ".short.txt", ".long.txt")  # of alt, short and long


class FolderSource:
    """Image files of a folder and its sub-folders. ``boat.png`` has its alt text in ``boat.txt``.

    ``boat.short.txt`` and ``boat.long.txt`` hold a short and a detailed description. One of the three files is enough.
    The texts are UTF-8. Images without such a file are passed over and counted in ``skipped``.

    Args:
        folder: the folder.

    Raises:
        InputError: the folder cannot be read, or has no image with a caption.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.skipped = Skipped()
        other_files: Counter[str] = Counter()
        self._images: list[FoundImage] = []
        for image in find_images(folder, other_files):
            if any(file.is_file() for file in _caption_files(image.path)):
                self._images.append(image)
            else:
                self.skipped.add(str(image.relative), "image without a caption file")
        for ending, count in other_files.items():
            if ending != ".txt":
                self.skipped.counts[f"no image file ({ending or 'without ending'})"] += count
        if not self._images:
            text, beside = image.path.with_suffix(".txt").name, image.path.name
            raise InputError(
                f"{folder}: expected text files beside the images, such as {text} beside {beside}, but no image has "
                "one; write them"
            )

    def __len__(self) -> int:
        return len(self._images)

    def read(self, index: int, rng: np.random.Generator) -> Sample:
        """Read an image and its captions.

        Raises:
            InputError: the image or a text cannot be read, or all texts are empty. The message names the file.
        """
        del rng
        path = self._images[index].path
        alt, short, long = (_read_text(file) for file in _caption_files(path))
        return check_captions(Sample(read_rgb(path), alt, short, long), str(path))

    def phrases(self, rng: np.random.Generator) -> list[str]:
        """Give none: these images have no labels."""
        del rng
        return []

    def describe(self) -> dict[str, Any]:
        """Describe the source for the record of a training run."""
        names = names_hash(str(image.relative) for image in self._images)
        return {
            "source": "folder",
            "folder": str(self.folder),
            "samples": len(self),
            "names": names,
            "skipped": self.skipped.describe(),
        }


def _caption_files(image: Path) -> list[Path]:
    return [image.with_suffix(suffix) for suffix in CAPTION_SUFFIXES]


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError) as error:
        raise InputError(f"{file}: expected a text in UTF-8, but it cannot be read ({error}); save it again") from error
