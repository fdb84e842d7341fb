"""A head: a trained decoder and what its raw outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from densezero.encoders.device import pick_device, plain_torch
from densezero.errors import ModelError
from densezero.heads.dpt import LEVELS, DptDecoder
from densezero.heads.names import DEPTH, NORMALS, SEGMENTATION, TASKS
from densezero.heads.tasks import (
    DepthRange,
    depth_from_logits,
    label_map,
    resize_depth,
    resize_logits,
    resize_normals,
    unit_normals,
)

MOST_CLASSES = 254  # 255 is never predicted, as everywhere in label maps
OUTPUTS = {NORMALS: "3", DEPTH: "2 or more", SEGMENTATION: f"2 to {MOST_CLASSES}"}


class Head:
    """A trained decoder for one task, on the features of four blocks of a frozen encoder. It computes in float32.

    Args:
        name: the head's name in reports.
        task: ``"depth"``, ``"normals"`` or ``"segmentation"``.
        decoder: with its weights.
        weights_hash: SHA-256 over everything that changes a result, hexadecimal.
        blocks: the four blocks of the encoder, from 0; None takes those of the published heads for the encoder's depth.
        depths: what a depth head can give.
        encoder: name of the encoder that the head was trained on, if known.

    Raises:
        ModelError: for an unknown task, a number of outputs that the task cannot have, or another number of blocks.
    """

    def __init__(
        self,
        name: str,
        task: str,
        decoder: DptDecoder,
        weights_hash: str,
        blocks: tuple[int, ...] | None = None,
        depths: DepthRange | None = None,
        encoder: str | None = None,
    ) -> None:
        require_task(task)
        _check_outputs(name, task, decoder.config.outputs)
        if blocks is not None and len(blocks) != LEVELS:
            raise ModelError(f"Expected {LEVELS} blocks for {name}; got {len(blocks)}. Correct its config.json.")
        self.name, self.task = name, task
        self.decoder = decoder.eval().requires_grad_(False)
        self.weights_hash, self.blocks, self.encoder = weights_hash, blocks, encoder
        self.depths = depths or DepthRange()

    def __repr__(self) -> str:
        return f"<Head {self.name}: {self.task}, for encoders of width {self.width}>"

    @property
    def width(self) -> int:
        """Channels D of the encoder's tokens."""
        return self.decoder.config.width

    @plain_torch()
    def __call__(self, features: Sequence[tuple[Tensor, Tensor]], hw: tuple[int, int] | None = None) -> Tensor:
        """Decode features.

        Args:
            features: of four blocks, the shallowest first: class token (B, D) and grid (B, D, gh, gw), float32.
            hw: (H, W) of the result, pixels; None gives it at the decoder's own size, 16 rows for two rows of patches.

        Returns:
            Depth: (B, H, W) metres. Normals: (B, 3, H, W) unit vectors. Segmentation: (B, C, H, W) logits; use
            ``labels`` for large images.

        Raises:
            ModelError: if the features do not fit the head.
        """
        raw = self._decode(features)
        if self.task == SEGMENTATION:
            return raw if hw is None else resize_logits(raw, hw)
        if self.task == DEPTH:
            depth = depth_from_logits(raw, self.depths)
            return depth if hw is None else resize_depth(depth, hw)
        normals = unit_normals(raw)
        return normals if hw is None else resize_normals(normals, hw)

    @plain_torch()
    def labels(self, features: Sequence[tuple[Tensor, Tensor]], hw: tuple[int, int]) -> Tensor:
        """Give the class of every pixel, with little memory for any size.

        Args:
            features: as above.
            hw: (H, W) of the result, pixels.

        Returns:
            (B, H, W) uint8 class indices.

        Raises:
            ModelError: if the head is for another task, or the features do not fit it.
        """
        if self.task != SEGMENTATION:
            raise ModelError(f"Expected a segmentation head for labels; {self.name} is for {self.task}.")
        return torch.stack([label_map(logits, hw) for logits in self._decode(features)])

    def to(self, device: str | torch.device) -> Self:
        """Move the head to another device.

        Args:
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

        Returns:
            This head.

        Raises:
            ModelError: for an unknown device, or one that this machine does not have.
        """
        with plain_torch(inference=False):
            self.decoder.to(pick_device(str(device)))
        return self

    def _decode(self, features: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        self._check_features(features)
        raw: Tensor = self.decoder([(cls.float(), grid.float()) for cls, grid in features])
        # Some versions of torch lack parts of these resizes on Apple GPUs, so the CPU does them.
        return raw.cpu() if raw.device.type == "mps" else raw

    def _check_features(self, features: Sequence[tuple[Tensor, Tensor]]) -> None:
        shapes = [(tuple(cls.shape), tuple(grid.shape)) for cls, grid in features]
        first_cls, first_grid = shapes[0] if shapes else ((), ())
        fits = len(first_grid) == 4 and first_grid[1] == self.width and first_cls == first_grid[:2] and all(first_grid)
        if len(shapes) != LEVELS or len(set(shapes)) != 1 or not fits:
            raise ModelError(
                f"Expected for {self.name} the features of {LEVELS} blocks, each a class token (B, {self.width}) and a "
                f"grid (B, {self.width}, gh, gw) of equal sizes; got {shapes}. Take the encoder of the head's size."
            )


def require_task(task: str) -> None:
    """Refuse an unknown task.

    Raises:
        ModelError: with the known ones.
    """
    if task not in TASKS:
        raise ModelError(f"Expected a task out of {', '.join(TASKS)}; got {task!r}.")


def _check_outputs(name: str, task: str, outputs: int) -> None:
    allowed = {NORMALS: (3, 3), DEPTH: (2, outputs), SEGMENTATION: (2, MOST_CLASSES)}[task]
    if not allowed[0] <= outputs <= allowed[1]:
        raise ModelError(
            f"Expected {OUTPUTS[task]} outputs of a head for {task}; {name} has {outputs}. Give the file of that task."
        )
