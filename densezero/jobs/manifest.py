"""The manifest of a run: what became of each image, in a journal while it grows, and in ``run.json`` at the end.

Memory holds where each entry begins in the journal, so that it hardly grows with the images.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, BinaryIO, Final

from densezero.atomic import write_atomically
from densezero.encoders.hashes import HASH_VERSION
from densezero.errors import OutputError
from densezero.images import natural_key
from densezero.jobs.journal import Journal
from densezero.jobs.places import OutputFolder, check_name

MANIFEST: Final = "run.json"
JOURNAL: Final = ".run.journal"
VERSION: Final = 2

DONE, FAILED, BEGUN = "done", "failed", "begun"


@dataclass(frozen=True)
class ImageEntry:
    """What became of one image.

    Args:
        relative: its path below the input folder.
        status: ``"done"``, ``"failed"``, or ``"begun"`` while its files are written.
        source: where it was read.
        stamp: size, times and number of the source file.
        sha256: of the source's content.
        outputs: files written, relative to the output folder; for ``"begun"`` files that may be there.
        hw: height and width, pixels; None if it failed.
        pixels: pixels of each class that occurs, by class index.
        pieces: what the files of the whole run need of it; None if nothing. ``run.json`` has their number only.
        seconds: time it took.
        error: why it failed.
        confidence: mean over the pixels of the highest probability, 0 to 1; None if it was not computed.
    """

    relative: str
    status: str
    source: str
    stamp: str
    sha256: str = ""
    outputs: tuple[str, ...] = ()
    hw: tuple[int, int] | None = None
    pixels: dict[int, int] | None = None
    pieces: list[Any] | None = None
    seconds: float = 0.0
    error: str | None = None
    confidence: float | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageEntry:
        """Read what ``to_json`` made, after JSON turned keys into text and tuples into lists.

        Raises:
            ValueError: if it is not that.
        """
        try:
            pixels, hw, pieces = values.get("pixels"), values.get("hw"), values.get("pieces")
            if not all(isinstance(values[name], str) for name in ("relative", "status", "source", "stamp")):
                raise TypeError("expected text")
            if not isinstance(pieces, list | int | None):
                raise TypeError("expected a list of pieces")
            if not isinstance(values.get("confidence"), float | int | None):
                raise TypeError("expected a confidence")
            typed = {
                "outputs": tuple(check_name(name) for name in values.get("outputs") or ()),
                "hw": (int(hw[0]), int(hw[1])) if hw else None,
                "pieces": [] if isinstance(pieces, int) else pieces,
                "pixels": None if pixels is None else {int(key): int(count) for key, count in pixels.items()},
            }
            return cls(**{**values, **typed})
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
            raise ValueError(f"no entry of an image: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """The fields as ``run.json`` has them."""
        return {**asdict(self), "pieces": None if self.pieces is None else len(self.pieces)}


@dataclass
class Earlier:
    """What earlier runs left in an output folder.

    Args:
        request: what they were asked for; None where there were none.
        files: names of files of the whole run.
        entries: by the name of the image. Their pieces stay in the journal.
        is_journal: whether a run was stopped, so that its journal is there.
    """

    request: dict[str, Any] | None = None
    files: set[str] = field(default_factory=set)
    entries: dict[str, ImageEntry] = field(default_factory=dict)
    is_journal: bool = False

    @property
    def owned(self) -> set[str]:
        """All files that the earlier runs wrote, or may have begun."""
        outputs = (output for entry in self.entries.values() for output in entry.outputs)
        return {*outputs, *self.files, *([] if self.request is None else [MANIFEST])}

    def is_finished(self, folder: OutputFolder, files: Iterable[str]) -> bool:
        """Whether an earlier run ended, and left these files of the whole run."""
        return not self.is_journal and all(name in self.files and folder.is_filled(name) for name in files)


def read_earlier(folder: OutputFolder) -> Earlier:
    """Read the journal of a run that was stopped, or the manifest of one that ended; raise ``OutputError``."""
    journal = Journal(folder.path(JOURNAL))
    header = journal.header()
    try:
        if header is None:
            return _read_manifest(folder)
        files, found = _replay(journal)
        entries = {entry.relative: entry for _, entry in found.values()}
        return Earlier(dict(header["request"]), files, entries, is_journal=True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        place = folder.path(MANIFEST if header is None else JOURNAL)
        raise OutputError(
            f"{place} cannot be read as the record of an earlier run ({type(error).__name__}: {error}). "
            "Choose another --out, or start anew with --overwrite."
        ) from None


def _read_manifest(folder: OutputFolder) -> Earlier:
    try:
        text = folder.path(MANIFEST).read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return Earlier()
    content = json.loads(text)
    entries = [ImageEntry.from_json(values) for values in content["images"]]
    request = dict(content["request"])
    if content.get("version") != VERSION:
        request["version"] = content.get("version", 1)  # never equal to that of this version
    files = set(map(check_name, content.get("files", ())))
    return Earlier(request, files, {entry.relative: entry for entry in entries})


class Manifest:
    """The entries of a run and of the runs it goes on from.

    Args:
        folder: the output folder.
        request: what decides the results.
    """

    def __init__(self, folder: OutputFolder, request: dict[str, Any]) -> None:
        self.folder, self.request = folder, plain_request(request)
        self.files: set[str] = set()
        self._journal = Journal(folder.path(JOURNAL))
        self._starts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._starts)

    def start(self, earlier: Earlier, files: Iterable[str], pieces: Iterable[tuple[str, list[Any]]] = ()) -> None:
        """Begin the journal, or go on with that of a run that was stopped.

        Args:
            earlier: what is kept of earlier runs; entries whose pieces are lost become ``"begun"``.
            files: names of files of the whole run, which this run will write.
            pieces: of the images of a run that ended, by the image's name, in the order of its manifest.
        """
        self.files = {*files, *earlier.files}
        if not earlier.is_journal:
            self._journal.start({"request": self.request}, _kept(earlier, iter(pieces)))
        else:
            self._journal.go_on()
        self._journal.append({"files": sorted(self.files)}, durable=True)
        self._starts = {relative: start for relative, (start, _) in _replay(self._journal)[1].items()}

    def add(self, entry: ImageEntry, *, durable: bool = False) -> None:
        """Write an entry to the journal; with ``durable`` wait until the device holds it and all entries before."""
        self._starts[entry.relative] = self._journal.append(asdict(entry), durable=durable)

    def forget(self, relatives: Iterable[str]) -> None:
        """Remove the entries of images whose results are replaced."""
        gone = list(relatives)
        if gone:
            self._journal.append({"gone": gone})
        for relative in gone:
            self._starts.pop(relative, None)

    def get(self, relative: str) -> ImageEntry | None:
        """The entry of an image; None where it has none."""
        start = self._starts.get(relative)
        return None if start is None else next(self._read([start]))

    def entries(self) -> Iterator[ImageEntry]:
        """All entries by the name of their image, read one at a time."""
        ordered = sorted(self._starts, key=lambda relative: natural_key(relative.split("/")))
        return self._read(self._starts[relative] for relative in ordered)

    def finish(self, about: dict[str, Any]) -> None:
        """Write ``run.json`` with what else it says of the run. Remove the journal when the device holds it."""
        values = {"version": VERSION, **about, "files": sorted(self.files), "request": self.request, "images": []}
        head, tail = _indented(values).rsplit(b"[]", 1)

        def write(file: BinaryIO) -> None:
            lead = head + b"[\n  "
            for entry in self.entries():  # one at a time in memory
                file.write(lead + _indented(entry.to_json()).replace(b"\n", b"\n  "))
                lead = b",\n  "
            file.write((b"\n ]" if self._starts else head + b"[]") + tail)

        write_atomically(self.folder.path(MANIFEST), write, durable=True)
        self._journal.remove()

    def _read(self, starts: Iterable[int]) -> Iterator[ImageEntry]:
        return map(ImageEntry.from_json, self._journal.read(starts))


def _replay(journal: Journal) -> tuple[set[str], dict[str, tuple[int, ImageEntry]]]:
    """The files of the whole run, and the last entry of each image with the byte of its line, without its pieces."""
    files: set[str] = set()
    found: dict[str, tuple[int, ImageEntry]] = {}
    for start, values in journal.lines():
        files.update(map(check_name, values.get("files", ())))
        for relative in values.get("gone", ()):
            found.pop(relative, None)
        if "relative" in values:
            entry = ImageEntry.from_json(values)
            found[entry.relative] = (start, replace(entry, pieces=None if entry.pieces is None else []))
    return files, found


def _kept(earlier: Earlier, pieces: Iterator[tuple[str, list[Any]]]) -> Iterator[dict[str, Any]]:
    """The lines of a new journal: earlier entries with their pieces, which come in the same order or not at all."""
    name, held = next(pieces, ("", []))
    for entry in list(earlier.entries.values()):
        if entry.relative == name:
            yield asdict(replace(entry, pieces=held))
            name, held = next(pieces, ("", []))
        elif entry.pieces is None:
            yield asdict(entry)
        else:
            lost = earlier.entries[entry.relative] = replace(entry, status=BEGUN, pieces=None)
            yield asdict(lost)


def plain_request(request: dict[str, Any]) -> dict[str, Any]:
    """A request as a file gives it back, with the version of its hashes."""
    plain: dict[str, Any] = json.loads(json.dumps({**request, "hash_version": HASH_VERSION}))
    return plain


def _indented(values: dict[str, Any]) -> bytes:
    """JSON with indents; a file name may hold bytes that are no text."""
    return json.dumps(values, ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape")
