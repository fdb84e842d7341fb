"""``densezero datasets``, in process."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from densezero.cli.datasets import datasets
from densezero.datasets import DATASETS
from tests.datasets import devkits


def run(*words):
    outcome = CliRunner().invoke(datasets, [str(word) for word in words])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


def test_list_names_every_data_set_and_what_is_expected():
    outcome = run("list")
    assert outcome.exit_code == 0
    for name, entry in DATASETS.items():
        assert f"{name} " in outcome.stdout
        assert entry.expected in outcome.stdout


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("coco-stuff", "in the rising order of the 171 raw ids"),
        ("coco-object", "in the order of COCO's ids"),
        ("pascal-context59", "in the order of the alphabet"),
        ("pascal-context60", "in the order of the alphabet"),
    ],
)
def test_an_order_that_values_cannot_tell_is_stated(name, order):
    assert order in DATASETS[name].expected


def test_a_whole_data_set_ends_with_status_zero(tmp_path):
    devkits.draw_ade(tmp_path)
    outcome = run("check", "ade20k", "--root", tmp_path)
    assert outcome.exit_code == 0
    assert "found     2 of 2,000 pairs of the split 'val'" in outcome.stdout
    assert "2 labels, 150 of 150 classes" in outcome.stdout
    assert outcome.stderr == ""


def test_a_problem_ends_with_status_one_on_standard_error(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    (top / "annotations" / "validation" / "ADE_val_00000001.png").unlink()
    outcome = run("check", "ade20k", "--root", tmp_path)
    assert outcome.exit_code == 1
    assert "expected  ADE20K is expected as" in outcome.stdout
    assert "problem: " in outcome.stderr
    assert "ADE_val_00000001" in outcome.stderr


def test_a_mask_of_0_and_255_is_noted_and_is_no_problem(tmp_path):
    devkits.draw_folder(tmp_path, ("ground", "crop"))
    for file in (tmp_path / "labels").rglob("*.png"):
        devkits.write_grey(file, np.where(np.arange(17) < 4, 255, 0)[None].repeat(12, 0))
    outcome = run("check", "folder", "--root", tmp_path)
    assert outcome.exit_code == 0
    assert "note      23.5% of the label pixels are ignored, and 1 of 2 classes never occur" in outcome.stdout


def test_split_and_limit_are_passed_on(tmp_path):
    devkits.draw_cityscapes(tmp_path, cities=("aachen", "bochum"), split="train")
    outcome = run("check", "cityscapes", "--root", tmp_path, "--split", "train", "--limit", 1)
    assert "split 'train'" in outcome.stdout
    assert "read      1 labels" in outcome.stdout


def test_neither_torch_nor_pillow_is_loaded_before_there_is_work():
    probe = (
        "import json, sys, densezero.cli.datasets\nfirst = [n for n in ('torch', 'PIL', 'numpy') if n in sys.modules]\n"
        "import densezero.datasets.check, densezero.datasets.catalog\n"
        "heavy = ('torch', 'cv2', 'pycocotools', 'scipy')\n"
        "print(json.dumps([first, [n for n in heavy if n in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], []]
