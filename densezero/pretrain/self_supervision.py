"""What the student learns from itself: prototypes of patches (iBOT, iBOT++, distillation) and of local crops (DINO)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from densezero.encoders.tips.vision import VisionFeatures
from densezero.errors import ModelError
from densezero.pretrain.checkpoint import read_state
from densezero.pretrain.losses import dino, ibot, ibot_plus_plus, move_centre, sharpen
from densezero.pretrain.parallel import Ranks
from densezero.pretrain.settings import PretrainSettings
from densezero.pretrain.student import Student, encode
from densezero.pretrain.teacher import Teacher


class SelfSupervision:
    """The teacher, the centres of its prototypes, and the losses against them.

    Args:
        settings: of the run.
        student: in training.
        ranks: the processes, over which the centres are averaged.

    Raises:
        ModelError: if the frozen teacher cannot be read or has other sizes.
    """

    def __init__(self, settings: PretrainSettings, student: Student, ranks: Ranks) -> None:
        self.settings, self.student, self.ranks = settings, student, ranks
        chosen = settings.teacher
        self.teacher = Teacher(student.vision, student.heads, chosen.ema, chosen.decay)
        device = student.log_temperature.device
        self.centres = {name: torch.zeros(chosen.prototypes, device=device) for name in ("patches", "crops")}
        self.frozen: Student | None = None
        if chosen.frozen:
            self._take_frozen(Path(chosen.frozen), device)

    def losses(
        self, pixels: Tensor, whole: VisionFeatures, masked: VisionFeatures | None, mask: Tensor, local: Tensor | None
    ) -> dict[str, Tensor]:
        """Compute the losses, unweighted.

        Args:
            pixels: (B, 3, h, w) whole images.
            whole: their features by the student; with ``ema = "head"`` they are the teacher's too.
            masked: features of the masked images; None leaves the loss of patches out.
            mask: (B, P) bool.
            local: (B, M, 3, l, l) local crops; None leaves the loss of crops out.
        """
        if masked is None and local is None:
            return {}
        seen = self._teach(pixels, whole)
        chosen, heads, found = self.settings.teacher, self.student.heads, {}
        if masked is not None:
            targets = self._targets("patches", seen.grid.flatten(1, 2))  # (B, P, K)
            logits = heads["patches"](masked.grid.flatten(1, 2))
            if self.settings.losses.ibot_on == "all":
                found["ibot"] = ibot_plus_plus(logits, targets, chosen.student_temperature)
            else:
                found["ibot"] = ibot(logits, targets, mask, chosen.student_temperature)
        if local is not None:
            targets = self._targets("crops", seen.cls[:, 0])  # (B, K)
            crops = encode(self.student.vision, local.flatten(0, 1)).cls[:, 0]  # (B * M, D)
            logits = heads["crops"](crops).unflatten(0, local.shape[:2])
            found["dino"] = dino(logits, targets, chosen.student_temperature)
        return found

    @torch.no_grad()
    def _teach(self, pixels: Tensor, whole: VisionFeatures) -> VisionFeatures:
        """What the teacher makes of the whole images, without a gradient."""
        if self.frozen is not None:
            return encode(self.frozen.vision, pixels)
        if self.settings.teacher.ema == "full":
            return encode(self.teacher.vision, pixels)
        return VisionFeatures(whole.cls.detach(), whole.grid.detach())

    @torch.no_grad()
    def _targets(self, name: str, tokens: Tensor) -> Tensor:
        """Prototypes of the teacher's tokens; the centre moves on afterwards."""
        heads = self.teacher.heads if self.frozen is None else self.frozen.heads
        logits = heads[name](tokens)
        targets = sharpen(logits, self.centres[name], self.settings.teacher.temperature)
        if self.frozen is None:
            moved = move_centre(self.centres[name], logits, self.settings.teacher.centre_momentum)
            self.centres[name] = self.ranks.mean(moved)
        return targets

    def update(self, step: int) -> None:
        """Move the teacher's averages after a step."""
        self.teacher.update(step)

    def state_dict(self) -> dict[str, Any]:
        """The teacher's copies and the centres."""
        return {"teacher": self.teacher.state_dict(), "centres": self.centres}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what ``state_dict`` gave."""
        self.teacher.load_state_dict(state["teacher"])
        self.centres = dict(state["centres"])

    def _take_frozen(self, file: Path, device: torch.device) -> None:
        """Read a student of another run as the teacher, with the centres of its own teacher."""
        try:
            state = read_state(file, device)
            vocabulary = state["student"]["text.token_embedding.weight"].shape[0]
            frozen = Student(self.settings.model, self.settings.teacher, vocabulary).to(device)
            frozen.load_state_dict(state["student"])
            self.centres = dict(state["selves"]["centres"])
        except Exception as error:  # whatever another file makes torch raise
            raise ModelError(
                f"Expected teacher.frozen as the checkpoint of a run with the same [model] and [teacher] sizes; {file} "
                f"does not fit ({type(error).__name__}: {error})."
            ) from None
        self.frozen = frozen.eval().requires_grad_(False)
        if self.settings.teacher.start == "teacher":
            self.student.vision.load_state_dict(frozen.vision.state_dict())
            self.student.heads.load_state_dict(frozen.heads.state_dict())
