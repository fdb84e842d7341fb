"""The loop: it goes on exactly, learns, stops at a NaN, and several processes do what one does."""

import csv
import os
import socket
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from densezero.errors import ModelError, OutputError
from densezero.pretrain.data.base import Sample, Skipped
from densezero.pretrain.settings import PretrainSettings
from densezero.pretrain.student import Student, encode, masked_trunk
from densezero.pretrain.trainer import Trainer, make_optimizer
from densezero.pretrain.wordpieces import train_wordpieces
from tests.conftest import ROOT

SMALL = {
    "model": {"width": 16, "depth": 2, "heads": 2, "text_depth": 1, "native_px": 56},
    "losses": {"local_px": 28},
    "teacher": {"prototypes": 12, "hidden": 16, "bottleneck": 8},
    "optimiser": {"warmup_steps": 2},
    "phases": [{"side_px": 56, "batch": 4, "steps": 5}, {"side_px": 84, "batch": 2, "steps": 2}],
    "dtype": "float32",
    "save_every": 3,
    "log_every": 2,
}


class Squares:
    """Images of one colour each, and that colour's name."""

    def __init__(self) -> None:
        self.skipped = Skipped()

    def __len__(self):
        return 8

    def read(self, index, rng):
        name = ("red", "green", "blue", "white")[index % 4]
        colour = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220), "white": (240, 240, 240)}[name]
        rgb = np.full((70, 60, 3), colour, np.uint8) + rng.integers(0, 15, (70, 60, 3), np.uint8)
        return Sample(rgb, name, f"a {name} wall", f"a picture of a wall that is {name}")

    def describe(self):
        return {}


def make(tokenizer, work, **changes):
    nested = {
        name: {**SMALL.get(name, {}), **value} if isinstance(value, dict) else value for name, value in changes.items()
    }
    return Trainer(PretrainSettings.from_dict({**SMALL, **nested}), Squares(), tokenizer, work, "cpu")


def rates(trainer):
    found = []
    for step in range(trainer.settings.steps):
        trainer.step = step
        found.append(trainer.learning_rate())
    return found


def test_the_learning_rate_rises_then_falls_as_a_cosine_over_all_phases(tokenizer, tmp_path):
    phases = [{"side_px": 56, "batch": 4, "steps": 3}, {"side_px": 84, "batch": 2, "steps": 5}]
    fixed = {"learning_rate": 0.5, "warmup_steps": 0}
    fall = rates(make(tokenizer, tmp_path, phases=phases, optimiser=fixed))
    half = 2**-0.5  # the cosine of an eighth of a turn
    assert fall[::2] == pytest.approx([0.5, 0.25 * (1 + half), 0.25, 0.25 * (1 - half)])
    warm = rates(make(tokenizer, tmp_path, phases=phases, optimiser={**fixed, "warmup_steps": 4}))
    assert np.divide(warm, fall) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 1])


def ignore(moment):
    pass


def weights(trainer):
    return {name: value.clone() for name, value in trainer.student.state_dict().items()}


def rows(trainer):
    with trainer.log.file.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ema", ["head", "full"])
@pytest.mark.parametrize("stop", [1, 3, 4, 6])
def test_a_stopped_run_ends_with_the_weights_and_the_log_of_an_undisturbed_one(tmp_path, tokenizer, stop, ema):
    whole = make(tokenizer, tmp_path / "whole", teacher={"ema": ema})
    whole.run(ignore)
    first = make(tokenizer, tmp_path / "parts", teacher={"ema": ema})
    steps = iter(range(stop))
    take = first.train_step

    def stopped():
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return take()

    first.train_step = stopped
    with pytest.raises(KeyboardInterrupt):
        first.run(ignore)
    second = make(tokenizer, tmp_path / "parts", teacher={"ema": ema})
    assert second.step == stop // 3 * 3
    second.run(ignore)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(second)[name]), name
    logs = [[{k: v for k, v in row.items() if k != "seconds_a_step"} for row in rows(t)] for t in (whole, second)]
    assert [row["step"] for row in logs[0]] == [row["step"] for row in logs[1]] == ["2", "4", "6", "7"]


def test_float16_is_never_chosen_because_its_loss_would_need_a_scale(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr("densezero.pretrain.trainer.pick_dtype", lambda name, device: torch.float16)
    assert make(tokenizer, tmp_path).dtype == torch.float32


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, tokenizer):
    make(tokenizer, tmp_path).run(ignore)
    with pytest.raises(ModelError, match=r"other settings: seed \(0 before, 1 now\)"):
        make(tokenizer, tmp_path, seed=1)
    make(tokenizer, tmp_path, save_every=1)  # how often it writes decides no weight
    (tmp_path / "checkpoint.pt").write_bytes(b"cut")
    with pytest.raises(ModelError, match="cannot be read"):
        make(tokenizer, tmp_path)


