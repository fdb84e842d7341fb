"""``densezero pretrain``: from a TOML file to a folder that ``--model`` takes."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from densezero.cli.main import app
from densezero.errors import DenseZeroError, InputError
from densezero.jobs.pretrain import pretrain
from tests.jobs.photos import Recorder, write_scenes

SMALL = """
dtype = "float32"
save_every = 2
log_every = 2
picture_every = 2
[model]
width = 16
depth = 2
heads = 2
text_depth = 1
native_px = 56
[losses]
local_px = 28
[teacher]
prototypes = 12
hidden = 16
bottleneck = 8
[data]
{data}
[[phases]]
side_px = 56
batch = 2
steps = 4
"""


def write_config(folder, data):
    file = folder / "recipe.toml"
    file.write_text(SMALL.format(data=data))
    return file


def test_scenes_become_a_model_that_segments(tmp_path):
    config = write_config(tmp_path, "scenes = 6")
    words = ["pretrain", "--config", str(config), "--out", str(tmp_path / "run"), "--device", "cpu"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "step 4/4" in done.output and '"ibot_on": "all"' in done.output
    assert f"trained: {tmp_path / 'run' / 'model'}" in done.output
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {
        "settings.json",
        "checkpoint.pt",
        "log.csv",
        "masks-000002.png",
        "masks-000004.png",
        "tokenizer.model",
    }
    with Image.open(tmp_path / "run" / "masks-000004.png") as picture:
        assert picture.width == pytest.approx(85 / 25.4 * 300, abs=2)
    photos = write_scenes(tmp_path / "in", ["a.png"])
    segment = ["segment", str(photos), "--classes", "sky, grass", "--model", str(tmp_path / "run" / "model"),
               "--out", str(tmp_path / "masks")]  # fmt: skip
    done = CliRunner().invoke(app, segment)
    assert done.exit_code == 0, done.output
    again = CliRunner().invoke(app, words)  # nothing is left to do
    assert again.exit_code == 0 and "step" not in again.output.split("}")[-1]


def test_a_folder_of_photographs_with_texts(tmp_path):
    place = write_scenes(tmp_path / "data", [f"{number}.jpg" for number in range(6)])
    for number in range(5):
        (place / f"{number}.txt").write_text(f"a drawn scene, number {number}")
    (place / "2.jpg").write_bytes(b"broken")
    heard = Recorder()
    config = write_config(tmp_path, f'kind = "folder"\nplace = "{place}"\nvocab_size = 80\nwords = "sky, sea"')
    model = pretrain(config, tmp_path / "run", "cpu", heard)
    assert (model / "model.safetensors").is_file()
    assert any("5.jpg" in note for note in heard.notes), heard.notes  # it has no caption
    assert any("2.jpg" in note and "cannot be read" in note for note in heard.notes), heard.notes


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ('kind = "folder"', "data.place"),
        ('kind = "shards"\nplace = "none/*.tar"', "nothing matches 'none/"),
        ('kind = "folder"\nplace = "none"', "none"),
        ('scenes = 6\ntokenizer = "none.model"', "none.model is not there"),
        ("scenes = 1", "batch"),
    ],
)
def test_data_that_cannot_be_used_get_a_sentence(tmp_path, data, says):
    with pytest.raises(DenseZeroError, match=says):
        pretrain(write_config(tmp_path, data), tmp_path / "run", "cpu")


def test_images_without_any_caption_are_an_error(tmp_path):
    place = write_scenes(tmp_path / "data", ["a.png"])
    with pytest.raises(InputError):
        pretrain(write_config(tmp_path, f'kind = "folder"\nplace = "{place}"'), tmp_path / "run", "cpu")
    assert np.all([not (tmp_path / "run" / "model").exists()])
