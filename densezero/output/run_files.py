"""Writes the files of a whole run, from what the journal says of each image; memory holds one image at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from densezero.output.areas import Seconds, write_areas_csv, write_wide_areas_csv
from densezero.output.coco import write_coco
from densezero.output.coco_instances import write_instances
from densezero.output.coco_json import CocoImage
from densezero.output.coco_panoptic import PANOPTIC, write_panoptic
from densezero.output.cvat import write_cvat
from densezero.output.label_studio import POLYGONS, write_interface, write_tasks
from densezero.output.paths import stem_of
from densezero.output.training_sets import (
    VOC_LIST,
    write_datumaro_meta,
    write_mmseg_config,
    write_names,
    write_voc_labelmap,
    write_voc_list,
    write_yolo_data,
)
from densezero.output.writer import OutputPlan
from densezero.vocabulary.classes import ClassList


class Entry(Protocol):
    """What is known of an image when the files of the whole run are written."""

    @property
    def relative(self) -> str:
        """Its path below the input folder."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Its files, below the output folder."""

    @property
    def hw(self) -> tuple[int, int] | None:
        """Height and width, pixels; None if it failed."""

    @property
    def pixels(self) -> dict[int, int] | None:
        """Pixels of each class that occurs, by class index; None if it failed."""

    @property
    def pieces(self) -> list[Any] | None:
        """Its masks, as ``coco_pieces`` gives them; None if no format needs them."""


Entries = Callable[[], Iterable[Entry]]
"""Gives the images of a run, each time it is called."""


def write_run_files(
    plan: OutputPlan,
    entries: Entries,
    classes: ClassList,
    path_of: Callable[[str], Path],
    seconds: Seconds | None = None,
) -> None:
    """Write every file of the whole run. It is made anew from all images, so a resumed run gives the same files.

    A format with files of each image names only the images whose files are there.

    Args:
        plan: says which files, and how the images' files are called.
        entries: gives all images, each time it is called, in the order of the manifest.
        classes: the classes of the run.
        path_of: gives the path of a file from its name.
        seconds: gives the time of each frame of a film, for the tables.

    Raises:
        OutputError: if a file cannot be written.
    """
    for file, form in plan.run_files().items():
        images = _Images(plan, form, entries, seconds)
        _WRITERS[file](path_of(file), images, classes)


@dataclass(frozen=True)
class _Images:
    """The images that a format names."""

    plan: OutputPlan
    form: str
    entries: Entries
    seconds: Seconds | None

    def each(self) -> Iterator[Entry]:
        for entry in self.entries():
            if entry.hw is not None and {*self.plan.files_of(self.form, entry.relative)} <= {*entry.outputs}:
                yield entry

    def areas(self) -> Iterator[tuple[str, Mapping[int, int]]]:
        return ((entry.relative, entry.pixels) for entry in self.each() if entry.pixels is not None)

    def stems(self) -> Iterator[str]:
        return (stem_of(entry.relative, self.plan.keep_suffix) for entry in self.each())

    def names(self) -> Iterator[str]:
        return (entry.relative for entry in self.each())

    def masks(self) -> Iterator[CocoImage]:
        for entry in self.each():
            if entry.hw is not None and entry.pieces is not None:
                stem = stem_of(entry.relative, self.plan.keep_suffix)
                yield CocoImage(entry.relative, entry.hw, entry.pieces, stem)


_WRITERS: Final[dict[str, Callable[[Path, _Images, ClassList], None]]] = {
    "areas.csv": lambda path, images, classes: write_areas_csv(path, images.areas(), classes, images.seconds),
    "areas-wide.csv": lambda path, images, classes: write_wide_areas_csv(path, images.areas(), classes, images.seconds),
    "coco.json": lambda path, images, classes: write_coco(path, images.masks, classes),
    "coco-instances.json": lambda path, images, classes: write_instances(
        path, images.masks, classes, images.plan.min_area_px
    ),
    "coco-instances-polygons.json": lambda path, images, classes: write_instances(
        path, images.masks, classes, images.plan.min_area_px, as_polygons=True
    ),
    f"{PANOPTIC}.json": lambda path, images, classes: write_panoptic(path, images.masks, classes),
    "cvat.zip": lambda path, images, classes: write_cvat(path, images.masks, classes),
    "voc/labelmap.txt": lambda path, _, classes: write_voc_labelmap(path, classes),
    f"voc/{VOC_LIST}": lambda path, images, _: write_voc_list(path, images.stems()),
    "datumaro/dataset_meta.json": lambda path, _, classes: write_datumaro_meta(path, classes),
    "yolo/data.yaml": lambda path, _, classes: write_yolo_data(path, classes, is_semantic=False),
    "yolo-semantic/data.yaml": lambda path, _, classes: write_yolo_data(path, classes, is_semantic=True),
    "mmseg/dataset.py": lambda path, images, classes: write_mmseg_config(path, images.names(), classes),
    "labelme/labels.txt": lambda path, _, classes: write_names(path, classes),
    "labelme-polygons/labels.txt": lambda path, _, classes: write_names(path, classes),
    "label-studio/tasks.json": lambda path, images, classes: write_tasks(path, images.masks(), classes),
    "label-studio/config.xml": lambda path, _, classes: write_interface(path, classes),
    "label-studio-polygons/tasks.json": lambda path, images, classes: write_tasks(
        path, images.masks(), classes, POLYGONS
    ),
    "label-studio-polygons/config.xml": lambda path, _, classes: write_interface(path, classes, POLYGONS),
}
"""How each file of the whole run is written."""
