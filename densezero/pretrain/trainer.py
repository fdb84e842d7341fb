"""The training loop: one step after another, with a log and checkpoints, from which a stopped run goes on exactly."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from densezero.encoders.device import pick_device, pick_dtype
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.errors import InputError, ModelError
from densezero.interrupts import Interrupts
from densezero.pretrain.checkpoint import damaged, load_checkpoint, save_checkpoint
from densezero.pretrain.data.base import Source
from densezero.pretrain.data.batches import Batches, PretrainBatch
from densezero.pretrain.log import Log
from densezero.pretrain.losses import region_words, two_token_contrast
from densezero.pretrain.parallel import Ranks
from densezero.pretrain.self_supervision import SelfSupervision
from densezero.pretrain.settings import PretrainSettings
from densezero.pretrain.student import Student, encode, encode_texts, masked_trunk
from densezero.progress import Moment

CHECKPOINT = "checkpoint.pt"


class Trainer:
    """One run in a work folder. A checkpoint that lies there is gone on from.

    Args:
        settings: of the run.
        source: images and captions.
        tokenizer: of the captions.
        work: folder of the checkpoint and the log.
        device: where to train; see ``pick_device``.
        ranks: which of the processes this is.

    Raises:
        ModelError: if the checkpoint is of another run, or the frozen teacher does not fit.
    """

    def __init__(
        self,
        settings: PretrainSettings,
        source: Source,
        tokenizer: Tokenizer,
        work: Path,
        device: str = "auto",
        ranks: Ranks | None = None,
    ) -> None:
        self.settings, self.tokenizer, self.work = settings, tokenizer, work
        self.ranks = ranks or Ranks()
        self._refuse_uneven_batches()
        self.device = pick_device(device)
        picked = pick_dtype(settings.dtype, self.device)
        self.dtype = torch.float32 if picked == torch.float16 else picked  # float16 would need its loss scaled
        torch.manual_seed(settings.seed)
        self.student = Student(settings.model, settings.teacher, tokenizer.vocab_size).to(self.device)
        self.selves = SelfSupervision(settings, self.student, self.ranks)
        self.optimizer = make_optimizer(self.student, settings)
        self.batches = [self._batches(source, number) for number in range(len(settings.phases))]
        self.log = Log(work / "log.csv")
        self.data = json.dumps(source.describe())
        self.step = 0
        self.times = _Pace()
        if (state := load_checkpoint(self.checkpoint, settings, self.device)) is not None:
            try:
                self._restore(state)
            except ModelError:
                raise
            except Exception as error:  # whatever a damaged file makes torch raise
                raise damaged(self.checkpoint, error) from None

    @property
    def checkpoint(self) -> Path:
        """The file that keeps the state."""
        return self.work / CHECKPOINT

    def run(self, tell: Callable[[Moment], None], picture: Callable[[int], None] | None = None) -> None:
        """Train to the last step.

        Args:
            tell: hears how far the run is, every ``log_every`` steps.
            picture: is called with the step every ``picture_every`` steps, and at the end.

        Raises:
            ModelError: if a loss or a gradient is not finite; the last checkpoint stays.
            OutputError: if the checkpoint or the log cannot be written; the last checkpoint stays.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        if self.ranks.rank == 0:
            self.log.keep_until(self.step)
        chosen, totals = self.settings, _Totals()
        self.times.start(self.step)
        while self.step < chosen.steps:
            Interrupts.check()
            totals.add(self.train_step())
            self.step += 1
            last = self.step == chosen.steps
            if self.ranks.rank == 0:
                if self.step % chosen.log_every == 0 or last:
                    self._report(totals, tell)
                if picture and chosen.picture_every and (self.step % chosen.picture_every == 0 or last):
                    picture(self.step)  # before the checkpoint, so that a run that goes on from it lacks no picture
                if self.step % chosen.save_every == 0 or last:
                    save_checkpoint(self.checkpoint, self.state(), chosen)

    def train_step(self) -> dict[str, float]:
        """Take one step, and give its losses and the norm of the gradient.

        Raises:
            ModelError: if one of them is not finite; the weights are those before the step.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        count = self.settings.optimiser.accumulate
        sums: dict[str, float] = {}
        for part in range(count):
            values = self._accumulate(part, count)
            sums = {name: sums.get(name, 0.0) + value / count for name, value in values.items()}
        self.ranks.average_gradients(self.student.parameters())
        sums["gradient"] = float(nn.utils.clip_grad_norm_(self.student.parameters(), self.settings.optimiser.clip))
        self._refuse_not_finite(sums)
        self.optimizer.step()
        self.selves.update(self.step)
        return sums

    def learning_rate(self) -> float:
        """Rise linearly to the highest rate, then fall as a cosine to zero."""
        optimiser, steps = self.settings.optimiser, self.settings.steps
        warm = min(1.0, (self.step + 1) / max(optimiser.warmup_steps, 1))
        return optimiser.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * self.step / steps))

    def state(self) -> dict[str, Any]:
        """Everything that later steps depend on."""
        return {
            "step": self.step,
            "data": self.data,
            "student": self.student.state_dict(),
            "selves": self.selves.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def losses(self, batch: PretrainBatch) -> dict[str, Tensor]:
        """Compute the losses of a batch, unweighted."""
        weights, vision = self.settings.losses, self.student.vision
        pixels, mask = batch.pixels.to(self.device), batch.mask.to(self.device)
        trunk, grid_hw = masked_trunk(vision, pixels, None), vision.grid_hw(pixels)
        whole = vision.read_out(trunk, grid_hw, "patch")
        value = None
        if weights.regions or weights.contrast_on == "value":
            value = vision.read_out(trunk, grid_hw, "value").grid  # (B, gh, gw, D)
        found = self._text_losses(batch, whole.cls, value)
        masked = None
        if weights.ibot:
            masked = whole if not weights.mask_ratio else encode(vision, pixels, mask)
        local = batch.local.to(self.device) if weights.dino else None
        return found | self.selves.losses(pixels, whole, masked, mask, local)

    def _text_losses(self, batch: PretrainBatch, cls: Tensor, value: Tensor | None) -> dict[str, Tensor]:
        """Compare class tokens (B, 2, D) or the mean of the value tokens with captions, and value tokens with words."""
        weights, student, found = self.settings.losses, self.student, {}
        if not (weights.contrast or weights.regions):
            return {}
        tokens = self.tokenizer([*batch.alt, *batch.captions, *batch.phrases])
        texts = encode_texts(student.text, tokens.ids.to(self.device), tokens.paddings.to(self.device))
        alt, caption, phrases = torch.split(texts, [len(batch.alt), len(batch.captions), len(batch.phrases)])
        if weights.contrast:
            images = cls
            if weights.contrast_on == "value" and value is not None:
                images = value.flatten(1, 2).mean(1)[:, None].expand(-1, 2, -1)
            gather, rank = self.ranks.gather, self.ranks.rank
            found["contrast"] = two_token_contrast(images, alt, caption, student.temperature, gather, rank)
        if weights.regions and value is not None:
            labels = batch.labels.to(self.device)
            found["regions"] = region_words(value, phrases, labels, student.temperature, self.ranks.mean)
        return found

    def _accumulate(self, part: int, count: int) -> dict[str, float]:
        phase, step = self.settings.phase_at(self.step)
        batch = self.batches[phase].at(step * count + part, self.ranks.rank, self.ranks.count)
        weights = self.settings.losses
        with self._numerics():
            found = self.losses(batch)
            loss = torch.stack([getattr(weights, name) * value for name, value in found.items()]).sum()
            (loss / count).backward()  # type: ignore[no-untyped-call]
        return {"loss": float(loss.detach()), **{name: float(value.detach()) for name, value in found.items()}}

    def _numerics(self) -> AbstractContextManager[Any]:
        """Autocast where the machine computes bfloat16. On a CPU, fused attention is slow backwards."""
        if self.device.type == "cpu" and self.dtype == torch.float32:
            return sdpa_kernel(SDPBackend.MATH)
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def _batches(self, source: Source, number: int) -> Batches:
        chosen = self.settings
        return Batches(
            source, seed=chosen.seed * 1000 + number, side_px=chosen.phases[number].side_px,
            patch_px=chosen.model.patch_px, batch=chosen.phases[number].batch, mask_ratio=chosen.losses.mask_ratio,
            local_crops=chosen.losses.local_crops if chosen.losses.dino else 0, local_px=chosen.losses.local_px,
            caption_kind=chosen.losses.captions, with_labels=chosen.losses.regions > 0,
        )  # fmt: skip

    def _refuse_uneven_batches(self) -> None:
        for phase in self.settings.phases:
            if phase.batch % self.ranks.count:
                raise InputError(
                    f"Expected batches that {self.ranks.count} processes can share evenly; one of [[phases]] has "
                    f"{phase.batch} images."
                )

    def _refuse_not_finite(self, values: dict[str, float]) -> None:
        if wrong := [name for name, value in values.items() if not math.isfinite(value)]:
            raise ModelError(
                f"Expected finite numbers at step {self.step + 1}; got {', '.join(wrong)} that are not. "
                + (f"The checkpoint before it is kept in {self.checkpoint}. " if self.checkpoint.exists() else "")
                + "Lower optimiser.learning_rate, or raise optimiser.warmup_steps, and start in another folder."
            )

    def _report(self, totals: _Totals, tell: Callable[[Moment], None]) -> None:
        means = totals.take()
        pace = self.times.pace(self.step)
        row = {"step": self.step, "side_px": self.settings.phases[self.settings.phase_at(self.step - 1)[0]].side_px}
        temperature = float(self.student.temperature.detach())
        self.log.add({**row, **means, "temperature": temperature, "seconds_a_step": pace})
        left = self.settings.steps - self.step
        tell(Moment(self.step, self.settings.steps, means["loss"], left * pace, pace))

    def _restore(self, state: dict[str, Any]) -> None:
        if state["data"] != self.data:
            raise ModelError(
                f"The images or captions are others than those of {self.checkpoint}: {self.data} now, {state['data']} "
                "then. Give the same data, or choose another --out."
            )
        self.step = state["step"]
        self.student.load_state_dict(state["student"])
        self.selves.load_state_dict(state["selves"])
        self.optimizer.load_state_dict(state["optimizer"])


class _Totals:
    """Sums of the losses since the last row of the log."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def add(self, values: dict[str, float]) -> None:
        self.count += 1
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in values.items()}

    def take(self) -> dict[str, float]:
        means = {name: value / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


class _Pace:
    """Seconds a step in this sitting."""

    def start(self, step: int) -> None:
        self.first, self.began = step, time.perf_counter()

    def pace(self, step: int) -> float:
        return (time.perf_counter() - self.began) / max(step - self.first, 1)


def make_optimizer(student: Student, settings: PretrainSettings) -> torch.optim.AdamW:
    """Make AdamW. Biases, norms, single tokens and prototypes (whose length does not count) have no weight decay."""
    decay: list[Tensor] = []
    plain: list[Tensor] = []
    for name, parameter in student.named_parameters():
        single = name.endswith(("_token", "_tokens", "prototypes.weight")) or parameter.ndim <= 1
        (plain if single else decay).append(parameter)
    groups = [
        {"params": decay, "weight_decay": settings.optimiser.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.optimiser.learning_rate, betas=(0.9, 0.98))
