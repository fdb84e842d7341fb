"""Where the regions of a run's images come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from densezero.engine.segmenter import Prepared
from densezero.images import FoundImage
from densezero.images.region_maps import Regions


class RegionSource:
    """Regions of the images of a run. This one has none; others override what they need.

    Args:
        images: of the run.

    Attributes:
        px_bytes: memory for the regions of an image, bytes a pixel.
        images: the same, each with the files of its regions as ``companions``.
        without: names of the images that are known to have no regions.
    """

    px_bytes: int = 0

    def __init__(self, images: Sequence[FoundImage]) -> None:
        self.images = tuple(images)
        self.without: tuple[str, ...] = ()

    def start(self, device: torch.device) -> dict[str, Any]:  # noqa: ARG002
        """Load what is needed, to the device of the encoder. Return what the request says of the regions."""
        return {}

    def about(self) -> dict[str, Any]:
        """What ``run.json`` says of the regions, beside the request."""
        return {"without_regions": list(self.without)} if self.without else {}

    def read(self, image: FoundImage, hw: tuple[int, int]) -> Regions | None:  # noqa: ARG002
        """Read the regions of an image of (H, W), in any thread. None where there are none.

        Raises:
            InputError: if they cannot be used.
        """
        return None

    def complete(self, prepared: Prepared, rgb: NDArray[np.uint8]) -> Prepared:  # noqa: ARG002
        """Make the regions of an image (H, W, 3) with a model, if this source does that."""
        return prepared
