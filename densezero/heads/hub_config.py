"""What the ``config.json`` of a hub repository says of its heads, beyond the shapes of the tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from densezero.encoders.tips.config_json import read_config_json
from densezero.errors import ModelError
from densezero.heads.dpt import LEVELS
from densezero.heads.names import DEPTH, NORMALS, SEGMENTATION
from densezero.heads.tasks import DepthRange

READOUT_ACTIVATION = "gelu_pytorch_tanh"
DEPTH_ACTIVATION = "relu"  # where config.json does not state it, as in transformers
NO_ACTIVATIONS = (None, "linear", "identity")
TASK_OF_CLASS = {
    "Tipsv2DptForDepthEstimation": DEPTH,
    "Tipsv2DptForNormalEstimation": NORMALS,
    "Tipsv2DptForSemanticSegmentation": SEGMENTATION,
}


@dataclass(frozen=True)
class HubConfig:
    """Settings of a repository's heads.

    Args:
        depth_activation: between the last two layers of the depth head, ``"identity"`` or ``"relu"``.
        depths: what the depth head can give.
        blocks: the four blocks of the encoder, from 0; None if the file does not state them.
        task: of a repository with one head; None if the file does not state it.
    """

    depth_activation: str = DEPTH_ACTIVATION
    depths: DepthRange = field(default_factory=DepthRange)
    blocks: tuple[int, ...] | None = None
    task: str | None = None


def read_hub_config(file: Path) -> HubConfig:
    """Read ``config.json``. A file that is missing, and keys that are missing, give the defaults of transformers.

    Raises:
        ModelError: if the file cannot be read, or asks for something that these heads do not compute.
    """
    config = read_config_json(file)
    readout = config.get("readout_activation", READOUT_ACTIVATION)
    if readout != READOUT_ACTIVATION:
        raise ModelError(f"Expected {READOUT_ACTIVATION!r} as readout_activation in {file}; got {readout!r}.")
    activation = config.get("depth_decoder_activation", DEPTH_ACTIVATION)
    nearest, farthest = (_number(config, key, file) for key in ("min_depth", "max_depth"))
    usual = DepthRange()
    return HubConfig(
        depth_activation="identity" if activation in NO_ACTIVATIONS else str(activation),
        depths=DepthRange(nearest or usual.nearest_m, farthest or usual.farthest_m),
        blocks=_blocks(config.get("backbone_config"), file),
        task=_task(config.get("architectures")),
    )


def _number(config: dict[str, Any], key: str, file: Path) -> float | None:
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ModelError(f"Expected a number of metres above 0 for {key!r} in {file}; got {value!r}. Correct it.")
    return float(value)


def _blocks(backbone: object, file: Path) -> tuple[int, ...] | None:
    """Read the blocks from the stages; stage 0 is the embedding, and stage 1 the first block."""
    stages = backbone.get("out_indices") if isinstance(backbone, dict) else None
    if stages is None:
        return None
    whole = isinstance(stages, list) and all(type(stage) is int and stage >= 1 for stage in stages)
    if not whole or len(stages) != LEVELS or sorted(set(stages)) != stages:
        raise ModelError(
            f"Expected {LEVELS} ascending whole numbers from 1 as out_indices in {file}; got {stages!r}. Correct it."
        )
    return tuple(stage - 1 for stage in stages)


def _task(classes: object) -> str | None:
    names = classes if isinstance(classes, list) else []
    return next((TASK_OF_CLASS[name] for name in names if isinstance(name, str) and name in TASK_OF_CLASS), None)
