"""Pretraining in a work folder: data, training, pictures of masks, and the finished model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_bytes
from densezero.encoders.catalog import load_encoder
from densezero.encoders.device import pick_device
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.engine import Segmenter, find_protocol
from densezero.features.choices import FigureStyle
from densezero.features.figure.layout import Section, plan_figure
from densezero.features.figure.panels import Panel, draw_figure
from densezero.jobs.places import LOCK
from densezero.output.lock import lock
from densezero.output.overlay import draw_overlay
from densezero.pretrain.data.open import open_source, picture_images, picture_words, write_tokenizer
from densezero.pretrain.export import export_model
from densezero.pretrain.parallel import Ranks, join
from densezero.pretrain.settings import PretrainSettings, read_settings
from densezero.pretrain.trainer import Trainer
from densezero.progress import Listener

MODEL = "model"


def pretrain(config: Path, out: Path, device: str = "auto", listener: Listener | None = None) -> Path:
    """Train, or go on with a stopped run, and export a folder that ``--model`` takes.

    Args:
        config: TOML file of the settings.
        out: work folder: ``settings.json``, ``checkpoint.pt``, ``log.csv``, ``masks-000500.png``, ``model/``.
        device: where to train.
        listener: hears of the settings, of what is passed over, and of the steps.

    Returns:
        The folder of the model.

    Raises:
        DenseZeroError: if the settings, the data or the work folder cannot be used, or a number is not finite.
    """
    settings, listener = read_settings(config), listener or Listener()
    with join(pick_device(device)) as ranks:
        if ranks.rank:
            return _train(settings, out, device, ranks, Listener())
        listener.understood(settings.to_json().rstrip())
        with lock(out / LOCK, out):
            return _train(settings, out, device, ranks, listener)


def _train(settings: PretrainSettings, out: Path, device: str, ranks: Ranks, listener: Listener) -> Path:
    with ranks.first_alone():  # draws the scenes and trains the tokenizer
        source = open_source(settings.data, out)
        tokenizer_file = write_tokenizer(settings.data, source, out)
    for line in source.skipped.describe():
        listener.note(line)
    trainer = Trainer(settings, source, Tokenizer(tokenizer_file), out, device, ranks)
    if ranks.rank == 0 and not (out / "settings.json").exists():
        write_bytes(out / "settings.json", settings.to_json().encode())
    images, words = picture_images(source), picture_words(settings.data)

    def export() -> None:
        temperature = float(trainer.student.temperature.detach())
        export_model(out / MODEL, trainer.student.vision, trainer.student.text, temperature, tokenizer_file)

    def picture(step: int) -> None:
        export()
        if words:
            write_bytes(out / f"masks-{step:06}.png", draw_masks(out / MODEL, images, words))

    trainer.run(listener.training, picture)
    export()
    for line in dict.fromkeys(line for batches in trainer.batches for line in batches.skipped.describe()):
        listener.note(line)
    return out / MODEL


def draw_masks(model: Path, images: Sequence[NDArray[np.uint8]], words: Sequence[str]) -> bytes:
    """Draw the masks of a model beside each image, (H, W, 3) each: the content of a PNG file."""
    segmenter = Segmenter(load_encoder(str(model), "cpu"), list(words), find_protocol("tips-simple"))
    rows = [[Panel(rgb), Panel(draw_overlay(rgb, segmenter.segment(rgb).labels, segmenter.classes))] for rgb in images]
    ratios = tuple(rgb.shape[0] / rgb.shape[1] for rgb in images)
    plan = plan_figure([Section(("image", "masks"), ratios)], FigureStyle(85))
    return draw_figure(plan, [rows], "png")[0]
