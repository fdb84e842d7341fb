"""The manifest of a run: a journal that grows image by image, and ``run.json`` made from it at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from densezero.errors import OutputError
from densezero.output.atomic import output_error, write_atomically

MANIFEST = "run.json"
JOURNAL = ".run.journal"


@dataclass(frozen=True)
class ImageEntry:
    """What became of one image.

    Args:
        relative: its path below the input folder.
        status: ``"done"`` or ``"failed"``.
        source: where it was read.
        stamp: size and time of change of the source, so that a changed picture is done again.
        outputs: files written, relative to the output folder.
        hw: height and width, pixels; None if it failed.
        pixels: pixels of each class that occurs, by class index.
        seconds: time it took.
        error: why it failed.
    """

    relative: str
    status: str
    source: str
    stamp: str
    outputs: tuple[str, ...] = ()
    hw: tuple[int, int] | None = None
    pixels: dict[int, int] | None = None
    seconds: float = 0.0
    error: str | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageEntry:
        """Read what ``asdict`` made, after JSON turned keys into text and tuples into lists."""
        pixels = values.get("pixels")
        hw = values.get("hw")
        return cls(
            **{
                **values,
                "outputs": tuple(values.get("outputs", ())),
                "hw": (int(hw[0]), int(hw[1])) if hw else None,
                "pixels": {int(index): int(count) for index, count in pixels.items()} if pixels is not None else None,
            }
        )


class Manifest:
    """The entries of a run and of the runs it goes on from.

    Args:
        folder: the output folder.
        request: what decides the results; a later run goes on only if its own is equal.
        overwrite: forget what earlier runs have done.

    Raises:
        OutputError: if the folder holds results of another request, or its manifest cannot be read.
    """

    def __init__(self, folder: Path, request: dict[str, Any], overwrite: bool) -> None:
        self.folder = folder
        self.request = json.loads(json.dumps(request))
        self.entries: dict[str, ImageEntry] = {}
        if not overwrite:
            self._read_earlier()
        self._journal = folder / JOURNAL
        self._start_journal()
        if overwrite:
            self._forget_manifest()

    def add(self, entry: ImageEntry) -> None:
        """Put an entry into the journal, at once and for good."""
        self.entries[entry.relative] = entry
        self._append(asdict(entry))

    def is_done(self, relative: str, stamp: str, outputs: list[Path]) -> bool:
        """Whether an image needs no work: done before, its source unchanged and its files still there."""
        entry = self.entries.get(relative)
        return (
            entry is not None
            and entry.status == "done"
            and entry.stamp == stamp
            and all(path.is_file() for path in outputs)
        )

    def finish(self, about: dict[str, Any]) -> None:
        """Write ``run.json`` and take the journal away.

        Args:
            about: what else the manifest says of the run.

        Raises:
            OutputError: if the file cannot be written; the journal then stays.
        """
        images = [asdict(self.entries[relative]) for relative in sorted(self.entries)]
        content = json.dumps({**about, "request": self.request, "images": images}, ensure_ascii=False, indent=1)
        write_atomically(self.folder / MANIFEST, lambda file: file.write(content.encode("utf-8", "surrogateescape")))
        self._journal.unlink(missing_ok=True)

    def _read_earlier(self) -> None:
        for request, entries in (self._read_manifest(), self._read_journal()):
            if request is None:
                continue
            if request != self.request:
                raise OutputError(
                    f"{self.folder} holds results of another request; these differ: "
                    f"{', '.join(list_differences(request, self.request))}. "
                    "Choose another --out, or replace them with --overwrite."
                )
            self.entries.update((entry.relative, entry) for entry in entries)

    def _read_manifest(self) -> tuple[dict[str, Any] | None, list[ImageEntry]]:
        file = self.folder / MANIFEST
        try:
            content = json.loads(file.read_text(encoding="utf-8", errors="surrogateescape"))
            return content["request"], [ImageEntry.from_json(values) for values in content["images"]]
        except FileNotFoundError:
            return None, []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{file} cannot be read as the manifest of an earlier run ({type(error).__name__}: {error}). "
                "Choose another --out, or start anew with --overwrite."
            ) from None

    def _read_journal(self) -> tuple[dict[str, Any] | None, list[ImageEntry]]:
        lines = list(_whole_lines(self.folder / JOURNAL))
        if not lines:
            return None, []
        return lines[0].get("request"), [ImageEntry.from_json(values) for values in lines[1:]]

    def _start_journal(self) -> None:
        """Begin the journal with what is known, so that it alone is enough after a kill."""
        lines = [{"request": self.request}, *(asdict(entry) for entry in self.entries.values())]
        text = "".join(_line(values) for values in lines)
        write_atomically(self._journal, lambda file: file.write(text.encode("utf-8", "surrogateescape")))

    def _forget_manifest(self) -> None:
        """Take the earlier ``run.json`` away, so that a run that is killed does not go on from what it replaces."""
        try:
            (self.folder / MANIFEST).unlink(missing_ok=True)
        except OSError as error:
            raise output_error(self.folder / MANIFEST, error) from None

    def _append(self, values: dict[str, Any]) -> None:
        try:
            with self._journal.open("ab") as file:
                file.write(_line(values).encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise output_error(self._journal, error) from None


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"


def _whole_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Lines of a journal up to the first that a kill or a full disk cut."""
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    for line in text.splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            return
        if not isinstance(values, dict):
            return
        yield values


def list_differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """What two requests do not share: a field's name, what it was there and what it is now, shortened."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += list_differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key} (there {str(before)[:60]}, now {str(after)[:60]})")
    return found
