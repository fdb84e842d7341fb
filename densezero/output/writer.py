"""The plan of a run's files, and the writer of those of an image."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from densezero.atomic import link_atomically, write_bytes
from densezero.errors import OutputError, did_you_mean
from densezero.output.coco import encode_coco, read_coco
from densezero.output.coco_instances import OBJECT_FILES, min_area_of
from densezero.output.coco_json import Piece
from densezero.output.formats import (
    ALIASES,
    CRS_NAMES,
    EIGHT_BIT_FORMATS,
    MASK_FORMATS,
    MIN_AREA_PX,
    NAMES,
    OBJECT_FORMATS,
    RUN_FORMATS,
    run_files_of,
)
from densezero.output.image_files import FORMATS, Format, ImageResult, image_files
from densezero.output.labelme import refuse_json_pictures
from densezero.output.labels import MAX_PALETTE_CLASSES
from densezero.output.paths import flat_name, refuse_shared_names, refuse_shared_outputs, stem_of
from densezero.output.training_sets import refuse_voc_names, refuse_yolo_folders
from densezero.vocabulary.classes import ClassList

_ALONE = {
    **{name: FORMATS[name] for name in ("labels", "overlay", "polygons", "scores")},
    "coco": Format("", ".json", lambda result: encode_coco(result.labels, result.classes)),
}
"""The formats of a single file that holds one image, by its ending."""


@dataclass(frozen=True)
class OutputPlan:
    """The names of a run's files below its output folder; its inputs are known not to share an output."""

    formats: tuple[str, ...]
    """Names in ``NAMES``, each once."""
    keep_suffix: bool = False
    """Whether the names keep the input's last suffix."""
    min_area_px: int = MIN_AREA_PX
    """Smaller regions are left out of ``OBJECT_FORMATS``."""
    crs: str = CRS_NAMES[0]
    """The coordinates of ``geojson``."""

    def files(self, relative: PurePath | str) -> dict[str, str]:
        """The files of one input. Their keys are the names of formats with one file, and folders of others."""
        stem = stem_of(relative, self.keep_suffix)
        own = PurePath(relative).suffix
        return {
            (name if name in FORMATS else form.folder + form.suffix): (
                f"{form.folder}/{flat_name(stem) if form.is_flat else stem}{form.suffix or own}"
            )
            for name in self.formats
            for form in image_files(name)
        }

    def image_files(self, relatives: Iterable[PurePath | str]) -> tuple[list[str], list[str]]:
        """The files of all inputs: those that are made, and those that may be hard links to the inputs."""
        forms = [form for name in self.formats for form in image_files(name)]
        pairs = [pair for one in relatives for pair in zip(forms, self.files(one).values(), strict=True)]
        return [file for form, file in pairs if not form.is_photo], [file for form, file in pairs if form.is_photo]

    def files_of(self, name: str, relative: PurePath | str) -> list[str]:
        """The files of one input in one format."""
        return list(replace(self, formats=(name,)).files(relative).values())

    def run_files(self) -> dict[str, str]:
        """The files of the whole run, and the format of each."""
        return {file: name for name in self.formats for file in run_files_of(name)}

    def with_min_area(self, asked: int | None, path_of: Callable[[str], Path]) -> "OutputPlan":
        """The same plan with the smallest area of an object.

        Args:
            asked: pixels; None takes what the file of an earlier run has, or ``MIN_AREA_PX``.
            path_of: gives the path of a file from its name.

        Raises:
            OutputError: if it is below 1, or no format needs it.
        """
        if asked is not None and (asked < 1 or not {*OBJECT_FORMATS} & {*self.formats}):
            what = f"got {asked}" if asked < 1 else "got another --save"
            raise OutputError(f"Expected --min-area of 1 or more, with --save {' or '.join(OBJECT_FORMATS)}; {what}.")
        earlier = (min_area_of(path_of(file)) for file in OBJECT_FILES)
        return replace(self, min_area_px=asked or next(filter(None, earlier), MIN_AREA_PX))

    def is_current(self, path_of: Callable[[str], Path]) -> bool:
        """Whether the files of the whole run that are there were made with the smallest area of this plan."""
        files = {*OBJECT_FILES} & {*self.run_files()}
        return all(min_area_of(path_of(file)) == self.min_area_px for file in files)

    @property
    def has_masks(self) -> bool:
        """Whether files of the whole run need the masks of every image."""
        return "coco" in self.formats

    def score_bytes(self, n_classes: int) -> int:
        """The memory that the scores and the confidence of a pixel take until they are written."""
        return (4 * n_classes if "scores" in self.formats else 0) + (4 if "confidence" in self.formats else 0)

    def recall(self, path_of: Callable[[str], Path]) -> Iterator[tuple[str, list[Piece]]]:
        """Read the masks of earlier images, by the image's name, from the file of a run that ended.

        Args:
            path_of: gives the path of a file from its name.

        Returns:
            The masks of one image at a time; of none where no format needs them, or where no such file is.
        """
        file = path_of(RUN_FORMATS["coco"])
        return read_coco(file) if self.has_masks and file.exists() else iter(())

    def refuse_classes(self, classes: ClassList) -> None:
        """Refuse classes that a format cannot hold.

        Raises:
            OutputError: for more classes than fit into the 8 bits of a format, or a name that VOC cannot hold.
        """
        narrow = [name for name in self.formats if name in EIGHT_BIT_FORMATS]
        if narrow and len(classes) > MAX_PALETTE_CLASSES:
            raise OutputError(
                f"Expected at most {MAX_PALETTE_CLASSES} classes for {', '.join(narrow)}, whose readers take 8 bits a "
                f"pixel; got {len(classes)}. Save grey or coco instead, or name fewer classes."
            )
        if {"voc", "cvat"} & {*self.formats}:
            refuse_voc_names(classes)

    def write(self, relative: PurePath | str, result: ImageResult, path_of: Callable[[str], Path]) -> None:
        """Write the files of one image, each whole or not at all, and wait until the device holds them.

        Args:
            relative: the input's path below the input folder.
            result: the picture, its labels and what else the formats need.
            path_of: gives the path of a file from its name.

        Raises:
            OutputError: if a file cannot be written.
        """
        photo = PurePath(stem_of(relative, self.keep_suffix)).name + PurePath(relative).suffix
        result = replace(result, photo=photo, crs=self.crs)
        for name in self.formats:
            for form, file in zip(image_files(name), self.files_of(name, relative), strict=True):
                if form.is_photo and result.source is not None and link_atomically(result.source, path_of(file)):
                    continue
                write_bytes(path_of(file), form.encode(result))


