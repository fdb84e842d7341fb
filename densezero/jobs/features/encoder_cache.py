"""Loads the encoders of a run, one at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.catalog import load_encoder
from densezero.encoders.device import is_out_of_memory
from densezero.encoders.readouts import find_readout
from densezero.errors import FeatureError
from densezero.features.choices import GridChoice
from densezero.features.dense import encode_grid
from densezero.jobs.progress import Listener


@dataclass(frozen=True)
class Source:
    """A column's features.

    Args:
        model: a name or a path.
        readout: of the last block.
    """

    model: str
    readout: str


def list_sources(models: Sequence[str], readouts: Sequence[str]) -> list[Source]:
    """Every read-out of every model, those of one model next to each other."""
    return [Source(model, readout) for model in models for readout in readouts]


def label_sources(sources: Sequence[Source]) -> dict[Source, str]:
    """A name for each source that is short, different from the others', and fit for a folder."""
    one_readout = len({source.readout for source in sources}) == 1
    labels: dict[Source, str] = {}
    for source in sources:
        text = source.model if one_readout else f"{source.model}-{source.readout}"
        label = re.sub(r"[^\w.+-]+", "_", text).strip("._") or "model"
        taken = set(labels.values())
        labels[source] = label if label not in taken else f"{label}-{len(labels) + 1}"
    return labels


class EncoderCache:
    """Loads an encoder when it is needed, and keeps the last one. At most one encoder is in memory.

    Args:
        device: where to compute.
        dtype: numeric type of the vision towers.
        grid: how finely images are encoded.
    """

    def __init__(self, device: str, dtype: str, grid: GridChoice) -> None:
        self._device, self._dtype, self._grid = device, dtype, grid
        self._model = ""
        self._encoder: DenseEncoder | None = None

    def take(self, model: str) -> DenseEncoder:
        """Load the encoder of a model, or return the one in memory.

        Raises:
            ModelError: if it cannot be loaded.
        """
        if self._encoder is None or self._model != model:
            self._encoder = None  # free the last one before the next one is loaded
            self._encoder, self._model = load_encoder(model, self._device, self._dtype), model
        return self._encoder

    @property
    def device(self) -> str:
        """Device of the last encoder; "" if none was loaded."""
        return "" if self._encoder is None else str(self._encoder.device)

    def encode(self, source: Source, rgb: NDArray[np.uint8]) -> Tensor:
        """Encode an image: (gh, gw, D) float32 on the processor.

        Raises:
            FeatureError: if memory does not suffice.
        """
        encoder = self.take(source.model)
        side = self._grid.patches(encoder.patch_px)
        try:
            return encode_grid(encoder, rgb, source.readout, side, self._grid.window_side)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise FeatureError(
                f"There is not enough memory to encode an image at {side} patches along its long side. "
                "Ask for a smaller --grid, for smaller windows with --window, or for --device cpu."
            ) from None

    def check(self, sources: Sequence[Source], listener: Listener) -> dict[Source, str]:
        """Load every encoder once, before any work.

        Args:
            sources: of a run, those of one model next to each other.
            listener: hears what a user should read before trusting an encoder.

        Returns:
            The hash of each one's weights.

        Raises:
            ModelError: if one cannot be loaded or lacks its read-out.
            FeatureError: for a grid beyond what a machine can hold.
        """
        hashes = {}
        for source in sources:
            is_new = source.model != self._model
            encoder = self.take(source.model)
            find_readout(source.readout, encoder.readouts, encoder.name)
            self._grid.patches(encoder.patch_px)  # refused before any image
            if is_new and encoder.note:
                listener.note(encoder.note)
            hashes[source] = encoder.weights_hash
        return hashes


def spread_evenly(count: int, most: int) -> list[int]:
    """Choose at most ``most`` of ``count`` places, the first and the last among them.

    Example:
        >>> spread_evenly(9, 3), spread_evenly(2, 3)
        ([0, 4, 8], [0, 1])
    """
    if count <= most:
        return list(range(count))
    return [place * (count - 1) // max(most - 1, 1) for place in range(most)]
