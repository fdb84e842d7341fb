"""The settings of ``evaluate`` and ``report``, with their defaults. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.engine.presets import DEFAULT_PROTOCOL
from densezero.errors import InputError
from densezero.heads.names import DEFAULT_SIDE_PX, RATIO
from densezero.jobs.heads.rules import check_head, check_input


@dataclass(frozen=True)
class EvaluateSettings:
    """One request to evaluate an encoder on a benchmark.

    Args:
        dataset: name of the data set.
        root: folder that holds it.
        out: the report's file.
        model: a model's name, or a path.
        protocol: a preset's name; an ``ovss`` preset takes its paper's constants for the benchmark.
        split: of the data set.
        vocabulary: another class list for the same labels, packaged or a file; None takes the one that the protocol
            expects: its paper's words, or the data set's own.
        templates: prompt templates, a name or a file; None takes the protocol's.
        device: where to compute.
        dtype: numeric type of the vision tower; float32 reproduces.
        limit: number of images, from the first; None takes all.
        images: a file that names the images to take, one a line; None takes all.
        boundary: also measure boundary IoU, which takes longer than all other counting.
        readout: of the encoder's last block; None takes the protocol's.
        refine: ``"none"``, ``"grid"`` or ``"pamr"``; None takes the protocol's.
        background: words for the class called background, ``wall, floor`` or ``auto``; None takes the class list's.
        name: of the data set in tables and figures; None takes its folder's name for own data, else the benchmark's.
        head: ``"ade20k"`` for the segmentation head of the model, or a head's file, in place of words; or None.
        preset: of a head, ``"ratio"`` or ``"official"``; how an image becomes the model input.

    Raises:
        InputError: if the limit is below 1, the name is empty, or there is a head and options for words.
    """

    dataset: str
    root: Path
    out: Path
    model: str = DEFAULT_MODEL
    protocol: str = DEFAULT_PROTOCOL
    split: str = "val"
    vocabulary: str | None = None
    templates: str | None = None
    device: str = "auto"
    dtype: str = "float32"
    limit: int | None = None
    images: Path | None = None
    boundary: bool = False
    readout: str | None = None
    refine: str | None = None
    background: str | None = None
    name: str | None = None
    head: str | None = None
    preset: str = RATIO

    def __post_init__(self) -> None:
        others = {
            "--vocabulary": self.vocabulary, "--templates": self.templates, "--background": self.background,
            "--protocol": self.protocol != DEFAULT_PROTOCOL, "--readout": self.readout, "--refine": self.refine,
        }  # fmt: skip
        check_head(self.head, self.preset, None, others)
        if self.limit is not None and self.limit < 1:
            raise InputError(f"Expected a limit of at least 1 image; got {self.limit}.")
        if self.name is not None and not self.name.strip():
            raise InputError("Expected a name of the data set in --name; got an empty one.")


@dataclass(frozen=True)
class DepthSettings:
    """One request to evaluate the depth of a model on NYU Depth v2.

    Args:
        root: folder that holds the data set.
        out: the report's file.
        model: name or path of a model with a depth head.
        heads: at most one file or folder of a depth head, in place of the model's own.
        device: where to compute.
        dtype: numeric type of the vision tower; float32 reproduces.
        preset: ``"ratio"`` or ``"official"``, as in ``PRESETS``.
        limit: number of images, from the first of the test set; None takes all.
        eigen_crop: count the pixels inside the crop of Eigen et al. alone, as most papers do.

    Raises:
        InputError: if the limit is below 1, or the preset is unknown.
    """

    root: Path
    out: Path
    model: str = DEFAULT_MODEL
    heads: tuple[Path, ...] = ()
    device: str = "auto"
    dtype: str = "float32"
    preset: str = RATIO
    limit: int | None = None
    eigen_crop: bool = False

    def __post_init__(self) -> None:
        check_input(self.preset, DEFAULT_SIDE_PX)
        if self.limit is not None and self.limit < 1:
            raise InputError(f"Expected a limit of at least 1 image; got {self.limit}.")


@dataclass(frozen=True)
class ReportSettings:
    """One request to draw a report.

    Args:
        report: the report's file.
        out: an HTML file, or a folder for PNG files.
        root: where the data set is now; None takes the report's own.
        model: where the weights are now; None takes the report's own.
        count: how many best and how many worst images to show; 0 shows none.
        overwrite: replace files that densezero did not write.

    Raises:
        InputError: if the count is negative.
    """

    report: Path
    out: Path
    root: Path | None = None
    model: str | None = None
    count: int = 3
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.count < 0:
            raise InputError(f"Expected a count of images of 0 or more; got {self.count}.")
