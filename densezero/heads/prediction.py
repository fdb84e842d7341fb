"""The result of the heads for one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically
from densezero.errors import InputError, OutputError
from densezero.heads.tasks import DEPTH, NORMALS, SEGMENTATION

NAMES = {DEPTH: "depth", NORMALS: "normals", SEGMENTATION: "labels"}  # of the arrays in a file


@dataclass(frozen=True, repr=False, eq=False)
class DensePrediction:
    """What the heads say of one image.

    Args:
        maps: task to array, as the properties give them.
    """

    maps: Mapping[str, NDArray[Any]]

    def __repr__(self) -> str:
        height, width = next(iter(self.maps.values())).shape[:2]
        return f"<DensePrediction of {height} x {width} pixels: {', '.join(self.maps)}>"

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
        """(H, W) class indices; those of the published heads are the 150 classes of ``ade20k``.

        Raises:
            InputError: if it was predicted without a segmentation head.
        """
        return self._map(SEGMENTATION)

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write every map into one ``.npz`` file: ``depth`` in metres, ``normals``, ``labels``.

        Args:
            path: a name that ends in ``.npz``.
            overwrite: replace a file that exists.

        Returns:
            The path.

        Raises:
            OutputError: for another ending, a file that exists, or one that cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise OutputError(
                f"Expected a file name ending in .npz; got {path}. For pictures, draw the arrays yourself."
            )
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists. Choose another name, or use overwrite=True.")
        arrays: dict[str, Any] = {NAMES[task]: values for task, values in self.maps.items()}

        def write(file: BinaryIO) -> None:
            np.savez_compressed(file, **arrays)

        write_atomically(path, write)
        return path

    def _map(self, task: str) -> NDArray[Any]:
        if task not in self.maps:
            raise InputError(
                f"Expected a prediction for {task}; this one has {', '.join(self.maps)}. "
                f"Give DensePredictor a head from load_head(..., {task!r})."
            )
        return self.maps[task]