def test_one_changed_byte_of_a_checkpoint_is_noticed(tmp_path, tokenizer):
    trainer = make(tokenizer, tmp_path)
    trainer.run(ignore)
    content = bytearray(trainer.checkpoint.read_bytes())
    values = trainer.student.text.token_embedding.weight.detach().numpy().tobytes()
    content[content.index(values) + len(values) // 2] ^= 1
    trainer.checkpoint.write_bytes(content)
    torch.load(trainer.checkpoint, weights_only=True)  # sees nothing
    with pytest.raises(ModelError, match=r"the checksum of .* is wrong"):
        make(tokenizer, tmp_path)
    with pytest.raises(ModelError, match=r"does not fit .*the checksum of .* is wrong"):
        make(tokenizer, tmp_path / "other", teacher={"frozen": str(trainer.checkpoint)})


def test_a_number_that_is_not_finite_stops_with_a_sentence_and_keeps_the_last_checkpoint(tmp_path, tokenizer):
    trainer = make(tokenizer, tmp_path)
    real, calls = trainer.losses, []

    def losses(batch):
        calls.append(0)
        return {name: value * float("nan") if len(calls) == 5 else value for name, value in real(batch).items()}

    trainer.losses = losses
    with pytest.raises(ModelError, match="at step 5; got loss, contrast, ibot, dino, gradient that are not"):
        trainer.run(ignore)
    again = make(tokenizer, tmp_path)
    assert again.step == 3
    assert all(torch.isfinite(value).all() for value in weights(again).values())


def test_a_full_device_keeps_the_last_checkpoint(tmp_path, tokenizer, monkeypatch):
    trainer = make(tokenizer, tmp_path)
    sync, calls = os.fsync, []

    def full(number):
        calls.append(number)
        if len(calls) > 2:  # the first checkpoint needs two: for the file and for the folder
            raise OSError(28, "No space left on device")
        sync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space is left"):
        trainer.run(ignore)
    monkeypatch.undo()
    assert make(tokenizer, tmp_path).step == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "log.csv"]


def test_contrast_learns_colours_and_all_losses_fall(tmp_path, tokenizer):
    phases = [{"side_px": 56, "batch": 4, "steps": 60}]
    trainer = make(
        tokenizer, tmp_path, phases=phases, optimiser={"learning_rate": 3e-3, "warmup_steps": 5}, log_every=10
    )
    trainer.run(ignore)
    logged = rows(trainer)
    assert list(logged[0]) == [
        "step",
        "side_px",
        "loss",
        "contrast",
        "ibot",
        "dino",
        "gradient",
        "temperature",
        "seconds_a_step",
    ]
    assert float(logged[-1]["contrast"]) < 0.8 * float(logged[0]["contrast"])


def test_accumulated_batches_give_the_mean_of_their_gradients(tmp_path, tokenizer):
    trainer = make(tokenizer, tmp_path, optimiser={"accumulate": 2, "clip": 1e6})
    parts = []
    for part in range(2):
        trainer.optimizer.zero_grad(set_to_none=True)
        trainer._accumulate(part, 1)
        parts.append([None if p.grad is None else p.grad.clone() for p in trainer.student.parameters()])
        trainer.selves.centres = {name: torch.zeros(12) for name in trainer.selves.centres}
    fresh = make(tokenizer, tmp_path / "b", optimiser={"accumulate": 2, "clip": 1e6})
    stepped = []
    fresh.optimizer.step = lambda: stepped.append([p.grad for p in fresh.student.parameters()])
    fresh.selves._targets = keep_centres(fresh.selves._targets, fresh.selves)
    fresh.train_step()
    for one, two, mean in zip(*parts, stepped[0], strict=True):
        if mean is not None:
            torch.testing.assert_close(mean, (one + two) / 2, rtol=1e-4, atol=1e-6)


def keep_centres(targets, selves):
    def kept(name, tokens):
        found = targets(name, tokens)
        selves.centres[name] = torch.zeros(12)
        return found

    return kept


def test_what_is_hidden_is_the_mask_token_at_its_place():
    torch.manual_seed(0)
    settings = PretrainSettings.from_dict(SMALL)
    student = Student(settings.model, settings.teacher, 100)
    pixels, mask = torch.rand(2, 3, 56, 84), torch.zeros(2, 24, dtype=torch.bool)
    tokens = masked_trunk(student.vision, pixels, mask)
    torch.testing.assert_close(tokens, student.vision.trunk(pixels))
    everything = torch.ones_like(mask)
    hidden = encode(student.vision, pixels, everything).grid
    torch.testing.assert_close(hidden[0], hidden[1])  # nothing of the image is left
    other = pixels.clone()
    other[:, :, :14, :14] = 0
    mask[:, 0] = True
    torch.testing.assert_close(encode(student.vision, pixels, mask).grid, encode(student.vision, other, mask).grid)


@pytest.mark.parametrize("ema", ["head", "full"])
def test_gradients_reach_the_student_and_never_the_teacher(tmp_path, tokenizer, ema):
    trainer = make(tokenizer, tmp_path, teacher={"ema": ema})
    trainer._accumulate(0, 1)
    missing = [name for name, value in trainer.student.named_parameters() if value.grad is None]
    assert missing == []
    copies = [*trainer.selves.teacher.heads.parameters()]
    copies += [*trainer.selves.teacher.vision.parameters()] if ema == "full" else []
    assert all(value.grad is None and not value.requires_grad for value in copies)


