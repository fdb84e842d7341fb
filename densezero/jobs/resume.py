"""Decides before the first image which images are done already, and refuses what would destroy or mix results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from densezero.errors import OutputError
from densezero.evaluation.differences import explain_differences
from densezero.images import FoundImage
from densezero.images.file_state import is_unchanged, sha256_of
from densezero.jobs.manifest import BEGUN, DONE, MANIFEST, Earlier, ImageEntry, read_earlier
from densezero.jobs.places import OutputFolder
from densezero.progress import Listener

_NAMED = 5  # files that a message lists


def look_back(folder: OutputFolder, overwrite: bool) -> Earlier:
    """Read what earlier runs left. With ``overwrite``, a record that cannot be read counts as none.

    Raises:
        OutputError: if it cannot be read.
    """
    try:
        return read_earlier(folder)
    except OutputError:
        if overwrite:
            return Earlier()
        raise


@dataclass
class Plan:
    """What a run will do.

    Args:
        folder: the output folder.
        request: what decides the results.
        images: of the run, by name.
        files: the files of each image, by its name.
        run_files: files of the whole run.
        earlier: what earlier runs left. ``make`` changes its entries if another request replaces them.
        overwrite: do all images again, and replace what is in the way.
        needs_pieces: whether files of the whole run need pieces of each image.

    Attributes:
        waiting: names of the images to work on.
        replaced: names of images whose results make room for those of other images.
    """

    folder: OutputFolder
    request: Mapping[str, Any]
    images: Mapping[str, FoundImage]
    files: Mapping[str, Sequence[str]]
    run_files: Sequence[str]
    earlier: Earlier
    overwrite: bool
    needs_pieces: bool
    waiting: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)

    def make(self, listener: Listener) -> None:
        """Fill in what waits and what is replaced.

        Args:
            listener: hears of what is done again or replaced.

        Raises:
            OutputError: if the folder holds results of another request or of another picture, or files that no run
                wrote.
        """
        self._refuse_foreign_files(listener)
        if self.earlier.request not in (None, self.request):
            self._replace_other_request()
        self._replace_other_pictures(listener)
        if self.overwrite:
            self.waiting = set(self.images)
            return
        changed = []
        for name, image in self.images.items():
            entry = self.earlier.entries.get(name)
            if entry is None or not is_unchanged(image.path, entry.stamp, entry.sha256, *image.companions):
                self.waiting.add(name)
                changed += [name] if entry is not None and entry.status == DONE else []
            elif not self._is_whole(entry):
                self.waiting.add(name)
        if changed:
            regions = ", or the regions," if any(image.companions for image in self.images.values()) else ""
            listener.note(f"{_few(changed, 'picture')}{regions} changed since the last run, and will be done again")

    def _is_whole(self, entry: ImageEntry) -> bool:
        """Whether everything that is asked for of an image was made, and is there."""
        if entry.status != DONE or (self.needs_pieces and entry.pieces is None):
            return False
        return all(name in entry.outputs and self.folder.is_filled(name) for name in self.files[entry.relative])

    def _refuse_foreign_files(self, listener: Listener) -> None:
        """Refuse to replace files that no earlier run wrote; with ``overwrite``, name them."""
        owned = self.earlier.owned
        names = (*(name for of_image in self.files.values() for name in of_image), *self.run_files, MANIFEST)
        foreign = [str(self.folder.path(name)) for name in names if name not in owned and self.folder.exists(name)]
        if foreign and not self.overwrite:
            raise OutputError(
                f"This run would replace {_few(foreign, 'file')} that no earlier run wrote. Move them away, choose "
                "another --out, or replace them with --overwrite."
            )
        if foreign:
            listener.note(f"replacing {_few(foreign, 'file')} that no earlier run wrote")

    def _replace_other_request(self) -> None:
        """Replace all results of another request, or refuse. A request that has no results is forgotten."""
        earlier = self.earlier
        with_results = [name for name, entry in earlier.entries.items() if entry.outputs]
        if not with_results:
            earlier.entries, earlier.is_journal = {}, False
            return
        differences = explain_differences(earlier.request or {}, self.request)
        if not self.overwrite:
            raise OutputError(
                f"{self.folder.root} holds results of another request; {differences}. Choose another --out, or replace "
                "them with --overwrite."
            )
        left = [name for name in with_results if name not in self.images]
        if left:
            raise OutputError(
                f"{self.folder.root} holds results of another request; {differences}. --overwrite would leave "
                f"{_few(left, 'image')} of it, which are not among the inputs now, beside the new ones. Choose another "
                "--out, give these images too, or remove that folder."
            )
        begun = {name: replace(entry, status=BEGUN, stamp="", sha256="") for name, entry in earlier.entries.items()}
        earlier.entries, earlier.is_journal = begun, False

    def _replace_other_pictures(self, listener: Listener) -> None:
        """Find the results that this run would replace by those of other pictures; refuse without ``overwrite``.

        Raises:
            OutputError: naming an output, what it was made of, and what it would be made of.
        """
        owners = {name: image for image, of_image in self.files.items() for name in of_image}
        replaced = set()
        for entry in self.earlier.entries.values():
            for output in entry.outputs:
                image = self.images.get(owners.get(output, entry.relative))
                if image is None or _is_same_picture(entry, image):
                    continue
                if not self.overwrite:
                    raise OutputError(
                        f"{self.folder.path(output)} was made of {entry.source}; this run would make it of "
                        f"{image.path.absolute()}. Choose another --out, or replace earlier results with --overwrite."
                    )
                replaced.add(entry.relative)
        if replaced:
            listener.note(f"replacing the results of {_few(sorted(replaced), 'other picture')}")
        self.replaced = replaced - set(self.images)


def _is_same_picture(entry: ImageEntry, image: FoundImage) -> bool:
    """Whether a picture is the one that an entry was made of: the same file, or a copy."""
    try:
        if entry.source == str(image.path.absolute()) or image.path.samefile(entry.source):
            return True
    except (OSError, ValueError):  # one of them has gone
        pass
    return entry.sha256 != "" and entry.sha256 == sha256_of(image.path, *image.companions)


def _few(names: Sequence[str], what: str) -> str:
    """How many, and the first few of them."""
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({listed})"
