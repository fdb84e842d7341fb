"""Masks that SAM 2 makes, by the mask generation of ``transformers``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from densezero.encoders.device import plain_torch, to_numpy
from densezero.encoders.hub import offline_if_unreachable
from densezero.engine.segmenter import Prepared
from densezero.errors import ModelError
from densezero.images import FoundImage
from densezero.images.any_image import to_pillow
from densezero.images.region_maps import MAP_BYTES, region_map
from densezero.regions.source import RegionSource

SAM2: Final = "sam2"
DEFAULT_SAM2: Final = "facebook/sam2.1-hiera-small"


class Sam2Regions(RegionSource):
    """Regions that a mask generator makes of each image: a grid of points, a mask for each, duplicates removed.

    All settings are the defaults of ``transformers``: 32 × 32 points, no crops.

    Args:
        images: of the run.
        name: a repository of the hub, or a folder. Other mask generators of ``transformers`` work too.
    """

    px_bytes = MAP_BYTES

    def __init__(self, images: Sequence[FoundImage], name: str = DEFAULT_SAM2) -> None:
        super().__init__(images)
        self.name = name
        self._generate: Any = None

    def start(self, device: torch.device) -> dict[str, Any]:
        """Load the model in float32, from the hub's cache, or from the hub.

        Raises:
            ModelError: if it cannot be loaded.
        """
        self._generate = load_generator(self.name, device)
        return {"regions": {"model": self.name, "weights": _weights_sha256(self._generate.model)}}

    def complete(self, prepared: Prepared, rgb: NDArray[np.uint8]) -> Prepared:
        """Make the masks of an image (H, W, 3)."""
        with plain_torch():
            masks = [to_numpy(mask) for mask in self._generate(to_pillow(rgb))["masks"]]  # each (H, W) bool
        filled = [mask for mask in masks if mask.any()]
        return prepared._replace(regions=region_map(filled, prepared.image_hw))


def load_generator(name: str, device: torch.device) -> Any:
    """Load a mask generation pipeline.

    Args:
        name: a repository of the hub, or a folder.
        device: where it computes.

    Raises:
        ModelError: if there is none of that name, or it cannot be reached or used.
    """
    from transformers import pipeline  # seconds to import, and few runs need it

    is_offline, is_local = False, Path(name).is_dir()
    try:
        with plain_torch(inference=False), nullcontext(False) if is_local else offline_if_unreachable() as is_offline:
            weights = {"use_safetensors": True}  # never a pickle
            return pipeline("mask-generation", model=name, device=device, dtype=torch.float32, model_kwargs=weights)
    except Exception as error:  # transformers lets the exceptions of many libraries through
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelError(
            f"Expected {name} as a mask generator of the hub or in a folder (config.json, preprocessor_config.json, "
            f"model.safetensors); it cannot be loaded ({reason}). {_advice(is_offline)}"
        ) from None


def _advice(is_offline: bool) -> str:
    if not is_offline:
        return f"Check the name, for example --regions {SAM2}:{DEFAULT_SAM2}."
    return (
        "HF_HUB_OFFLINE is set, or the hub cannot be reached. Connect once and run the command again, copy the files "
        f"here and give their folder as --regions {SAM2}:FOLDER, or give masks that were made elsewhere as --regions "
        "FOLDER."
    )


def _weights_sha256(model: torch.nn.Module) -> str:
    """Hash the names and values of all weights."""
    whole = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        whole.update(f"{name} {tuple(tensor.shape)} ".encode())
        whole.update(to_numpy(tensor.contiguous()).tobytes())
    return whole.hexdigest()
