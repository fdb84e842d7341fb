import json

import pytest

from densezero.errors import InputError
from densezero.pretrain.settings import Phase, PretrainSettings, read_settings

TOML = """
seed = 3
dtype = "float32"
[model]
width = 64
[losses]
ibot_on = "masked"
dino = 0
[[phases]]
side_px = 112
batch = 8
steps = 5
[[phases]]
side_px = 224
batch = 2
steps = 1
"""


def test_a_file_sets_some_values_and_leaves_the_rest(tmp_path):
    (tmp_path / "r.toml").write_text(TOML)
    read = read_settings(tmp_path / "r.toml")
    assert (read.seed, read.model.width, read.losses.ibot_on, read.losses.dino) == (3, 64, "masked", 0.0)
    assert read.phases == (Phase(112, 8, 5), Phase(224, 2, 1))
    assert (read.model.depth, read.losses.ibot, read.steps) == (6, 0.3, 6)
    assert [read.phase_at(step) for step in (0, 4, 5)] == [(0, 0), (0, 4), (1, 0)]
    assert PretrainSettings.from_dict(json.loads(read.to_json())) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[losses]\nibot_onn = 'all'", r"Unknown setting losses\.ibot_onn\. Did you mean 'ibot_on'"),
        ("[loss]\nibot = 1", r"Unknown setting loss\. Did you mean 'losses'"),
        ("[losses]\nibot_on = 'some'", "losses.ibot_on out of all, masked; got 'some'"),
        ("[losses]\nibot = 'much'", "losses.ibot as a number; got 'much'"),
        ("seed = true", "seed as a whole number; got True"),
        ("seed = 1.5", "seed as a whole number; got 1.5"),
        ("losses = 3", r"\[losses\] as a table of settings; got 3"),
        ("phases = 3", r"phases as \[\[phases\]\] tables; got 3"),
        ("[[phases]]\nbatch = 3", r"Expected side_px, steps in every one of \[\[phases\]\]"),
        ("phases = []", r"at least one of \[\[phases\]\]"),
        ("[losses]\nmask_ratio = 1.5", "losses.mask_ratio from 0 to 1; got 1.5"),
        ("[losses]\nlocal_crops = 0", "set losses.local_crops to at least 1, or losses.dino to 0"),
        ("[losses]\ncontrast = 0\ndino = 0\nibot = 0", "at least one loss"),
        ("[model]\nwidth = 30", "model.width as a multiple of model.heads; got 30"),
        ("[model]\nnative_px = 100", "multiples of the patch, 14 px; got 100"),
        ("[teacher]\nema = 'half'", "teacher.ema out of head, full; got 'half'"),
        ("[losses", "cannot be read"),
    ],
)
def test_wrong_settings_get_a_sentence(tmp_path, text, says):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(InputError, match=says):
        read_settings(tmp_path / "r.toml")


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml; it cannot be read"):
        read_settings(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[model]\nheads = 0", "[model]\npatch_px = 0", "[teacher]\nhidden = 0", "[teacher]\nbottleneck = -1",
        "seed = -1",
        f"seed = {'9' * 30}", "[losses]\nlocal_px = -5", f"[losses]\ncontrast = {'9' * 400}",
        f"[optimiser]\naccumulate = {'9' * 400}", "[optimiser]\nweight_decay = nan", "[optimiser]\nwarmup_steps = -5",
        "picture_every = -1", "[model]\nnative_px = 1400000", "[[phases]]\nside_px = 14000000\nbatch = 1\nsteps = 1",
        '[teacher]\nstart = "teacher"',
    ],
)  # fmt: skip
def test_values_out_of_range_get_a_sentence(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(InputError, match=r"Expected|teacher\.frozen"):
        read_settings(tmp_path / "r.toml")
