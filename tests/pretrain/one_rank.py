"""One of two processes of ``test_trainer.py``: it takes a step, and writes its gradients."""

import sys
from pathlib import Path

import torch

from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.pretrain.parallel import join
from densezero.pretrain.settings import PretrainSettings
from densezero.pretrain.trainer import Trainer
from tests.pretrain.test_trainer import SMALL, Squares


def main(folder: Path, tokenizer: Path) -> None:
    settings = PretrainSettings.from_dict({**SMALL, "phases": [{"side_px": 56, "batch": 4, "steps": 2}]})
    with join(torch.device("cpu")) as ranks:
        trainer = Trainer(settings, Squares(), Tokenizer(tokenizer), folder / f"work-{ranks.rank}", "cpu", ranks)
        trainer.train_step()
        gradients = {name: value.grad for name, value in trainer.student.named_parameters()}
        torch.save(gradients, folder / f"gradients-{ranks.rank}.pt")
        torch.save(trainer.selves.centres, folder / f"centres-{ranks.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
