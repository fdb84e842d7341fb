"""The files of what heads predict: depth, normals and labels. Where they lie, and how a map becomes their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_bytes
from densezero.errors import OutputError, did_you_mean
from densezero.output.depth_picture import draw_depth
from densezero.output.depth_png import encode_depth_png
from densezero.output.formats import MAP_FORMATS
from densezero.output.image_files import FORMATS, ImageResult
from densezero.output.map_npz import encode_map_npz
from densezero.output.normals_png import encode_normals_png, normals_to_rgb
from densezero.output.overlay import draw_overlay, drawn_hw
from densezero.output.paths import refuse_shared_outputs, stem_of
from densezero.output.picture import encode_jpeg
from densezero.output.point_cloud import assumed_focal_px, encode_ply
from densezero.vocabulary.classes import ClassList


@dataclass(frozen=True)
class MapResult:
    """A map of one image, and what its files need beside it.

    Args:
        values: depth (H, W) metres, normals (H, W, 3), or labels (H, W).
        rgb: (H, W, 3) the picture.
        classes: of labels.
        focal_px: focal length for a point cloud; None assumes one.
    """

    values: NDArray[Any]
    rgb: NDArray[np.uint8]
    classes: ClassList | None = None
    focal_px: float | None = None

    @property
    def labelled(self) -> ImageResult:
        """The labels as the formats of ``segment`` take them."""
        assert self.classes is not None, "labels come with their classes"
        return ImageResult(self.rgb, self.values, self.classes)


@dataclass(frozen=True)
class MapFile:
    """A kind of file: its folder, its suffix, and how a map becomes its bytes."""

    folder: str
    suffix: str
    encode: Callable[[MapResult], bytes]


def _encode_points(result: MapResult) -> bytes:
    focal_px = result.focal_px or assumed_focal_px((result.rgb.shape[0], result.rgb.shape[1]))
    return encode_ply(result.rgb, result.values, focal_px)


def _of_labels(name: str) -> MapFile:
    form = FORMATS[name]
    return MapFile(form.folder, form.suffix, lambda result: form.encode(result.labelled))


MAP_FILES: Final[dict[str, dict[str, MapFile]]] = {
    "depth": {
        "png": MapFile("depth", ".png", lambda result: encode_depth_png(result.values)),
        "npz": MapFile("depth", ".npz", lambda result: encode_map_npz({"depth": result.values})),
        "picture": MapFile("depth-pictures", ".jpg", lambda result: encode_jpeg(draw_depth(result.values))),
        "ply": MapFile("points", ".ply", _encode_points),
    },
    "normals": {
        "png": MapFile("normals", ".png", lambda result: encode_normals_png(result.values)),
        "npz": MapFile("normals", ".npz", lambda result: encode_map_npz({"normals": result.values})),
    },
    "segmentation": {"png": _of_labels("labels"), "picture": _of_labels("overlay")},
}
"""The files of each image, by the task of the head and the name that a person asks with."""


def draw_map(task: str, result: MapResult) -> NDArray[np.uint8]:
    """Draw a map for people, (H', W', 3): depth with a scale in metres, normals as colours, labels over the picture."""
    if task == "depth":
        return draw_depth(result.values)
    if task == "normals":
        height, width = drawn_hw(result.values.shape[0], result.values.shape[1])
        return np.asarray(cv2.resize(normals_to_rgb(result.values), (width, height), interpolation=cv2.INTER_AREA))
    return draw_overlay(result.rgb, result.values, result.labelled.classes)


@dataclass(frozen=True)
class MapPlan:
    """The names of a run's files below its output folder; its inputs are known not to share an output.

    Args:
        tasks: of the heads.
        formats: names in ``MAP_FORMATS``. A task is written in those that it has.
        keep_suffix: whether the names keep the input's last suffix.
        focal_px: focal length for point clouds; None assumes one.
    """

    tasks: tuple[str, ...]
    formats: tuple[str, ...]
    keep_suffix: bool = False
    focal_px: float | None = None

    def files(self, relative: PurePath | str) -> dict[str, tuple[str, MapFile]]:
        """The files of one input: name to the task and the kind of the file."""
        stem = stem_of(relative, self.keep_suffix)
        kinds = [(task, kind) for task in self.tasks for name, kind in MAP_FILES[task].items() if name in self.formats]
        return {f"{kind.folder}/{stem}{kind.suffix}": (task, kind) for task, kind in kinds}

    def write(self, relative: PurePath | str, results: dict[str, MapResult], path_of: Callable[[str], Path]) -> None:
        """Write the files of one image, each whole or not at all, and wait until the device holds them.

        Args:
            relative: the input's path below the input folder.
            results: the map of each task.
            path_of: gives the path of a file from its name.

        Raises:
            OutputError: if a file cannot be written.
        """
        for name, (task, kind) in self.files(relative).items():
            write_bytes(path_of(name), kind.encode(results[task]))


def plan_maps(
    relatives: Sequence[PurePath | str],
    tasks: Sequence[str],
    formats: Iterable[str],
    keep_suffix: bool = False,
    focal_px: float | None = None,
) -> MapPlan:
    """Plan the files of a run, before any work starts.

    Args:
        relatives: the inputs' paths relative to the input folder, with their suffixes.
        tasks: of the heads.
        formats: names in ``MAP_FORMATS``, in any order.
        keep_suffix: a.jpg gives a.jpg.png, so that a.jpg and a.png can lie side by side.
        focal_px: focal length for point clouds, pixels; None assumes one.

    Raises:
        OutputError: for a format that no task has, a task without any of the formats, a focal length without a point
            cloud, or two inputs that would write the same file.
    """
    asked = list(dict.fromkeys(formats))
    known = list(dict.fromkeys(name for task in tasks for name in MAP_FORMATS[task]))
    for name in asked:
        if name not in known:
            raise OutputError(
                f"Expected a format of {' and '.join(tasks)} to save; got {name!r}. {did_you_mean(name, known)}"
            )
    for task in tasks:
        if not {*MAP_FORMATS[task]} & {*asked}:
            raise OutputError(
                f"Expected a format of {task} to save: {', '.join(MAP_FORMATS[task])}; "
                f"got {', '.join(asked) or 'none'}."
            )
    if focal_px is not None and ("ply" not in asked or not 0 < focal_px < float("inf")):
        what = f"got {focal_px:g}" if "ply" in asked else "got another --save"
        raise OutputError(f"Expected --focal above 0 pixels, with --save ply; {what}.")
    plan = MapPlan(tuple(tasks), tuple(name for name in known if name in asked), keep_suffix, focal_px)
    suffixes = {MAP_FILES[task][name].suffix for task in tasks for name in plan.formats if name in MAP_FILES[task]}
    refuse_shared_outputs(relatives, sorted(suffixes), keep_suffix)
    return plan