def test_a_frozen_teacher_is_distilled_and_can_lend_its_weights(tmp_path, tokenizer):
    make(tokenizer, tmp_path / "teacher").run(ignore)
    frozen = {"frozen": str(tmp_path / "teacher" / "checkpoint.pt")}
    for start in ("random", "teacher"):
        student = make(
            tokenizer,
            tmp_path / f"from-{start}",
            losses={"mask_ratio": 0.0, "dino": 0},
            teacher={**frozen, "start": start},
        )
        before = weights(student)
        taught = student.selves.frozen.vision.state_dict()
        same = all(torch.equal(before[f"vision.{name}"], value) for name, value in taught.items())
        assert same == (start == "teacher")
        centres = {name: value.clone() for name, value in student.selves.centres.items()}
        student.train_step()
        assert all(
            torch.equal(student.selves.frozen.vision.state_dict()[name], value) for name, value in taught.items()
        )
        assert all(torch.equal(student.selves.centres[name], value) for name, value in centres.items())
    with pytest.raises(ModelError, match="does not fit"):
        make(tokenizer, tmp_path / "c", teacher={"frozen": str(tmp_path / "none.pt")})


def test_patches_begin_unlike_each_other():
    torch.manual_seed(0)
    settings = PretrainSettings.from_dict(SMALL)
    vision = Student(settings.model, settings.teacher, 100).vision
    grey = vision.patch_embed(torch.full((1, 3, 56, 56), 0.5))
    torch.testing.assert_close(grey, torch.zeros_like(grey), atol=1e-5, rtol=0)
    units = torch.nn.functional.normalize(vision.patch_embed(torch.rand(2, 3, 56, 56)).flatten(0, 1), dim=-1)
    assert units.mean(0).norm() < 0.5  # alike patches have 1


def test_weight_decay_leaves_norms_tokens_and_prototypes_alone():
    settings = PretrainSettings.from_dict(SMALL)
    student = Student(settings.model, settings.teacher, 100)
    decayed = {id(value) for value in make_optimizer(student, settings).param_groups[0]["params"]}
    names = {name for name, value in student.named_parameters() if id(value) in decayed}
    assert "text.token_embedding.weight" in names and "vision.blocks.0.mlp.fc1.weight" in names
    assert not any(name.endswith((".bias", "cls_token", "mask_token", "prototypes.weight")) for name in names)


def free_port():
    with socket.socket() as open_socket:
        open_socket.bind(("127.0.0.1", 0))
        return open_socket.getsockname()[1]


def test_two_processes_give_the_gradients_of_one_with_the_whole_batch(tmp_path, tokenizer):
    alone = make(tokenizer, tmp_path / "alone", phases=[{"side_px": 56, "batch": 4, "steps": 2}])
    alone.train_step()
    expected = {name: value.grad for name, value in alone.student.named_parameters()}
    environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2",
                   "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}  # fmt: skip
    words = [sys.executable, "-m", "tests.pretrain.one_rank", str(tmp_path), str(tokenizer_file(tokenizer, tmp_path))]
    processes = [subprocess.Popen(words, env={**environment, "RANK": str(rank)}, cwd=ROOT) for rank in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    for rank in range(2):
        given = torch.load(tmp_path / f"gradients-{rank}.pt", weights_only=True)
        for name, value in expected.items():
            torch.testing.assert_close(given[name], value, rtol=1e-3, atol=2e-6, msg=name)
        centres = torch.load(tmp_path / f"centres-{rank}.pt", weights_only=True)
        for name, value in alone.selves.centres.items():
            torch.testing.assert_close(centres[name], value, rtol=1e-5, atol=1e-6)


def tokenizer_file(tokenizer, folder):
    file = folder / "tokenizer.model"
    train_wordpieces(file)
    return file


def test_settings_that_contradict_the_checkpoint_are_named(tmp_path, tokenizer):
    trainer = make(tokenizer, tmp_path)
    changed = replace(trainer.settings, losses=replace(trainer.settings.losses, ibot_on="masked"))
    trainer.run(ignore)
    with pytest.raises(ModelError, match=r"losses\.ibot_on \('all' before, 'masked' now\)"):
        Trainer(changed, Squares(), tokenizer, tmp_path, "cpu")


def test_a_process_whose_neighbour_ends_says_so_in_a_sentence(tmp_path):
    environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2",
                   "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}  # fmt: skip
    (tmp_path / "r.toml").write_text('[data]\nkind = "folder"\nplace = "none"\n')
    words = [sys.executable, "-m", "densezero", "pretrain", "--config", "r.toml", "--out", "run", "--device", "cpu"]
    processes = [
        subprocess.Popen(words, env={**environment, "RANK": str(rank)}, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2], said
    assert "none" in said[0] and "Another process of this training has ended" in said[1]
    assert "Traceback" not in said[0] + said[1]
