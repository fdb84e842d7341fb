"""Pretraining in a work folder: data, training, pictures of masks, and the finished model."""

from __future__ import annotations

from pathlib import Path

from densezero.atomic import remove_leftovers, write_bytes
from densezero.encoders.device import pick_device
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.evaluation.preview import draw_masks
from densezero.jobs.places import LOCK
from densezero.output.lock import lock
from densezero.pretrain.data.open import open_source, picture_images, picture_words, write_tokenizer
from densezero.pretrain.export import export_model
from densezero.pretrain.parallel import Ranks, join
from densezero.pretrain.settings import PretrainSettings, read_settings
from densezero.pretrain.trainer import CHECKPOINT, Trainer
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
            remove_leftovers([out / name for name in (CHECKPOINT, "log.csv", "settings.json", "tokenizer.model")])
            return _train(settings, out, device, ranks, listener)


def _train(settings: PretrainSettings, out: Path, device: str, ranks: Ranks, listener: Listener) -> Path:
    with ranks.first_alone():  # draws the scenes and trains the tokenizer
        source = open_source(settings.data, out)
        words, goes_on = picture_words(settings.data), (out / CHECKPOINT).exists()
        tokenizer_file = write_tokenizer(settings.data, source, out, keep=goes_on or ranks.rank > 0)
    for line in source.skipped.describe():
        listener.note(line)
    trainer = Trainer(settings, source, Tokenizer(tokenizer_file), out, device, ranks)
    if ranks.rank == 0:
        write_bytes(out / "settings.json", settings.to_json().encode())
    images = picture_images(source)

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
