"""Loads the encoders of a run, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.catalog import load_encoder
from densezero.encoders.device import is_out_of_memory
from densezero.errors import FeatureError
from densezero.features.choices import GridChoice
from densezero.features.dense import check_source, encode_grid
from densezero.features.sources import Source


class EncoderCache:
    """Loads an encoder when it is needed, and keeps the last one. At most one encoder is in memory."""

    def __init__(self, device: str, dtype: str, grid: GridChoice) -> None:
        self._device, self._dtype, self._grid = device, dtype, grid
        self._model = ""
        self._encoder: DenseEncoder | None = None
        self.most_patches = 0  # along the long side of an image, of all encoders that were checked

    def take(self, model: str) -> DenseEncoder:
        """Load the encoder of a model, or return the one in memory."""
        if self._encoder is None or self._model != model:
            self._encoder = None  # free the last one before the next one is loaded
            self._encoder, self._model = load_encoder(model, self._device, self._dtype), model
        return self._encoder

    @property
    def device(self) -> str:
        """Device of the last encoder; "" if none was loaded."""
        return "" if self._encoder is None else str(self._encoder.device)

    def encode(self, source: Source, rgb: NDArray[np.uint8]) -> Tensor:
        """Encode an image: (gh, gw, D) float32 on the CPU. Raise ``FeatureError`` if the memory is too small."""
        encoder = self.take(source.model)
        side = self._grid.patches(encoder.patch_px)
        try:
            return encode_grid(encoder, rgb, source.readout, side, self._grid.window_side, source.layer)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise FeatureError(
                f"There is not enough memory to encode an image at {side} patches along its long side. "
                "Ask for a smaller --grid, for smaller windows with --window, or for --device cpu."
            ) from None

    def check(self, sources: Sequence[Source], note: Callable[[str], None]) -> dict[Source, str]:
        """Load every encoder once, before any work, and return the hash of each one's weights.

        Args:
            sources: of a run, those of one model next to each other.
            note: is called with the note of each encoder that has one.

        Raises:
            ModelError: if an encoder cannot be loaded, or lacks its read-out or its layer.
            FeatureError: for a grid that is too large for any machine.
        """
        hashes = {}
        for source in sources:
            is_new = source.model != self._model
            encoder = self.take(source.model)
            check_source(encoder, source.readout, source.layer)
            self.most_patches = max(self.most_patches, self._grid.patches(encoder.patch_px))  # refused before any image
            if is_new and encoder.note:
                note(encoder.note)
            hashes[source] = encoder.weights_hash
        return hashes
