"""Checks of inputs and outputs before a run starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from densezero.errors import OutputError
from densezero.images import FoundImage


def check_output_folder(out: Path, inputs: Sequence[Path], images: Sequence[FoundImage]) -> None:
    """Check the output folder and the inputs' names.

    Raises:
        OutputError: if the output folder is among the inputs, is no folder or cannot be written, or if two inputs have
            one relative path.
    """
    _refuse_out_among_inputs(out, inputs)
    _refuse_unusable_out(out)
    _refuse_equal_names(images)


def check_output_file(out: Path, inputs: Sequence[Path], option: str = "--out") -> None:
    """Check that one output file can be written, and is none of the inputs.

    Args:
        out: the file.
        inputs: files that are read.
        option: that names the file.

    Raises:
        OutputError: if it is a folder or an input, or its folder cannot be written.
    """
    if out.is_dir():
        raise OutputError(f"Expected {option} as a file; {out} is a folder. Give a file's name in it.")
    refuse_inputs_as_outputs([out], inputs, option)
    _refuse_unusable_out(out.parent)


def refuse_inputs_as_outputs(outputs: Iterable[Path], inputs: Iterable[Path], option: str = "--out") -> None:
    """Refuse an output that is one of the files that are read. ``--overwrite`` does not lift this.

    Files are compared by device and file number. So links, upper and lower case and Unicode forms hide nothing.

    Args:
        outputs: the files that would be written.
        inputs: files that are read.
        option: that names the place of the outputs.

    Raises:
        OutputError: naming the output and the input.
    """
    read = {key: file for file in inputs if (key := _file_key(file))}
    for output in outputs:
        key = _file_key(output)
        if key in read:
            what = "one of the inputs" if output == read[key] else f"one of the inputs, {read[key]} by another name"
            raise OutputError(f"The output {output} is {what}, and would be lost. Choose another {option}.")


def model_files(model: str) -> list[Path]:
    """The files of a model that is given as a folder, or the file; none for the name of a model."""
    try:
        return sorted(Path(model).iterdir()) if Path(model).is_dir() else [Path(model)]
    except OSError:  # a folder that cannot be listed; loading it says so
        return []


def _file_key(path: Path) -> tuple[int, int] | None:
    """Device and file number, links followed; None where no such file can be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _refuse_out_among_inputs(out: Path, inputs: Sequence[Path]) -> None:
    """Refuse an output folder that a later run would take for input.

    Raises:
        OutputError: if the output folder is an input folder, or lies in one.
    """
    real = out.resolve()
    for given in inputs:
        if given.is_dir() and (real == given.resolve() or given.resolve() in real.parents):
            raise OutputError(
                f"The output folder {out} lies in the input folder {given}: the next run would take its pictures for "
                "input. Choose an --out beside it."
            )


def _refuse_equal_names(images: Sequence[FoundImage]) -> None:
    """Refuse two inputs of one relative path, which would write one output.

    Raises:
        OutputError: naming both files.
    """
    seen: dict[str, FoundImage] = {}
    for image in images:
        first = seen.setdefault(str(image.relative), image)
        if first is not image:
            raise OutputError(
                f"{first.path} and {image.path} have the same path below their folders, {image.relative}, and would "
                "write one output. Run the folders into different --out folders, or give the folder above both."
            )


def _refuse_unusable_out(out: Path) -> None:
    """Refuse a path whose first existing part is not a writable folder."""
    there = next((part for part in (out, *out.parents) if part.exists() or part.is_symlink()), Path())
    if not there.is_dir():
        raise OutputError(f"Expected an output folder; got {out}, where {there} is a file. Choose another --out.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"The output folder {out} cannot be written: {there} is not writable. Choose another --out.")
