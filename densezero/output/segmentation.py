"""The result of segmenting one image: labels, classes, and methods that draw and save it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError, VocabularyError, did_you_mean
from densezero.images.any_image import as_rgb
from densezero.output.areas import class_pixels
from densezero.vocabulary.classes import ClassList

if TYPE_CHECKING:
    from PIL.Image import Image
    from supervision import Detections

Labels = NDArray[np.uint8] | NDArray[np.uint16]


class HasJson(Protocol):
    """Settings that can be written down, such as ``densezero.Protocol``."""

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""


@dataclass(frozen=True)
class Provenance:
    """What a result was made with. It is enough to make the result again."""

    protocol: HasJson
    class_list: str
    class_list_sha256: str
    templates: str
    templates_sha256: str
    encoder: str
    weights_sha256: str
    dtype: str
    examples: tuple[dict[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give plain values for a manifest. Without examples they are those of versions that had none."""
        values = {**vars(self), "protocol": self.protocol.to_json(), "examples": list(self.examples)}
        return values if self.examples else {name: value for name, value in values.items() if name != "examples"}


class Area(NamedTuple):
    """The part of an image that belongs to a class: pixels, and their share of the image, 0 to 1."""

    name: str
    pixels: int
    share: float


@dataclass(frozen=True, repr=False, eq=False)
class Segmentation:
    """A segmented image. A notebook shows it as its overlay.

    Args:
        labels: (H, W) class indices, uint8 up to 254 classes, else uint16; 255 and 65535 never occur.
        classes: the classes in label order.
        provenance: what it was made with.
        image: (H, W, 3) RGB bytes, or the path that they are read from when a picture is drawn.

    Example:
        >>> import densezero, numpy as np
        >>> segmenter = densezero.Segmenter(densezero.load_encoder("nano"), "sky, grass")
        >>> result = segmenter.segment(np.full((40, 60, 3), (30, 160, 40), np.uint8))
        >>> result.mask("grass").mean(), result.areas()[0].name
        (np.float64(1.0), 'grass')
    """

    labels: Labels
    classes: ClassList
    provenance: Provenance
    image: NDArray[np.uint8] | Path
    _compute_scores: Callable[[], NDArray[np.float32]] | None = None

    def __repr__(self) -> str:
        height, width = self.labels.shape
        largest = ", ".join(f"{area.name} {area.share:.0%}" for area in self.areas()[:4] if area.pixels)
        classes = "1 class" if len(self.classes) == 1 else f"{len(self.classes)} classes"
        return f"<Segmentation of {height} x {width} pixels, {classes}: {largest}>"

    def _repr_png_(self) -> bytes:
        from densezero.output.picture import encode_png

        return encode_png(np.asarray(self.overlay()))

    def mask(self, name: str) -> NDArray[np.bool_]:
        """Give the pixels of one class: (H, W), True where the label is the class of this name.

        Raises:
            VocabularyError: if no class has this name.
        """
        if name in self.classes.names:
            return np.asarray(self.labels == self.classes.names.index(name))
        owner = next((entry.name for entry in self.classes.entries if name in entry.words), None)
        advice = f"It is a word of the class {owner!r}." if owner else did_you_mean(str(name), list(self.classes.names))
        raise VocabularyError(f"Expected a class name; got {name!r}. {advice}")

    def areas(self) -> list[Area]:
        """Count the pixels of every class, the largest area first."""
        pixels = class_pixels(self.labels, len(self.classes))
        areas = [
            Area(name, pixels.get(index, 0), pixels.get(index, 0) / self.labels.size)
            for index, name in enumerate(self.classes.names)
        ]
        return sorted(areas, key=lambda area: -area.pixels)

    def scores(self) -> NDArray[np.float32]:
        """Compute class scores at the image's size.

        Returns:
            (C, H, W) float32: cosines, averaged probabilities or probabilities, as the protocol defines them; minus
            infinity for a background class without words.

        Raises:
            InputError: if the Segmenter did not keep the scores.
        """
        if self._compute_scores is None:
            raise InputError(
                "Expected kept scores; this result has none. Make it with Segmenter(..., keep_scores=True)."
            )
        return self._compute_scores()

    def overlay(self) -> Image:
        """Draw the class colours over the image, with a legend, as a Pillow image of at most 2048 pixels a side.

        Raises:
            InputError: if the image was given as a path and can no longer be read.
        """
        from densezero.output.overlay import overlay_image

        return overlay_image(self._rgb, self.labels, self.classes)

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the result to a file; the ending chooses the format.

        Args:
            path: ``.png`` label map (pixel value = class index), ``.jpg`` or ``.jpeg`` overlay, ``.json`` COCO
                run-length masks, ``.geojson`` polygons, ``.npz`` scores.
            overwrite: replace a file that exists. The image itself is never replaced.

        Returns:
            The path.

        Raises:
            OutputError: for another ending, a file that exists, or one that cannot be written.
        """
        from densezero.output.image_files import ImageResult
        from densezero.output.writer import write_single

        source = self.image if isinstance(self.image, Path) else None
        scores = self.scores() if Path(path).suffix.lower() == ".npz" else None
        return write_single(Path(path), ImageResult(self._rgb, self.labels, self.classes, scores), overwrite, source)

    def to_supervision(self) -> Detections:
        """Convert to ``supervision.Detections``: one mask, box and class index for each class that occurs.

        Raises:
            InputError: if the library supervision is not installed.
        """
        from densezero.output.detections import to_detections

        return to_detections(self.labels, self.classes)

    @cached_property
    def _rgb(self) -> NDArray[np.uint8]:
        rgb = as_rgb(self.image)
        if rgb.shape[:2] != self.labels.shape:
            raise InputError(
                f"Expected {self.image} to have {self.labels.shape} pixels, as its labels; it has {rgb.shape[:2]} now. "
                "Segment it again."
            )
        return rgb
