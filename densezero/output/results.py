"""The results of a finished run of ``segment``, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from densezero.errors import InputError, UnknownImageError, did_you_mean
from densezero.output.image_files import FORMATS
from densezero.output.labels import read_labels
from densezero.output.segmentation import Provenance, Segmentation
from densezero.vocabulary import ClassList


class Results(Mapping[str, Segmentation]):
    """The results of a run, by the path of each image below its input folder. A label map is read when it is asked for.

    Args:
        folder: the output folder.
        classes: of the run.
        provenance: of the run.
        images: for each image that was segmented, its file, and the files that were written.
        failed: for each image that failed, the reason.
    """

    def __init__(
        self,
        folder: Path,
        classes: ClassList,
        provenance: Provenance,
        images: Mapping[str, tuple[Path, tuple[str, ...]]],
        failed: Mapping[str, str],
    ) -> None:
        self.folder, self.classes, self.provenance = folder, classes, provenance
        self.failed = dict(failed)
        self._images = dict(images)

    def __getitem__(self, image: str) -> Segmentation:
        labels = read_labels(self.file(image, "labels"))
        return Segmentation(labels, self.classes, self.provenance, self.source(image))

    def source(self, image: str) -> Path:
        """The picture of an image, where it was read; raise ``UnknownImageError``."""
        return self._found(image)[0]

    def file(self, image: str, name: str) -> Path:
        """The file of an image in a format of one file for each image, such as ``"labels"`` or ``"grey-from-1"``.

        Raises:
            UnknownImageError: if there is no such image.
            InputError: if the run did not save this format.
        """
        folder, suffix = FORMATS[name].folder, FORMATS[name].suffix
        saved = (file for file in self._found(image)[1] if file.startswith(f"{folder}/") and file.endswith(suffix))
        file = next(saved, None)
        if file is None:
            raise InputError(
                f"Expected the {name} of {image} in {self.folder}; the run did not save {name}. Run the same command "
                f"again with --save {name}."
            )
        return self.folder / file

    def _found(self, image: str) -> tuple[Path, tuple[str, ...]]:
        if image not in self._images:
            raise UnknownImageError(
                f"Expected the path of an image below its input folder, with its ending; got {image!r}. "
                f"{did_you_mean(str(image), list(self._images))}"
            )
        return self._images[image]

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def __repr__(self) -> str:
        return f"<Results in {self.folder}: images {len(self)}, classes {len(self.classes)}, failed {len(self.failed)}>"
