"""The table of output formats, and the plan of a run's files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_bytes
from densezero.errors import OutputError, did_you_mean
from densezero.output.coco import encode_coco
from densezero.output.formats import ALIASES, RUN_FORMATS
from densezero.output.labels import encode_labels
from densezero.output.overlay import encode_overlay
from densezero.output.paths import refuse_shared_outputs, stem_of
from densezero.output.polygons import encode_polygons
from densezero.output.scores import encode_scores
from densezero.vocabulary.classes import ClassList


@dataclass(frozen=True)
class ImageResult:
    """What is known of one image when its files are written."""

    rgb: NDArray[np.uint8]
    """(H, W, 3) the picture."""
    labels: NDArray[np.integer]
    """(H, W) class indices."""
    classes: ClassList
    scores: NDArray[np.floating] | None = None
    """(C, h, w), needed by the ``scores`` format only."""


@dataclass(frozen=True)
class Format:
    """A kind of file per image: its folder, its suffix and how a result becomes its bytes."""

    folder: str
    suffix: str
    encode: Callable[[ImageResult], bytes]


def _encode_scores(result: ImageResult) -> bytes:
    if result.scores is None:
        raise OutputError("Expected scores for the scores format, got none. Keep the scores, or leave the format away.")
    return encode_scores(result.scores, result.classes)


FORMATS: dict[str, Format] = {
    "labels": Format("labels", ".png", lambda result: encode_labels(result.labels, result.classes)),
    "overlay": Format("overlays", ".jpg", lambda result: encode_overlay(result.rgb, result.labels, result.classes)),
    "polygons": Format("polygons", ".geojson", lambda result: encode_polygons(result.labels, result.classes)),
    "scores": Format("scores", ".npz", _encode_scores),
}
"""The files of each image, by the name that a person asks with."""

_ALONE = {**FORMATS, "coco": Format("", ".json", lambda result: encode_coco(result.labels, result.classes))}
"""The files that hold one image alone."""


@dataclass(frozen=True)
class OutputPlan:
    """The names of a run's files below its output folder; its inputs are known not to share an output."""

    formats: tuple[str, ...]
    """Names in ``FORMATS``, each once."""
    run_formats: tuple[str, ...]
    """Names in ``RUN_FORMATS``, each once."""
    keep_suffix: bool = False
    """Whether the names keep the input's last suffix."""

    def files(self, relative: PurePath | str) -> dict[str, str]:
        """The files of one input by the name of their format."""
        stem = stem_of(relative, self.keep_suffix)
        return {name: f"{FORMATS[name].folder}/{stem}{FORMATS[name].suffix}" for name in self.formats}

    def run_files(self) -> dict[str, str]:
        """The files of the whole run by the name of their format."""
        return {name: RUN_FORMATS[name] for name in self.run_formats}

    def also(self, files: Iterable[str]) -> "OutputPlan":
        """The same plan with those files of the whole run that an earlier run wrote, which are kept up to date."""
        there = {name for name, file in RUN_FORMATS.items() if file in set(files)}
        return replace(self, run_formats=tuple(name for name in RUN_FORMATS if name in there.union(self.run_formats)))


def check_formats(formats: Iterable[str]) -> tuple[str, ...]:
    """Check the names of formats.

    Args:
        formats: names in ``FORMATS`` and ``RUN_FORMATS``, in any order.

    Returns:
        Each name once, in the order of the tables.

    Raises:
        OutputError: a name that is unknown, or no name at all.
    """
    known = [*FORMATS, *RUN_FORMATS]
    asked = set(formats)
    if not asked:
        raise OutputError(f"Expected at least one format to save, got none. Known: {', '.join(known)}.")
    for name in sorted(asked - set(known)):
        raise OutputError(
            f"Expected the name of a format to save, got {name!r}. {did_you_mean(ALIASES.get(name, name), known)}"
        )
    return tuple(name for name in known if name in asked)


def plan_outputs(relatives: Sequence[PurePath | str], formats: Iterable[str], keep_suffix: bool = False) -> OutputPlan:
    """Plan the files of a run, before any work starts.

    Args:
        relatives: the inputs' paths relative to the input folder, with their suffixes.
        formats: names in ``FORMATS`` and ``RUN_FORMATS``.
        keep_suffix: a.jpg gives a.jpg.png, so that a.jpg and a.png can lie side by side.

    Returns:
        The plan, which gives the names of the files.

    Raises:
        OutputError: an unknown format; an input that is no relative path; two inputs that would write one output,
            also where they differ only in upper and lower case, which some file systems do not tell apart.
    """
    names = check_formats(formats)
    of_image = tuple(name for name in names if name in FORMATS)
    refuse_shared_outputs(relatives, [FORMATS[name].suffix for name in of_image], keep_suffix)
    return OutputPlan(of_image, tuple(name for name in names if name in RUN_FORMATS), keep_suffix)


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
