"""The result of the heads for one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_bytes
from densezero.errors import InputError, OutputError
from densezero.heads.names import DEPTH, NORMALS, SEGMENTATION
from densezero.images.any_image import as_rgb, to_pillow

if TYPE_CHECKING:
    from PIL.Image import Image

    from densezero.output.map_files import MapResult
    from densezero.vocabulary.classes import ClassList

ARRAYS = {DEPTH: "depth", NORMALS: "normals", SEGMENTATION: "labels"}  # their names in a file


@dataclass(frozen=True, repr=False, eq=False)
class DensePrediction:
    """What the heads say of one image. A notebook shows it as pictures, side by side.

    Args:
        maps: task to array, as the properties give them.
        image: (H, W, 3) RGB bytes, or the path that they are read from when labels are drawn.
        classes: of the labels, those of ``ade20k`` for the published heads; None if they are not known.
    """

    maps: Mapping[str, NDArray[Any]]
    image: NDArray[np.uint8] | Path
    classes: ClassList | None = None

    def __repr__(self) -> str:
        height, width = next(iter(self.maps.values())).shape[:2]
        return f"<DensePrediction of {height} x {width} pixels: {', '.join(self.maps)}>"

    def _repr_png_(self) -> bytes:
        from densezero.output.picture import encode_png

        return encode_png(np.asarray(self.picture()))

    @property
    def depth(self) -> NDArray[np.float32]:
        """(H, W) metres from the camera.

        Raises:
            InputError: if it was predicted without a depth head.
        """
        return self._map(DEPTH)

    @property
    def normals(self) -> NDArray[np.float32]:
        """(H, W, 3) unit vectors, x, y and z as the head gives them.

        Raises:
            InputError: if it was predicted without a normals head.
        """
        return self._map(NORMALS)

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(H, W) class indices; ``classes`` has their names.

        Raises:
            InputError: if it was predicted without a segmentation head.
        """
        return self._map(SEGMENTATION)

    def picture(self, task: str | None = None) -> Image:
        """Draw a map as a Pillow image of at most 2048 pixels a side, with its scale or legend.

        Args:
            task: ``"depth"`` in colours with a bar in metres, ``"normals"`` as colours, ``"segmentation"`` over the
                image; None draws all maps side by side.

        Raises:
            InputError: for a task that was not predicted, labels whose classes are not known, or an image that can no
                longer be read.
        """
        from densezero.output.map_files import draw_map
        from densezero.output.picture import join_pictures

        chosen = list(self.maps) if task is None else [task]
        return to_pillow(join_pictures([draw_map(each, self._result(each)) for each in chosen]))

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the result to a file; the ending chooses the format.

        Args:
            path: ``.npz`` for every map: ``depth`` in metres, ``normals``, ``labels``; ``.jpg`` or ``.jpeg`` for the
                picture; ``.png`` for a single map: depth as 16-bit grey in millimetres, normals as colours, or labels
                (pixel value = class index).
            overwrite: replace a file that exists. The image itself is never replaced.

        Returns:
            The path.

        Raises:
            OutputError: for another ending, a ``.png`` of several maps, a file that exists, or one that cannot be
                written.
            InputError: as ``picture``.
        """
        path = Path(path)
        if isinstance(self.image, Path) and path.exists() and path.samefile(self.image):
            raise OutputError(f"{path} is the picture itself, which is never replaced. Choose another name.")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists. Choose another name, or use overwrite=True.")
        write_bytes(path, self._encode(path))
        return path

    def _encode(self, path: Path) -> bytes:
        from densezero.output.map_files import MAP_FILES
        from densezero.output.map_npz import encode_map_npz
        from densezero.output.picture import encode_jpeg

        suffix = path.suffix.lower()
        if suffix == ".npz":
            return encode_map_npz({ARRAYS[task]: values for task, values in self.maps.items()})
        if suffix in (".jpg", ".jpeg"):
            return encode_jpeg(np.asarray(self.picture()))
        if suffix != ".png":
            raise OutputError(f"Expected a file name that ends in .npz, .png or .jpg; got {path}.")
        if len(self.maps) > 1:
            raise OutputError(f"A .png holds one map; this prediction has {', '.join(self.maps)}. Save it as .npz.")
        (task,) = self.maps
        return MAP_FILES[task]["png"].encode(self._result(task))

    def _result(self, task: str) -> MapResult:
        from densezero.output.map_files import MapResult

        values = self._map(task)
        if task == SEGMENTATION and self.classes is None:
            raise InputError(
                "The names of these labels are not known, because the head does not have ADE20K's classes."
            )
        rgb = self._rgb if task == SEGMENTATION else np.empty((*values.shape[:2], 0), np.uint8)  # not drawn
        return MapResult(values, rgb, self.classes)

    def _map(self, task: str) -> NDArray[Any]:
        if task not in self.maps:
            raise InputError(
                f"Expected a prediction for {task}; this one has {', '.join(self.maps)}. "
                f"Give DensePredictor a head from load_head(..., {task!r})."
            )
        return self.maps[task]

    @cached_property
    def _rgb(self) -> NDArray[np.uint8]:
        rgb, hw = as_rgb(self.image), next(iter(self.maps.values())).shape[:2]
        if rgb.shape[:2] != hw:
            raise InputError(f"Expected {self.image} to have {hw} pixels; it has {rgb.shape[:2]} now. Predict again.")
        return rgb
