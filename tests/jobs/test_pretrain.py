"""``densezero pretrain``: from a TOML file to a folder that ``--model`` takes."""

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
        assert picture.width == pytest.approx(130 / 25.4 * 200, abs=2)
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
        ('scenes = 6\ntokenizer = "none.model"', "none.model; it is missing"),
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
    assert not (tmp_path / "run" / "model").exists()


def test_a_corrected_request_leaves_nothing_of_a_failed_one(tmp_path):
    broken = tmp_path / "no.model"
    broken.write_bytes(b"no tokenizer")
    with pytest.raises(DenseZeroError, match=r"no\.model cannot be read"):
        pretrain(write_config(tmp_path, f'scenes = 6\ntokenizer = "{broken}"'), tmp_path / "run", "cpu")
    place = write_scenes(tmp_path / "data", ["a.png", "b.png", "c.png"])
    for name in "abc":
        (place / f"{name}.txt").write_text("a boat on the sea")
    config = write_config(tmp_path, f'kind = "folder"\nplace = "{place}"\nvocab_size = 70')
    config.write_text(config.read_text().replace("batch = 2", "batch = 50"))
    with pytest.raises(DenseZeroError, match="batch"):  # the tokenizer is trained by then
        pretrain(config, tmp_path / "run", "cpu")
    trained = (tmp_path / "run" / "tokenizer.model").read_bytes()
    for number in range(3, 9):
        write_scenes(place, [f"{number}.png"])
        (place / f"{number}.txt").write_text(f"{number} birds above a mountain, and snow on the road")
    pretrain(write_config(tmp_path, f'kind = "folder"\nplace = "{place}"\nvocab_size = 90'), tmp_path / "run", "cpu")
    assert '"vocab_size": 90' in (tmp_path / "run" / "settings.json").read_text()
    assert (tmp_path / "run" / "tokenizer.model").read_bytes() != trained


def test_data_that_changed_are_not_gone_on_with(tmp_path):
    place = write_scenes(tmp_path / "data", ["a.png", "b.png"])
    for name in "abc":
        (place / f"{name}.txt").write_text("a boat")
    config = write_config(tmp_path, f'kind = "folder"\nplace = "{place}"\nvocab_size = 70')
    pretrain(config, tmp_path / "run", "cpu")
    write_scenes(place, ["c.png"])
    with pytest.raises(DenseZeroError, match="others than those of"):
        pretrain(config, tmp_path / "run", "cpu")


def test_a_log_that_is_another_file_stays(tmp_path):
    config = write_config(tmp_path, "scenes = 6")
    pretrain(config, tmp_path / "run", "cpu")
    log = tmp_path / "run" / "log.csv"
    changed = log.read_text().replace(",", ";")
    log.write_text(changed)
    with pytest.raises(DenseZeroError, match="Expected the log of a run"):
        pretrain(config, tmp_path / "run", "cpu")
    assert log.read_text() == changed


def test_a_device_that_is_full_while_scenes_are_drawn(tmp_path, monkeypatch):
    from densezero.pretrain.data import scenes

    monkeypatch.setattr(scenes, "_draw_all", full)
    with pytest.raises(DenseZeroError, match="no space is left"):
        pretrain(write_config(tmp_path, "scenes = 6"), tmp_path / "run", "cpu")
    monkeypatch.undo()
    pretrain(write_config(tmp_path, "scenes = 6"), tmp_path / "run", "cpu")


def full(folder, count):
    """Draw until the device is full."""
    from densezero.atomic import write_atomically

    def draw(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    write_atomically(folder / "rgb.u8", draw)
