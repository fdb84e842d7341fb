"""Decides before the first image which images are done already, and refuses what would destroy or mix results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from densezero.errors import OutputError
from densezero.images import FoundImage
from densezero.jobs.differences import explain_differences
from densezero.jobs.manifest import BEGUN, DONE, MANIFEST, Earlier, ImageEntry, read_earlier
from densezero.jobs.places import OutputFolder, is_unchanged, sha256_of
from densezero.jobs.progress import Listener

_NAMED = 5  # files that a message lists


@dataclass
class Plan:
    """What a run will do.

    Args:
        earlier: what is kept of earlier runs.
        waiting: names of the images to work on.
        replaced: names of images whose results make room for those of other images.
    """

    earlier: Earlier
    waiting: set[str]
    replaced: set[str]


def look_back(folder: OutputFolder, overwrite: bool) -> Earlier:
    """Read what earlier runs left; with ``overwrite``, what cannot be read is nothing.

    Raises:
        OutputError: if it cannot be read.
    """
    try:
        return read_earlier(folder)
    except OutputError:
        if overwrite:
            return Earlier()
        raise


def plan_run(
    folder: OutputFolder,
    earlier: Earlier,
    request: Mapping[str, Any],
    images: Mapping[str, FoundImage],
    files: Mapping[str, Sequence[str]],
    run_files: Iterable[str],
    listener: Listener,
    *,
    overwrite: bool,
    needs_pieces: bool,
) -> Plan:
    """Decide what a run does, and refuse what would destroy or misreport anything.

    Args:
        folder: the output folder.
        earlier: what earlier runs left; its entries are changed where another request replaces them.
        request: what decides the results.
        images: of the run, by name.
        files: the files of each image, by its name.
        run_files: of the whole run.
        listener: hears of what is done again or replaced.
        overwrite: do all images again, and replace what is in the way.
        needs_pieces: whether files of the whole run need pieces of each image.

    Raises:
        OutputError: if the folder holds results of another request or another picture, or files that no run wrote.
    """
    _refuse_foreign_files(
        folder, earlier, (*(name for of in files.values() for name in of), *run_files, MANIFEST), overwrite, listener
    )
    if earlier.request not in (None, request):
        _take_over(folder, earlier, request, images, overwrite)
    owners = {name: image for image, of in files.items() for name in of}
    replaced = _other_pictures(folder, earlier, images, owners, overwrite, listener)
    if overwrite:
        return Plan(earlier, set(images), replaced)
    waiting, changed = set(), []
    for name, image in images.items():
        entry = earlier.entries.get(name)
        is_same = entry is not None and is_unchanged(image.path, entry.stamp, entry.sha256)
        if entry is not None and entry.status == DONE and not is_same:
            changed.append(name)
        if not is_same or not _is_whole(folder, entry, files[name], needs_pieces):
            waiting.add(name)
    if changed:
        listener.note(f"{_few(changed, 'picture')} changed since the last run, and will be done again")
    return Plan(earlier, waiting, replaced)


def _is_whole(folder: OutputFolder, entry: ImageEntry | None, files: Sequence[str], needs_pieces: bool) -> bool:
    """Whether all that is asked for of an image was made, and is there."""
    if entry is None or entry.status != DONE or (needs_pieces and entry.pieces is None):
        return False
    return all(name in entry.outputs and folder.is_filled(name) for name in files)


def _refuse_foreign_files(
    folder: OutputFolder, earlier: Earlier, names: Iterable[str], overwrite: bool, listener: Listener
) -> None:
    """Refuse to replace files that no earlier run wrote; with ``overwrite``, name them."""
    owned = earlier.owned
    foreign = [str(folder.path(name)) for name in names if name not in owned and folder.exists(name)]
    if not foreign:
        return
    if overwrite:
        listener.note(f"replacing {_few(foreign, 'file')} that no earlier run wrote")
        return
    raise OutputError(
        f"This run would replace {_few(foreign, 'file')} that no earlier run wrote. Move them away, choose another "
        "--out, or replace them with --overwrite."
    )


def _take_over(
    folder: OutputFolder,
    earlier: Earlier,
    request: Mapping[str, Any],
    images: Mapping[str, FoundImage],
    overwrite: bool,
) -> None:
    """Replace the results of another request: all of them, or none. A request without results is no matter."""
    assert earlier.request is not None
    if not any(entry.outputs for entry in earlier.entries.values()):
        earlier.entries, earlier.is_journal = {}, False
        return
    differences = explain_differences(earlier.request, request)
    if not overwrite:
        raise OutputError(
            f"{folder.root} holds results of another request; {differences}. Choose another --out, or replace them "
            "with --overwrite."
        )
    left = [entry.relative for entry in earlier.entries.values() if entry.outputs and entry.relative not in images]
    if left:
        raise OutputError(
            f"{folder.root} holds results of another request; {differences}. --overwrite would leave "
            f"{_few(left, 'image')} of it, which are not among the inputs now, beside the new ones. Choose another "
            "--out, give these images too, or remove that folder."
        )
    begun = {name: replace(entry, status=BEGUN, stamp="", sha256="") for name, entry in earlier.entries.items()}
    earlier.entries, earlier.is_journal = begun, False


def _other_pictures(
    folder: OutputFolder,
    earlier: Earlier,
    images: Mapping[str, FoundImage],
    owners: Mapping[str, str],
    overwrite: bool,
    listener: Listener,
) -> set[str]:
    """Names of images whose results this run would replace by those of other pictures; refused without ``overwrite``.

    Raises:
        OutputError: naming an output, what it was made of, and what it would be made of.
    """
    replaced = set()
    for entry in earlier.entries.values():
        for output in entry.outputs:
            name = owners.get(output, entry.relative)
            if name not in images or _is_same_picture(entry, images[name].path):
                continue
            if not overwrite:
                raise OutputError(
                    f"{folder.path(output)} was made of {entry.source}; this run would make it of "
                    f"{images[name].path.absolute()}. Choose another --out, or replace earlier results with "
                    "--overwrite."
                )
            replaced.add(entry.relative)
    if replaced:
        listener.note(f"replacing the results of {_few(sorted(replaced), 'other picture')}")
    return replaced - set(images)


def _is_same_picture(entry: ImageEntry, path: Path) -> bool:
    """Whether a picture is the one that an entry was made of: the same file, or a copy."""
    try:
        if entry.source == str(path.absolute()) or path.samefile(entry.source):
            return True
    except (OSError, ValueError):  # one of them has gone
        pass
    return entry.sha256 != "" and entry.sha256 == sha256_of(path)


def _few(names: Sequence[str], what: str) -> str:
    """How many, and the first few of them."""
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({listed})"
