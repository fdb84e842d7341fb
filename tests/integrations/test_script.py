"""The script that runs one benchmark."""

import importlib.util

import pytest

from tests.integrations.benchmarks import CONFIGS, SAMPLES, SMALL

SMALLER = [f"model.{field}={value}" for field, value in SMALL.items()]


@pytest.fixture
def script(mmseg, monkeypatch):
    """Call the script with words, as a shell would."""
    spec = importlib.util.spec_from_file_location("run_mmseg", CONFIGS / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*words):
        monkeypatch.setattr("sys.argv", ["run.py", *map(str, words)])
        return module.main()

    return call


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample pairs are not here")
def test_it_prints_the_scores(script, capsys, tmp_path):
    root = SAMPLES / "VOCdevkit" / "VOC2012"
    options = ["--cfg-options", "test_dataloader.dataset.indices=1", *SMALLER]
    assert script(CONFIGS / "voc20.py", "--root", root, "--work-dir", tmp_path, *options) == 0
    printed = capsys.readouterr()
    last = printed.out.strip().splitlines()[-1].split()
    assert last[::2] == ["aAcc", "mIoU", "mAcc"]
    assert all(0 <= float(score) <= 100 for score in last[1::2])
    assert "note: nano" in printed.err


@pytest.mark.parametrize("words", [("no-such.py",), (CONFIGS / "voc20.py", "--root", "no-such-folder")])
def test_a_wrong_path_is_said_at_once(script, capsys, words):
    with pytest.raises(SystemExit) as end:
        script(*words)
    assert end.value.code == 2
    assert f"there is none at {words[-1]}" in capsys.readouterr().err


def test_a_model_that_does_not_exist_is_a_sentence(script, capsys, tmp_path):
    (tmp_path / "val.txt").write_text("")
    options = ["--cfg-options", "model.model=nanno"]
    assert script(CONFIGS / "ade20k.py", "--root", tmp_path, "--work-dir", tmp_path / "logs", *options) == 2
    assert "Did you mean 'nano'" in capsys.readouterr().err
