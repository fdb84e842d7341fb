"""Trains the embedded model: ``python -m densezero.pretrain.train --work DIR --out DIR``. Run it again to resume."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from densezero.encoders.tips.config import TextConfig, VisionConfig
from densezero.encoders.tips.text import TextTower
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.encoders.tips.vision import VisionTower
from densezero.pretrain.captions import long_caption, region_phrase, short_caption
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.export import export_model
from densezero.pretrain.losses import caption_contrast, patch_shares, region_words
from densezero.pretrain.pool import Batch, ScenePool
from densezero.pretrain.wordpieces import train_wordpieces

PATCH_PX = 14
LEAST_TEMPERATURE = 0.02


@dataclass(frozen=True)
class Phase:
    """A part of the training with one image size, batch size and number of steps."""

    side_px: int
    batch: int
    steps: int


@dataclass(frozen=True)
class Recipe:
    """All settings that determine the weights."""

    width: int = 128
    depth: int = 6
    heads: int = 4
    text_depth: int = 3
    native_px: int = 224
    pool_scenes: int = 8000
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 300
    contrast_weight: float = 0.3
    contrast_every: int = 4  # captions cost as much as pictures, and every fourth step is enough
    ema_decay: float = 0.998
    seed: int = 0
    phases: tuple[Phase, ...] = (Phase(112, 48, 4500), Phase(224, 16, 2600), Phase(336, 8, 300))

    @property
    def steps(self) -> int:
        """Number of steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> Phase:
        """Return the phase of a step."""
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        return self.phases[-1]


class Pair(nn.Module):
    """The vision tower, the text tower, and the temperature of the contrastive loss."""

    def __init__(self, recipe: Recipe, vocab_size: int) -> None:
        super().__init__()
        width = recipe.width
        self.vision = VisionTower(
            VisionConfig(width, recipe.depth, recipe.heads, 4 * width, "mlp", PATCH_PX, recipe.native_px)
        )
        self.text = TextTower(TextConfig(width, recipe.text_depth, recipe.heads, 4 * width, vocab_size))
        self.log_temperature = nn.Parameter(torch.tensor(0.07).log())
        self.apply(_initialise)
        for parameter in (self.vision.cls_token, self.vision.pos_embed, self.vision.register_tokens):
            nn.init.normal_(parameter, std=0.02)
        for name, parameter in self.text.named_parameters():
            if name.endswith("in_proj_weight"):
                nn.init.xavier_uniform_(parameter)
        nn.init.normal_(self.text.token_embedding.weight, std=width**-0.5)

    @property
    def temperature(self) -> Tensor:
        """Divisor of cosines in the losses, at least 0.02."""
        return self.log_temperature.exp().clamp(min=LEAST_TEMPERATURE)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=module.weight.shape[1] ** -0.5 * 0.6)
        nn.init.zeros_(module.bias)


