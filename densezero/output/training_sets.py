"""The small files of training layouts: names of classes and lists of images, as each library reads them."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final

import numpy as np

from densezero.atomic import write_atomically, write_bytes
from densezero.errors import OutputError
from densezero.vocabulary.classes import ClassList

SPLIT: Final = "train"
"""The folder of the images. A part of them can be moved to another one, for validation."""

VOC_LIST: Final = "ImageSets/Segmentation/default.txt"
VOC_MASKS: Final = ("SegmentationClass", "SegmentationObject")
"""The folders of the masks. The same masks are in both, because readers take pixels without an object for a class."""

YOLO_IMAGES: Final = f"images/{SPLIT}"
"""Where Ultralytics looks for images; for their labels it takes another word for the first."""

_NOTHING: Final = ("background", "unlabelled", "no label", "no class")


def refuse_voc_names(classes: ClassList) -> None:
    """Refuse names that ``labelmap.txt`` cannot hold.

    Raises:
        OutputError: if a name has a colon or a line break, or begins with ``#``.
    """
    if bad := [name for name in classes.names if ":" in name or "#" in name[:1] or len(name.splitlines()) > 1]:
        raise OutputError(
            "Expected class names for voc and cvat without a colon, which ends a name in labelmap.txt, and without # "
            f"in front, which begins a comment; got {bad[0]!r}. Rename the class, or save another format."
        )


def refuse_yolo_folders(relatives: Iterable[PurePath | str]) -> None:
    """Refuse images for which Ultralytics would look for the labels in a wrong folder.

    It replaces the last folder called images in the path of an image by the folder of the labels.

    Args:
        relatives: the images' paths below the input folder.

    Raises:
        OutputError: if one of their folders is called images.
    """
    if bad := [str(relative) for relative in relatives if "images" in PurePath(relative).parts[:-1]]:
        raise OutputError(
            "Expected no folder called images among the inputs for yolo and yolo-semantic, because Ultralytics would "
            f"look for the labels beside it; got {bad[0]}. Give that folder itself as the input, or save another "
            "format."
        )


def voc_labelmap(classes: ClassList) -> str:
    """Make the text of ``labelmap.txt``: a line ``name:red,green,blue::`` for each grey value of the masks.

    Args:
        classes: the classes, in the order of the grey values 1 to C.
    """
    lines = _with_nothing(classes).items()
    return "".join(f"{name}:{','.join(map(str, colour))}::\n" for name, colour in lines)


def _with_nothing(classes: ClassList) -> dict[str, list[int]]:
    """The colour of each grey value, by its name.

    The first one is black and means no class. It is called background, or another word if a class is called so. The
    readers need different colours, so classes that share one or are black get colours by their number.
    """
    colours = np.asarray(classes.colours)
    if len(np.unique(np.vstack([colours, np.zeros((1, 3), colours.dtype)]), axis=0)) <= len(classes):
        colours = np.array([[index + 1] * 3 for index in range(len(classes))])
    nothing = next(word for word in _NOTHING if word not in classes.names)
    return dict(zip([nothing, *classes.names], [[0, 0, 0], *colours.tolist()], strict=True))


def write_voc_labelmap(path: Path, classes: ClassList) -> None:
    """Write ``labelmap.txt``, as ``voc_labelmap`` makes it.

    Args:
        path: the file to write or to replace.
        classes: the classes, in the order of the grey values 1 to C.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_bytes(path, voc_labelmap(classes).encode())


def write_voc_list(path: Path, stems: Iterable[str]) -> None:
    """Write the list of images, one a line, without their endings.

    Args:
        path: the file to write or to replace.
        stems: the images' names without their endings.

    Raises:
        OutputError: if the file cannot be written.
    """
    lines = (f"{stem}\n".encode("utf-8", "surrogateescape") for stem in stems)
    write_atomically(path, lambda file: file.writelines(lines), durable=True)


def write_datumaro_meta(path: Path, classes: ClassList) -> None:
    """Write ``dataset_meta.json`` of Datumaro's common semantic segmentation: names and colours of the grey values.

    Args:
        path: the file to write or to replace.
        classes: the classes, in the order of the grey values 1 to C.

    Raises:
        OutputError: if the file cannot be written.
    """
    colours = _with_nothing(classes)
    meta = {"label_map": dict(enumerate(colours)), "segmentation_colors": [*colours.values()]}
    write_bytes(path, json.dumps(meta, ensure_ascii=False, indent=1).encode())


def write_yolo_data(path: Path, classes: ClassList, is_semantic: bool) -> None:
    """Write ``data.yaml`` for segmentation with Ultralytics.

    Training and validation name the same images, until some are moved to another folder.

    Args:
        path: the file to write or to replace.
        classes: the C classes, whose numbers are 0 to C - 1.
        is_semantic: whether the labels are masks of an image; else they are polygons of objects.

    Raises:
        OutputError: if the file cannot be written.
    """
    names = "".join(f"  {index}: {json.dumps(name, ensure_ascii=False)}\n" for index, name in enumerate(classes.names))
    what = "Masks are grey PNG files of class indices; 255 means no class." if is_semantic else "Labels are polygons."
    labels, masks_dir = ("masks", "masks_dir: masks\n") if is_semantic else ("labels", "")
    text = (
        f"# {what}\n"
        f"# Move some images and {labels} to images/val and {labels}/val, and name images/val below.\n"
        f"train: {YOLO_IMAGES}\nval: {YOLO_IMAGES}\n{masks_dir}names:\n{names}"
    )
    write_bytes(path, text.encode())


def write_mmseg_config(path: Path, photos: Iterable[str], classes: ClassList) -> None:
    """Write the configuration of a data set for mmsegmentation.

    Args:
        path: the file to write or to replace.
        photos: names of the images' files. mmsegmentation reads files of one ending only, so the most frequent one is
            named.
        classes: the classes, in the order of the grey values 0 to C - 1.

    Raises:
        OutputError: if the file cannot be written.
    """
    endings = Counter(PurePath(photo).suffix for photo in photos)
    ending = min(endings, key=lambda suffix: (-endings[suffix], suffix), default=".jpg")
    others = sum(endings.values()) - endings[ending]
    note = f"# {others} images have another ending than {ending!r}, and are not read.\n" if others else ""
    text = (
        "# A data set of mmsegmentation. Add a pipeline, and the path of the folder mmseg as data_root.\n"
        f"{note}"
        "dataset = dict(\n"
        "    type='BaseSegDataset',\n"
        "    data_root='.',\n"
        f"    data_prefix=dict(img_path='img_dir/{SPLIT}', seg_map_path='ann_dir/{SPLIT}'),\n"
        f"    img_suffix={ending!r},\n"
        "    seg_map_suffix='.png',\n"
        "    reduce_zero_label=False,\n"
        "    metainfo=dict(\n"
        f"        classes={list(classes.names)!r},\n"
        f"        palette={np.asarray(classes.colours).tolist()!r},\n"
        "    ),\n"
        ")\n"
    )
    write_bytes(path, text.encode())


def write_names(path: Path, classes: ClassList) -> None:
    """Write the names of the classes, one a line, as ``labelme --labels`` reads them.

    Args:
        path: the file to write or to replace.
        classes: the classes.

    Raises:
        OutputError: if the file cannot be written.
    """
    write_bytes(path, "".join(f"{name}\n" for name in classes.names).encode())
