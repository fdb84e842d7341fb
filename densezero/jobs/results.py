"""Reads what a run of ``segment`` wrote, for notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from densezero.engine.protocol import Protocol
from densezero.errors import InputError, UnknownImageError, did_you_mean
from densezero.jobs.manifest import JOURNAL, MANIFEST, ImageEntry
from densezero.output.labels import read_labels
from densezero.output.segmentation import Provenance, Segmentation
from densezero.output.writer import FORMATS
from densezero.vocabulary import ClassList

CLASSES = "classes.json"


class Results(Mapping[str, Segmentation]):
    """The results of a run, by the path of each image below its input folder. A label map is read when it is asked for.

    Args:
        folder: the output folder.
        classes: of the run.
        provenance: of the run.
        entries: of the images that were segmented.

    Attributes:
        failed: for each image that failed, the reason.
    """

    def __init__(self, folder: Path, classes: ClassList, provenance: Provenance, entries: list[ImageEntry]) -> None:
        self.folder, self.classes, self.provenance = folder, classes, provenance
        self.failed = {entry.relative: entry.error or "" for entry in entries if entry.status != "done"}
        self._entries = {entry.relative: entry for entry in entries if entry.status == "done"}

    def __getitem__(self, image: str) -> Segmentation:
        if image not in self._entries:
            raise UnknownImageError(
                f"Expected the path of an image below its input folder, with its ending; got {image!r}. "
                f"{did_you_mean(str(image), list(self._entries))}"
            )
        entry = self._entries[image]
        folder, suffix = FORMATS["labels"].folder, FORMATS["labels"].suffix
        file = next((name for name in entry.outputs if name.startswith(f"{folder}/") and name.endswith(suffix)), None)
        if file is None:
            raise InputError(f"Expected a label map of {image} in {self.folder}; the run did not save labels.")
        return Segmentation(read_labels(self.folder / file), self.classes, self.provenance, Path(entry.source))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Results in {self.folder}: images {len(self)}, classes {len(self.classes)}, failed {len(self.failed)}>"


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
    manifest, listed = _read_json(folder, MANIFEST), _read_json(folder, CLASSES)
    try:
        classes = ClassList.from_json(json.dumps(listed))
        request = manifest["request"]
        known = {name: request[name] for name in (field.name for field in fields(Provenance))}
        provenance = Provenance(**{**known, "protocol": Protocol.from_json(request["protocol"])})
        entries = [ImageEntry.from_json(values) for values in manifest["images"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"Expected {folder / MANIFEST} to be the manifest of `densezero segment`; it is not ({error})."
        ) from None
    return Results(folder, classes, provenance, entries)


def _read_json(folder: Path, name: str) -> dict[str, Any]:
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