class Trainer:
    """One training run in a work folder. It saves its state regularly, and loads it when it starts."""

    def __init__(self, recipe: Recipe, work: Path) -> None:
        torch.manual_seed(recipe.seed)
        work.mkdir(parents=True, exist_ok=True)
        self.recipe, self.work = recipe, work
        self.tokenizer_file = work / "tokenizer.model"
        if not self.tokenizer_file.exists():
            train_wordpieces(self.tokenizer_file)
        self.tokenizer = Tokenizer(self.tokenizer_file)
        self.pool = ScenePool(work / "pool", recipe.pool_scenes)
        self.pair = Pair(recipe, self.tokenizer.vocab_size)
        decay = [p for p in self.pair.parameters() if p.ndim > 1]
        plain = [p for p in self.pair.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
        self.average = {name: value.clone() for name, value in self.pair.state_dict().items()}
        counts = self.pool.label_counts(len(CONCEPTS)) + 1.0
        self.weights = torch.tensor((counts / counts.sum()) ** -0.5, dtype=torch.float32)
        self.step = 0
        self._resume()

    def run(self, report: Callable[[str], None], save_every: int = 200) -> None:
        """Train to the last step of the recipe."""
        started, first = time.perf_counter(), self.step
        losses: list[tuple[float, float]] = []
        while self.step < self.recipe.steps:
            losses.append(self._train_step())
            self.step += 1
            if self.step % 100 == 0:
                pace = (time.perf_counter() - started) / (self.step - first)
                region, contrast = np.mean(losses, axis=0) * (1, self.recipe.contrast_every)
                report(
                    f"step {self.step}/{self.recipe.steps} side {self.recipe.phase_at(self.step - 1).side_px} "
                    f"region {region:.4f} contrast {contrast:.4f} tau {float(self.pair.temperature.detach()):.4f} "
                    f"{pace:.3f} s/step"
                )
                losses.clear()
            if self.step % save_every == 0 or self.step == self.recipe.steps:
                self._save()

    def export(self, folder: Path) -> None:
        """Write the averaged weights as a model folder."""
        self.pair.load_state_dict(self.average)
        export_model(
            folder, self.pair.vision, self.pair.text, float(self.pair.temperature.detach()), self.tokenizer_file
        )

    def _train_step(self) -> tuple[float, float]:
        phase = self.recipe.phase_at(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        batch = self.pool.batch(self.step, phase.batch, phase.side_px)
        # On a CPU the backward pass of fused attention is slow. Plain attention takes a third of the time at this size.
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            region, contrast = self._losses(batch)
            loss = region + self.recipe.contrast_weight * contrast
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.pair.parameters(), 1.0)
        self.optimizer.step()
        self._update_average()
        return float(region.detach()), float(contrast.detach())

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.recipe.seed, 11, self.step))
        phrases = [region_phrase(index, rng) for index in range(len(CONCEPTS))]
        vision, tau = self.pair.vision, self.pair.temperature
        trunk, grid_hw = vision.trunk(batch.pixels), vision.grid_hw(batch.pixels)
        grid = vision.read_out(trunk, grid_hw, "value").grid
        shares = patch_shares(batch.labels, len(CONCEPTS), PATCH_PX)
        region = region_words(grid, self.pair.text(*self.tokenizer(phrases)), shares, self.weights, tau)
        if self.step % self.recipe.contrast_every:
            return region, torch.zeros(())
        short = [short_caption(mentions, rng) for mentions in batch.mentions]
        long = [long_caption(mentions, rng) for mentions in batch.mentions]
        cls = vision.read_out(trunk, grid_hw, "patch").cls
        captions = self.pair.text(*self.tokenizer(short + long)).chunk(2)
        contrast = (caption_contrast(cls[:, 0], captions[0], tau) + caption_contrast(cls[:, 1], captions[1], tau)) / 2
        return region, contrast

    def _learning_rate(self) -> float:
        recipe = self.recipe
        warm = min(1.0, (self.step + 1) / recipe.warmup_steps)
        return recipe.learning_rate * warm * (0.5 + 0.5 * float(np.cos(np.pi * self.step / recipe.steps))) + 1e-6

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.pair.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def _save(self) -> None:
        state = {
            "step": self.step,
            "pair": self.pair.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }
        aside = self.work / "state.tmp"
        torch.save(state, aside)
        aside.replace(self.work / "state.pt")

    def _resume(self) -> None:
        file = self.work / "state.pt"
        if file.exists():
            state = torch.load(file, weights_only=True)
            self.step, self.average = state["step"], state["average"]
            self.pair.load_state_dict(state["pair"])
            self.optimizer.load_state_dict(state["optimizer"])


def main() -> None:
    """Train with the recipe, and write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="pool, checkpoints and log")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument(
        "--phases",
        type=json.loads,
        help="JSON list of [side_px, batch, steps], which replaces the phases of the recipe",
    )
    options = parser.parse_args()
    recipe = Recipe(phases=tuple(Phase(*p) for p in options.phases)) if options.phases else Recipe()
    trainer = Trainer(recipe, options.work)
    log = options.work / "log.txt"

    def report(line: str) -> None:
        with log.open("a") as file:
            file.write(line + "\n")

    trainer.run(report)
    trainer.export(options.out)


if __name__ == "__main__":
    main()
