"""The manifest of a run: a journal that grows image by image, and ``run.json`` made from it at the end.

Entries stay in the journal; memory holds where each one begins, so that it hardly grows with the images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from densezero.encoders.hashes import HASH_VERSION, OLD_HASHES
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


class _Known(NamedTuple):
    """What is kept in memory of an entry; ``start`` is the byte of the journal at which its line begins."""

    is_done: bool
    stamp: str
    start: int


class Manifest:
    """The entries of a run and of the runs it goes on from.

    Args:
        folder: the output folder.
        request: what decides the results; a later run goes on only if its own is equal.
        overwrite: forget what earlier runs have done.
        sources: the picture that each output of this run is made of.

    Raises:
        OutputError: if the folder holds results of another request or other pictures, or its manifest cannot be read.
    """

    def __init__(
        self, folder: Path, request: dict[str, Any], overwrite: bool, sources: Mapping[Path, Path] | None = None
    ) -> None:
        self.folder = folder
        self.request = json.loads(json.dumps({**request, "hash_version": HASH_VERSION}))
        self._journal = folder / JOURNAL
        self._known: dict[str, _Known] = {}
        earlier = {} if overwrite else self._read_earlier()
        self._refuse_other_sources(earlier, sources or {})
        self._start_journal(earlier)
        if overwrite:
            self._forget_manifest()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, entry: ImageEntry) -> None:
        """Put an entry into the journal, at once and for good."""
        start = self._append(_line(asdict(entry)))
        self._known[entry.relative] = _Known(entry.status == "done", entry.stamp, start)

    def entries(self) -> Iterator[ImageEntry]:
        """All entries by the name of their image, read one at a time.

        Raises:
            OutputError: if the journal has gone, or is not what this run wrote.
        """
        try:
            with self._journal.open("rb") as file:
                for relative in sorted(self._known):
                    file.seek(self._known[relative].start)
                    yield ImageEntry.from_json(_values(file.readline()))
        except (OSError, ValueError, TypeError) as error:
            raise OutputError(
                f"{self._journal} cannot be read again ({type(error).__name__}: {error}); was it changed by another "
                "run? Run the same command again to go on."
            ) from None

    def is_done(self, relative: str, stamp: str, outputs: list[Path]) -> bool:
        """Whether an image needs no work: done before, its source unchanged, its files there and not empty."""
        known = self._known.get(relative)
        return (
            known is not None and known.is_done and known.stamp == stamp and all(_is_filled(path) for path in outputs)
        )

    def finish(self, about: dict[str, Any]) -> None:
        """Write ``run.json`` and take the journal away.

        Args:
            about: what else the manifest says of the run.

        Raises:
            OutputError: if the file cannot be written; the journal then stays.
        """
        frame = _encode(_indented({**about, "request": self.request, "images": []}))
        write_atomically(self.folder / MANIFEST, lambda file: self._write_manifest(file, frame))
        self._journal.unlink(missing_ok=True)

    def _write_manifest(self, file: BinaryIO, frame: bytes) -> None:
        """Write ``run.json``, the entries one at a time into the empty list that ends its frame."""
        head, tail = frame.rsplit(b"[]", 1)
        file.write(head + b"[")
        lead = b"\n  "
        for entry in self.entries():
            file.write(lead + _encode(_indented(asdict(entry))).replace(b"\n", b"\n  "))
            lead = b",\n  "
        file.write((b"\n ]" if self._known else b"]") + tail)

    def _read_earlier(self) -> dict[str, ImageEntry]:
        earlier: dict[str, ImageEntry] = {}
        for request, entries in (self._read_manifest(), self._read_journal()):
            if request is None:
                continue
            if request != self.request:
                raise OutputError(
                    f"{self.folder} holds results of another request; {explain_differences(request, self.request)}. "
                    "Choose another --out, or replace them with --overwrite."
                )
            earlier.update((entry.relative, entry) for entry in entries)
        return earlier

    def _refuse_other_sources(self, earlier: Mapping[str, ImageEntry], sources: Mapping[Path, Path]) -> None:
        """Refuse an output that an earlier run made of another picture, which must not pass for this one's."""
        for entry in earlier.values():
            for output in entry.outputs:
                now = sources.get(self.folder / output)
                if now is not None and not _is_same_file(entry.source, now):
                    raise OutputError(
                        f"{self.folder / output} was made of {entry.source}; this run would make it of "
                        f"{now.absolute()}. Choose another --out, or replace all earlier results with --overwrite."
                    )

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
        lines = list(_whole_lines(self._journal))
        if not lines:
            return None, []
        return lines[0].get("request"), [ImageEntry.from_json(values) for values in lines[1:]]

    def _start_journal(self, earlier: dict[str, ImageEntry]) -> None:
        """Begin the journal with what is known, so that it alone is enough after a kill."""

        def write(file: BinaryIO) -> None:
            file.write(_line({"request": self.request}))
            for entry in earlier.values():
                self._known[entry.relative] = _Known(entry.status == "done", entry.stamp, file.tell())
                file.write(_line(asdict(entry)))

        write_atomically(self._journal, write)

    def _forget_manifest(self) -> None:
        """Take the earlier ``run.json`` away, so that a run that is killed does not go on from what it replaces."""
        try:
            (self.folder / MANIFEST).unlink(missing_ok=True)
        except OSError as error:
            raise output_error(self.folder / MANIFEST, error) from None

    def _append(self, line: bytes) -> int:
        """Write a line at the end, and give the place where it begins."""
        try:
            with self._journal.open("ab") as file:
                start = file.tell()
                file.write(line)
        except OSError as error:
            raise output_error(self._journal, error) from None
        return start


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _is_same_file(source: str, path: Path) -> bool:
    try:
        return source == str(path.absolute()) or path.samefile(source)
    except OSError:  # one of them has gone
        return False


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # a file name may hold bytes that are no text


def _indented(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=1)


def _line(values: dict[str, Any]) -> bytes:
    return _encode(json.dumps(values, ensure_ascii=False) + "\n")


def _values(line: bytes) -> dict[str, Any]:
    """Read a line of the journal.

    Raises:
        ValueError: if a kill or a full disk cut it.
    """
    values = json.loads(line.decode("utf-8", "surrogateescape"))
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, got {values!r}")
    return values


def _whole_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Lines of a journal up to the first that a kill or a full disk cut."""
    try:
        with file.open("rb") as stream:
            for line in stream:
                yield _values(line)
    except (OSError, ValueError):
        return


def explain_differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Say why two requests are not the same, as the end of a sentence."""
    if old.get("hash_version", 1) != new.get("hash_version"):
        return f"they were written by a version of densezero {OLD_HASHES}, so it is not known whether they are the same"
    return f"these differ: {', '.join(list_differences(old, new))}"


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
