"""CVAT: the masks of a whole run as one zip, which a task imports as Segmentation mask 1.1."""

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from densezero.atomic import write_atomically
from densezero.output.coco_json import CocoImage, labels_of
from densezero.output.labels import encode_grey_from_1
from densezero.output.training_sets import VOC_LIST, VOC_MASKS, voc_labelmap
from densezero.vocabulary.classes import ClassList


def write_cvat(path: Path, images: Callable[[], Iterable[CocoImage]], classes: ClassList) -> None:
    """Write the masks of many images as one zip in the layout of VOC; memory holds one image at a time.

    Args:
        path: the file to write or to replace.
        images: gives all images with the masks of their classes, each time it is called.
        classes: the classes that the masks belong to, at most 254.

    Raises:
        OutputError: if the file cannot be written.
    """

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # PNG files are compressed already
            _add(archive, "labelmap.txt", voc_labelmap(classes).encode())
            _add(archive, VOC_LIST, "".join(f"{_name(image)}\n" for image in images()).encode())
            for image in images():
                png = encode_grey_from_1(labels_of(image, len(classes)), classes)
                for folder in VOC_MASKS:
                    _add(archive, f"{folder}/{_name(image)}.png", png)

    write_atomically(path, write, durable=True)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file without its time, so that equal runs give equal zips."""
    archive.writestr(zipfile.ZipInfo(name), content)


def _name(image: CocoImage) -> str:
    """The image's name without its ending; bytes that are no text are spelled out."""
    return image.stem.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
