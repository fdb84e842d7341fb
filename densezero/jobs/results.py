"""Loads what a run of ``segment`` wrote, for notebooks."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from densezero.engine.protocol import Protocol
from densezero.errors import InputError
from densezero.jobs.manifest import DONE, JOURNAL, MANIFEST, ImageEntry
from densezero.output.classes_json import CLASSES
from densezero.output.results import Results
from densezero.output.segmentation import Provenance
from densezero.vocabulary import ClassList


def load_results(folder: str | Path) -> Results:
    """Load the results of a finished run of ``segment``.

    Args:
        folder: its output folder.

    Returns:
        A mapping from the path of each image to its ``Segmentation``.

    Raises:
        InputError: if the folder holds no finished run of ``segment``, or one that was stopped.

    Example:
        >>> import densezero
        >>> try:
        ...     densezero.load_results("no such folder")
        ... except densezero.DenseZeroError as error:
        ...     print(str(error)[:48])
        Expected the output folder of a finished run; no
    """
    folder = Path(folder)
    if (folder / JOURNAL).exists():
        raise InputError(f"The run into {folder} was stopped. Run the same command again, which finishes it.")
    manifest, listed = read_json(folder, MANIFEST), read_json(folder, CLASSES)
    try:
        classes = ClassList.from_json(json.dumps(listed))
        request = manifest["request"]
        known = {name: request[name] for name in (field.name for field in fields(Provenance)) if name in request}
        known["examples"] = tuple(request.get("examples", ()))
        provenance = Provenance(**{**known, "protocol": Protocol.from_json(request["protocol"])})
        entries = [ImageEntry.from_json(values) for values in manifest["images"]]
        failed = {entry.relative: entry.error or "" for entry in entries if entry.status != DONE}
        images = {entry.relative: (Path(entry.source), entry.outputs) for entry in entries if entry.status == DONE}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"Expected {folder / MANIFEST} to be the manifest of `densezero segment`; it is not ({error})."
        ) from None
    return Results(folder, classes, provenance, images, failed)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of an output folder; raise ``InputError`` if it is missing or no object."""
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        raise InputError(
            f"Expected the output folder of a finished run; no {name} is in {folder}. Give the folder that --out named."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / name} cannot be read ({error}). Run the command again to write it anew.") from None
    if not isinstance(content, dict):
        raise InputError(f"Expected a JSON object in {folder / name}; got {type(content).__name__}.")
    return content
