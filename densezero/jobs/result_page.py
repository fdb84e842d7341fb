"""``densezero gallery``: a page for the browser about a result folder, and the thumbnails that it shows."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from densezero.errors import DeviceFullError, InputError, VocabularyError
from densezero.features.sources import Source, caption_columns, label_sources
from densezero.images.rasters import BandChoice
from densezero.images.read_ahead import readers
from densezero.images.small import read_small
from densezero.interrupts import Interrupts
from densezero.jobs.manifest import BEGUN, DONE, Earlier, ImageEntry, read_earlier
from densezero.jobs.places import OutputFolder, refuse_foreign_files
from densezero.jobs.results import read_json
from densezero.jobs.run import RunSummary
from densezero.output.classes_json import CLASSES
from densezero.output.image_files import FORMATS, Format
from densezero.output.labels import MAX_PALETTE_CLASSES, read_labels
from densezero.output.map_files import MAP_FILES, MapFile
from densezero.output.overlay import drawn_hw
from densezero.output.result_page.page import PageImage, View, make_result_page
from densezero.output.thumbnails import Drawn, Note, colour_labels, draw_thumbnail, make_key, read_note, view_hw
from densezero.progress import Listener, Progress
from densezero.vocabulary import ClassList

PAGE: Final = "gallery.html"
THUMBNAILS: Final = "gallery"
_PHOTOGRAPH: Final = "photograph"
_SHOWN: Final[dict[str, Format | MapFile]] = {
    "overlay": MAP_FILES["segmentation"]["picture"],
    "depth": MAP_FILES["depth"]["picture"],
    "normals": MAP_FILES["normals"]["png"],
    "labels": FORMATS["labels"],
    "confidence": FORMATS["confidence"],
}
"""The files of each image that a browser shows, by the name of their view. Thumbnails hold the first one there is."""
_IN_THUMBNAILS: Final = ("overlay", "depth", "normals")
_WITH_LEGEND: Final = ("overlay", "depth")
_MOST_IN_THUMBNAIL: Final = 12
_UNFINISHED: Final = "the run was stopped before this image was finished; run the same command again"

Reader = Callable[[tuple[int, int]], NDArray[np.uint8]]


@dataclass(frozen=True)
class _Item:
    """One image of the run, and for each view after the photograph its file below the folder, or None."""

    name: str
    entry: ImageEntry
    files: tuple[str | None, ...]

    @cached_property
    def photograph(self) -> Path | None:
        """The file of the photograph; None for a frame of a film."""
        source = Path(self.entry.source)
        return source if source.name == Path(self.name).name else None

    @cached_property
    def thumbnail(self) -> str:
        return f"{THUMBNAILS}/{make_key(self.name)}.jpg"


@dataclass(frozen=True)
class _Content:
    """What a page shows: items, their views after the photograph, classes where there are any, and bands of TIFF."""

    file_views: tuple[View, ...]
    items: tuple[_Item, ...]
    classes: ClassList | None = None
    choice: BandChoice | None = None

    @cached_property
    def has_photographs(self) -> bool:
        return any(item.photograph for item in self.items)

    @property
    def views(self) -> tuple[View, ...]:
        return (View(_PHOTOGRAPH), *self.file_views) if self.has_photographs else self.file_views


def make_gallery(folder: Path, listener: Listener | None = None, *, overwrite: bool = False) -> RunSummary:
    """Write ``gallery.html`` and its thumbnails into a result folder of ``segment``, ``depth``, ``normals`` or ``pca``.

    Thumbnails that are there already and up to date are kept. Nothing else in the folder changes.

    Args:
        folder: the result folder. Its run may have been stopped; then the page shows what it had finished.
        listener: hears of notes and progress.
        overwrite: replace files in the way that densezero did not write.

    Raises:
        DenseZeroError: if the folder holds no such results, a run is writing into it, or a file in the way is not ours.
    """
    listener = listener or Listener()
    output = OutputFolder(folder)
    if not folder.is_dir():
        raise InputError(
            f"Expected the output folder of a run; {folder} is no folder. Give the folder that --out named."
        )
    with output.locked():
        earlier = read_earlier(output)
        content = _read_content(output, earlier)
        refuse_foreign_files(
            map(output.path, (PAGE, *(item.thumbnail for item in content.items))), listener, overwrite=overwrite
        )
        job = _Thumbnails(output, content, listener)
        try:
            notes = job.draw()
            _remove_old(output, content)
            images = [_page_image(output, content, item, notes.get(item.name)) for item in content.items]
            told = _notes(earlier, content, images)
            about = {name: value for name, value in (earlier.request or {}).items() if name != "classes"}
            title = folder.resolve().name
            output.write(PAGE, make_result_page(title, content.views, images, content.classes, told, about))
        except DeviceFullError as error:
            return RunSummary(output.path(PAGE), job.done, job.failed, job.skipped, str(error))
    return RunSummary(output.path(PAGE), job.done, job.failed, job.skipped)


# ---- what the folder holds


def _read_content(output: OutputFolder, earlier: Earlier) -> _Content:
    """Read the views and items of a folder.

    Raises:
        InputError: if it holds no such results.
    """
    request = earlier.request or {}
    try:
        if "protocol" in request or "heads" in request:
            return _content_of_maps(output, earlier)
        if {"sources", "shows"} <= request.keys():
            return _content_of_pca(request, earlier)
    except (KeyError, TypeError, ValueError, VocabularyError) as error:
        raise InputError(f"The record of the run in {output.root} cannot be used ({error}).") from None
    raise InputError(
        f"Expected the output folder of densezero segment, depth, normals or pca; {output.root} holds no run.json of "
        "theirs. Give the folder that --out named."
    )


def _content_of_maps(output: OutputFolder, earlier: Earlier) -> _Content:
    """Find the pictures of labels, depth and normals. Grey label maps of many classes are left out: they look black."""
    has_classes = CLASSES in earlier.files
    classes = ClassList.from_json(json.dumps(read_json(output.root, CLASSES))) if has_classes else None
    known = [name for name in _SHOWN if name != "labels" or len(classes or ()) <= MAX_PALETTE_CLASSES]
    files = {name: [_file_of(name, entry) for entry in earlier.entries.values()] for name in known}
    shown = [name for name in known if any(files[name])]
    views = [View(name, place == 0 or name in _IN_THUMBNAILS, name in _WITH_LEGEND) for place, name in enumerate(shown)]
    rows = zip(*(files[name] for name in shown), strict=True) if shown else ((),) * len(earlier.entries)
    items = [_Item(entry.relative, entry, row) for entry, row in zip(earlier.entries.values(), rows, strict=True)]
    return _Content(tuple(views), tuple(items), classes, BandChoice.from_json(earlier.request or {}))


def _file_of(name: str, entry: ImageEntry) -> str | None:
    folder, suffix = f"{_SHOWN[name].folder}/", _SHOWN[name].suffix
    saved = entry.outputs if entry.status == DONE else ()
    return next((file for file in saved if file.startswith(folder) and file.endswith(suffix)), None)


def _content_of_pca(request: dict[str, Any], earlier: Earlier) -> _Content:
    """Gather the pictures of an image from the entries of all sources."""
    sources = [Source(model, readout) for model, readout, _ in request["sources"]]
    shows = request["shows"]
    captions = caption_columns(sources, shows)[1:]
    prefixes = [f"{label}/" if len(sources) > 1 else "" for label in label_sources(sources).values()]
    rows: dict[str, list[ImageEntry | None]] = {}
    for entry in earlier.entries.values():
        column = next((place for place, prefix in enumerate(prefixes) if entry.relative.startswith(prefix)), 0)
        row = rows.setdefault(entry.relative.removeprefix(prefixes[column]), [None] * len(sources))
        row[column] = entry
    items = []
    for name, row in rows.items():
        there = [entry for entry in row if entry is not None]
        best = next((entry for entry in there if entry.status == DONE), there[0])
        files = [file for entry in row for file in _pictures_of(entry, len(shows))]
        items.append(_Item(name, best, tuple(files)))
    views = [View(caption, place < _MOST_IN_THUMBNAIL) for place, caption in enumerate(captions)]
    return _Content(tuple(views), tuple(items))


def _pictures_of(entry: ImageEntry | None, count: int) -> tuple[str | None, ...]:
    return (None,) * count if entry is None or entry.status != DONE else entry.outputs[:count]


# ---- thumbnails


class _Thumbnails:
    """Draws the thumbnails that are missing or out of date, on several threads.

    Attributes:
        done: thumbnails written.
        failed: of these or instead of them, images of which a file could not be read.
        skipped: thumbnails that are up to date.
    """

    def __init__(self, output: OutputFolder, content: _Content, listener: Listener) -> None:
        self.output, self.content, self.listener = output, content, listener
        self.done = self.failed = self.skipped = 0

    def draw(self) -> dict[str, Note]:
        """Draw them. Return the note of each image's thumbnail, by the image's name."""
        items = [item for item in self.content.items if item.entry.hw is not None]
        notes: dict[str, Note] = {}
        waiting = []
        for item in items:
            note, key, there = self._state(item)
            if note is not None and note.key == key and _holds(note.views, there):
                notes[item.name] = note
            else:
                waiting.append(item)
        self.skipped = len(notes)
        began = time.perf_counter()
        with readers(os.cpu_count() or 1) as pool:
            futures = {pool.submit(self._draw_one, item): item for item in waiting}
            for future in as_completed(futures):
                item, drawn = futures[future], future.result()
                notes[item.name] = Note("", drawn.views)
                self.done += not drawn.errors
                self.failed += bool(drawn.errors)
                counts = (self.done, self.failed, self.skipped, len(items), time.perf_counter() - began)
                self.listener.image(Progress(item.name, "; ".join(drawn.errors) or None, *counts, "thumbnails"))
                Interrupts.check()
        return notes

    def _state(self, item: _Item) -> tuple[Note | None, str, tuple[bool, ...]]:
        """The note of the thumbnail that is there, the key of one that is up to date, and which views can be drawn."""
        stamps = (self._stamp(file) for file in self._shown(item))
        key = make_key(item.entry.sha256, item.entry.hw, self.content.choice, *stamps)
        there = tuple(reader is not None for reader in self._readers(item))
        return read_note(self.output.path(item.thumbnail)), key, there

    def _shown(self, item: _Item) -> Sequence[str | None]:
        return [file for file, view in zip(item.files, self.content.file_views, strict=True) if view.in_thumbnail]

    def _stamp(self, file: str | None) -> tuple[str, int, int] | None:
        try:
            status = self.output.path(file or "").stat()
        except OSError:
            return None
        return None if file is None else (file, status.st_size, status.st_mtime_ns)

    def _readers(self, item: _Item) -> list[Reader | None]:
        """For each view of the thumbnail what reads it; None if its file is not there."""
        found: list[Reader | None] = []
        if self.content.has_photographs:
            photograph = item.photograph
            if photograph is not None and photograph.is_file():
                found.append(partial(read_small, photograph, choice=self.content.choice))
            else:
                found.append(None)
        for file, view in zip(self._shown(item), self.content.file_views, strict=False):
            path = self.output.path(file or "")
            if file is None or not path.is_file():
                found.append(None)
            elif view.name == "labels" and self.content.classes is not None:
                found.append(partial(_read_coloured, path, self.content.classes))
            else:
                found.append(partial(read_small, path, part_hw=_crop_hw(item, view)))
        return found

    def _draw_one(self, item: _Item) -> Drawn:
        _, key, _ = self._state(item)
        assert item.entry.hw is not None
        drawn = draw_thumbnail(self._readers(item), view_hw(item.entry.hw), key)
        self.output.write(item.thumbnail, drawn.jpeg)
        return drawn


def _holds(views: Sequence[bool], wanted: Sequence[bool]) -> bool:
    return len(views) == len(wanted) and all(has or not wants for has, wants in zip(views, wanted, strict=True))


def _read_coloured(path: Path, classes: ClassList, hw: tuple[int, int]) -> NDArray[np.uint8]:
    return colour_labels(read_labels(path), classes.colours, hw)


def _crop_hw(item: _Item, view: View) -> tuple[int, int] | None:
    return drawn_hw(*item.entry.hw) if view.crops and item.entry.hw is not None else None


def _remove_old(output: OutputFolder, content: _Content) -> None:
    """Remove thumbnails of images that the run no longer holds."""
    wanted = {item.thumbnail for item in content.items}
    for path in output.path(THUMBNAILS).glob("*.jpg"):
        name = f"{THUMBNAILS}/{path.name}"
        if re.fullmatch(r"[0-9a-f]{16}\.jpg", path.name) and name not in wanted and read_note(path) is not None:
            output.remove(name)


# ---- the page


def _page_image(output: OutputFolder, content: _Content, item: _Item, note: Note | None) -> PageImage:
    entry = item.entry
    photographs = [_link(output, item.photograph)] if content.has_photographs else []
    if entry.status != DONE:
        error = _UNFINISHED if entry.status == BEGUN else entry.error or "no reason was recorded"
        return PageImage(item.name, (*photographs, *item.files), error=error)
    files = [file if file is not None and output.is_filled(file) else None for file in item.files]
    return PageImage(
        item.name, (*photographs, *files), entry.hw, None if note is None else item.thumbnail,
        () if note is None else note.views, None if entry.hw is None else drawn_hw(*entry.hw),
        entry.pixels if content.classes else None, entry.confidence, source=entry.source if None in photographs else "",
    )  # fmt: skip


def _link(output: OutputFolder, photograph: Path | None) -> str | None:
    """The path of a photograph from the folder, as a browser follows it; None if it is not there."""
    if photograph is None or not photograph.is_file():
        return None
    try:
        return Path(os.path.relpath(photograph.absolute(), output.root.absolute())).as_posix()
    except ValueError:  # on another drive of Windows
        return None


def _notes(earlier: Earlier, content: _Content, images: Sequence[PageImage]) -> list[str]:
    """The sentences at the top of the page: how many images, and what is missing."""
    failed = sum(image.error is not None for image in images)
    counts = [f"{len(images):,} image{'' if len(images) == 1 else 's'}"]
    counts += [] if content.classes is None else [f"{len(content.classes):,} classes"]
    counts += [f"{failed:,} failed"] if failed else []
    notes = [f"{', '.join(counts)}."]
    if earlier.is_journal:
        notes.append("The run was stopped. The page shows what it had finished; run densezero gallery again later.")
    moved = [image.source for image in images if image.source]
    if moved:
        notes.append(
            f"Photographs that are not where they were read: {len(moved):,} of {len(images):,}, such as {moved[0]}. "
            "The page shows their results alone. Put them back, and run densezero gallery again."
        )
    lost = [
        file
        for item, image in zip(content.items, images, strict=True)
        for file, linked in zip(item.files, image.files[len(image.files) - len(item.files) :], strict=True)
        if image.error is None and file is not None and linked is None
    ]
    if lost:
        notes.append(
            f"Result files that are missing: {len(lost):,}, such as {lost[0]}. Run the command that wrote them again."
        )
    return notes