def check_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """Check the names of formats.

    Args:
        formats: names in ``NAMES``, in any order.

    Returns:
        Each name once, in the order of the table.

    Raises:
        OutputError: a name that is unknown, or no name at all.
    """
    known = list(NAMES)
    asked = set(formats)
    if not asked:
        raise OutputError(f"Expected at least one format to save, got none. Known: {', '.join(known)}.")
    for name in sorted(asked - set(known)):
        raise OutputError(
            f"Expected the name of a format to save, got {name!r}. {did_you_mean(ALIASES.get(name, name), known)}"
        )
    return tuple(name for name in known if name in asked)


def plan_outputs(
    relatives: Sequence[PurePath | str], formats: Iterable[str], keep_suffix: bool = False, earlier: Iterable[str] = ()
) -> OutputPlan:
    """Plan the files of a run, before any work starts.

    Args:
        relatives: the inputs' paths relative to the input folder, with their suffixes.
        formats: names in ``NAMES``. ``coco`` is added where a later run needs it to go on.
        keep_suffix: a.jpg gives a.jpg.png, so that a.jpg and a.png can lie side by side.
        earlier: files of the whole run that an earlier run wrote. Their formats are kept up to date.

    Returns:
        The plan, which gives the names of the files.

    Raises:
        OutputError: if a format is unknown; if an input's path is not relative, or a format cannot hold it; if two
            inputs would write the same file, also where only upper and lower case differ, which some file systems do
            not tell apart.
    """
    there = set(earlier)
    names = check_formats([*check_formats(formats), *(name for name in NAMES if there & {*run_files_of(name)})])
    if set(names) & MASK_FORMATS:
        names = check_formats([*names, "coco"])
    if {"labelme", "labelme-polygons"} & {*names}:
        refuse_json_pictures(relatives)
    if {"yolo", "yolo-semantic"} & {*names}:
        refuse_yolo_folders(relatives)
    if "datumaro" in names:
        refuse_shared_names(relatives, keep_suffix)
    suffixes = {form.suffix for name in names for form in image_files(name)}
    refuse_shared_outputs(relatives, sorted(suffixes - {""}), keep_suffix)
    return OutputPlan(names, keep_suffix)


def write_single(path: Path, result: ImageResult, overwrite: bool, source: Path | None = None) -> Path:
    """Write one file of one image; its ending chooses the format.

    Args:
        path: the file to write.
        result: the picture, its labels and what else the format needs.
        overwrite: replace a file that exists.
        source: the file of the picture, which is never replaced.

    Returns:
        The path.

    Raises:
        OutputError: for an ending without a format, a file that exists, or one that cannot be written.
    """
    suffix = path.suffix.lower().replace(".jpeg", ".jpg")
    chosen = next((known for known in _ALONE.values() if known.suffix == suffix), None)
    if chosen is None:
        endings = ", ".join(f"{known.suffix} ({name})" for name, known in _ALONE.items())
        raise OutputError(f"Expected a file name that ends in one of {endings}; got {path}.")
    if source is not None and path.exists() and path.samefile(source):
        raise OutputError(f"{path} is the picture itself, which is never replaced. Choose another name.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists. Choose another name, or replace it with overwrite=True.")
    write_bytes(path, chosen.encode(result))
    return path
