"""The documentation's commands and code run as they stand; only the model and the photographs are swapped."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from densezero.cli.main import app
from densezero.encoders.catalog import HEAD_MODELS
from densezero.images.rasters import HAS_RASTERIO
from densezero.output.labels import read_labels
from densezero.pretrain.scenes import draw_scene
from tests.conftest import ROOT
from tests.datasets.devkits import draw_ade
from tests.datasets.nyu import draw_nyu
from tests.heads.hub_files import write_small_hub
from tests.jobs.test_pretrain import SMALL

FRONT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("README.md")}
SHELL = {
    page: [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    for page, text in PAGES.items()
}
COMMANDS = sorted({line for lines in SHELL.values() for line in lines if line.startswith("densezero ")})
if not HAS_RASTERIO:  # pip install densezero[geo]
    COMMANDS = [line for line in COMMANDS if "scene.tif" not in line]
EVALUATIONS = [line for line in SHELL["densezero/evaluation/README.md"] if " evaluate ade20k" in line]
EVALUATE = EVALUATIONS[0]
WITH_HEAD = tuple(
    f"densezero {command}"
    for command in ("depth", "normals", "segment photos --head", "evaluate ade20k --root ADEChallengeData2016 --head")
)
FIGURES = ("pca", "similarity", "features")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like the repository to a command, and takes what the command writes."""
    shutil.copytree(ROOT / "assets", tmp_path / "assets")
    (tmp_path / "photos").mkdir()
    shutil.copy(ROOT / "assets" / "scenes" / "lake.jpg", tmp_path / "photos")
    draw_ade(tmp_path)
    if HAS_RASTERIO:
        draw_map(tmp_path / "scene.tif")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words):
    outcome = CliRunner().invoke(app, words)
    assert outcome.exit_code == 0, outcome.output
    return outcome


def with_nano(words):
    """Take the embedded model, whatever model the line names."""
    if "--model" not in words:
        return [*words, "--model", "nano"]
    return ["nano" if words[place - 1] == "--model" else word for place, word in enumerate(words)]


def with_small_heads(words):
    """Take a small model with heads, whatever model the line names."""
    folder = write_small_hub(Path("heads"))
    return [str(folder) if words[place - 1] == "--model" else word for place, word in enumerate(words)]


def draw_map(path):
    """A small GeoTIFF."""
    rasterio = pytest.importorskip("rasterio")
    about = {"height": 56, "width": 70, "count": 3, "dtype": "uint8", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", driver="GTiff", transform=rasterio.Affine(1, 0, 5e5, 0, -1, 5e6), **about) as file:
        file.write(draw_scene(1, (56, 70)).rgb.transpose(2, 0, 1))


def test_the_front_page_is_short_and_has_exactly_two_set_up_lines():
    assert FRONT.count("\n") <= 150
    assert len([line for line in SHELL["README.md"] if "pip install" in line]) == 2


def test_the_first_line_segments_every_scene(checkout):
    line = next(line for line in SHELL["README.md"] if "pip install -e . " in line)
    words = shlex.split(line.split("&&")[-1])
    assert words[0] == ".venv/bin/densezero"
    run([*words[1:], "--short-side", "112"])
    scenes = {file.stem for file in (ROOT / "assets" / "scenes").iterdir()}
    assert {file.stem for file in (checkout / "out" / "labels").iterdir()} == scenes
    assert {file.stem for file in (checkout / "out" / "overlays").iterdir()} == scenes


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith(WITH_HEAD)])
def test_every_command_with_a_head_runs(checkout, line):
    words = shlex.split(line)[1:]
    write_small_hub(HEAD_MODELS["tipsv2-b14-dpt"].folder, classes=150)
    side = {"segment": ("--short-side", "56"), "evaluate": ()}.get(words[0], ("--side", "56"))
    run([*words, *side])


@pytest.mark.parametrize("line", [line for line in COMMANDS if not line.startswith(WITH_HEAD)])
def test_every_command_runs(checkout, line):
    words = shlex.split(line)[1:]
    if words[0] in ("segment", "try"):
        side = () if "--native" in words else ("--short-side", "56")
        words = [*with_nano(words), *side, "--templates", "plain"]
    if "nyu-depth" in words:
        draw_nyu(Path("NYU"))
        words = [*with_small_heads(words), "--limit", "1"]
    elif words[0] == "evaluate":
        words = [*with_nano(words), "--templates", "plain"]
    if words[0] in FIGURES and "--head" in words:
        words = [*with_small_heads(words), "--grid", "12"]
    elif words[0] in FIGURES:
        words = [*with_nano(words), "--grid", "12"]
    if words[0] == "pretrain":
        Path("recipe.toml").write_text(SMALL.format(data="scenes = 4"))
    if words[0] in ("table", "report", "compare"):  # they read what other lines wrote
        for evaluation in [EVALUATE] if words[0] != "compare" else EVALUATIONS:
            run([*with_nano(shlex.split(evaluation)[1:]), "--templates", "plain"])
    if words[0] == "gallery":  # it reads what another line wrote
        run(["segment", "photos", "--classes", "sky, sea", "--model", "nano", "--short-side", "56", "--out", words[1]])
    run(words)


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if "```python" in text])
def test_the_python_examples_of_a_page_run(checkout, page):
    if page == "densezero/output/README.md":  # it reads what a command wrote
        run(["segment", "photos", "--classes", "sky, sea", "--model", "nano", "--short-side", "56", "--out", "masks"])
    if page == "densezero/heads/README.md":  # small weights, where a user may put the published ones
        write_small_hub(HEAD_MODELS["tipsv2-b14-dpt"].folder, classes=150)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGES[page], re.S):
        exec(code, names)
    if page == "README.md":
        assert names["result"].classes.names == ("sky", "mountain", "sea", "boat")
        assert read_labels(checkout / "lake-mask.png").shape == (448, 640)
    if page == "densezero/engine/README.md":
        assert names["scores"].shape == (2, 448, 640)
        assert names["vectors"].shape == (4, names["encoder"].width)
    if page == "densezero/features/README.md":
        assert names["smooth"].shape == names["sharp"].shape == (448, 640, 3)
    if page == "densezero/output/README.md":
        assert names["labels"].shape == (448, 640)
    if page == "densezero/heads/README.md":
        assert names["result"].depth.shape == names["result"].labels.shape == (448, 640)
        assert (checkout / "lake.npz").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_of_a_page_is_there(page):
    folder = (ROOT / page).parent
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", PAGES[page])
    assert [target for target in targets if "://" not in target and not (folder / target).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_a_page_has_its_heading(page):
    def anchor(heading):
        return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")

    for target, name in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", PAGES[page]):
        text = ((ROOT / page).parent / target).read_text(encoding="utf-8") if target else PAGES[page]
        assert name in {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.M)}, (target, name)


def test_every_protocol_and_model_is_on_the_front_page():
    from densezero.encoders import MODELS
    from densezero.engine import PROTOCOLS

    assert [name for name in [*MODELS, *PROTOCOLS] if f"`{name}`" not in FRONT] == []
