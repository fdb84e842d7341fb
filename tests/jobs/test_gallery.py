"""``densezero gallery``: the files that it writes, and a whole way from pictures to the page in Chromium."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from densezero.cli.main import app
from densezero.errors import InputError, OutputError
from densezero.features.choices import GridChoice
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import PcaSettings
from densezero.jobs.manifest import JOURNAL, Earlier, ImageEntry, Manifest
from densezero.jobs.places import LOCK, OutputFolder
from densezero.jobs.result_page import PAGE, THUMBNAILS, make_gallery
from densezero.jobs.segment import segment_images
from densezero.output.html import GENERATOR
from densezero.output.lock import lock
from tests.browser import open_browser, open_file, wait_until
from tests.jobs.photos import Recorder, settings, write_scenes

ODD = "sub/50% of #1's \"<b>\n.png"
FORMATS = ("labels", "overlay", "confidence")


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    """Three images and one that is broken, with every view that a browser shows."""
    place = tmp_path_factory.mktemp("gallery")
    inputs = write_scenes(place / "in", ["a.png", "b.jpg", ODD])
    (inputs / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    segment_images(settings(inputs, place / "out", save=FORMATS))
    return place


@pytest.fixture
def place(segmented, tmp_path):
    """A copy of it; the manifest names the photographs of the first one."""
    shutil.copytree(segmented / "out", tmp_path / "out")
    return tmp_path / "out"


def files_of(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def data_of(folder):
    return json.loads(re.search(r'id="data">(.*?)</script>', (folder / PAGE).read_text(), re.DOTALL).group(1))


def counts(summary):
    return summary.done, summary.failed, summary.skipped


def thumbnail_of(folder, image):
    return folder / image["thumbnail"]


def test_a_page_and_thumbnails_are_added_and_nothing_else_changes(place):
    before = files_of(place)
    assert counts(make_gallery(place)) == (3, 0, 0)
    after = files_of(place)
    added = after.keys() - before.keys()
    assert {name: after[name] for name in before} == before
    assert PAGE in added and len(added) == 4
    assert all(re.fullmatch(rf"{THUMBNAILS}/[0-9a-f]{{16}}\.jpg", name) for name in added - {PAGE})


def test_the_data_say_what_the_run_found(place, segmented):
    make_gallery(place)
    data, manifest = data_of(place), json.loads((place / "run.json").read_text())
    assert [view["name"] for view in data["views"]] == ["photograph", "overlay", "labels", "confidence"]
    assert [view["in_thumbnail"] for view in data["views"]] == [True, True, False, False]
    assert [entry["name"] for entry in data["classes"]] == ["sky", "grass", "sea", "house"]
    for image, entry in zip(data["images"], manifest["images"], strict=True):
        assert image["name"] == entry["relative"]
        assert image.get("error") == entry["error"]
        if entry["status"] == "done":
            pairs = dict(zip(image["pixels"][::2], image["pixels"][1::2], strict=True))
            assert pairs == {int(index): count for index, count in entry["pixels"].items()}
            with Image.open(place / entry["outputs"][2]) as confidence:
                assert image["confidence"] == pytest.approx(np.asarray(confidence).mean() / 255, abs=0.002)
    assert sum("error" in image for image in data["images"]) == 1


def test_a_thumbnail_holds_photograph_and_overlay_without_the_legend(place, segmented):
    make_gallery(place)
    image = next(one for one in data_of(place)["images"] if one["name"] == "a.png")
    with Image.open(thumbnail_of(place, image)) as opened:
        strip = np.array(opened).astype(int)
    assert strip.shape == (192, 512, 3)
    with Image.open(segmented / "in" / "a.png") as photograph, Image.open(place / "overlays" / "a.jpg") as overlay:
        assert overlay.size > (320, 240)
        parts = [photograph.convert("RGB"), overlay.crop((0, 0, 320, 240))]
        expected = np.concatenate([np.array(part.resize((256, 192))) for part in parts], axis=1)
    assert np.abs(strip - expected).mean() < 4


def test_the_same_command_again_keeps_what_is_up_to_date(place):
    make_gallery(place)
    before = files_of(place)
    assert counts(make_gallery(place)) == (0, 0, 3)
    assert files_of(place) == before
    overlay = place / "overlays" / "a.jpg"
    overlay.write_bytes(overlay.read_bytes())
    os.utime(overlay, ns=(1, 1))  # made again
    assert counts(make_gallery(place)) == (1, 0, 2)


def test_an_image_that_left_the_run_loses_its_thumbnail_and_others_stay(place):
    make_gallery(place)
    mine = place / THUMBNAILS / f"{'0' * 16}.jpg"
    Image.new("RGB", (4, 4)).save(mine)
    manifest = json.loads((place / "run.json").read_text())
    manifest["images"] = manifest["images"][:2]
    (place / "run.json").write_text(json.dumps(manifest))
    make_gallery(place)
    assert len(list((place / THUMBNAILS).iterdir())) == 3 and mine.exists()


def test_a_run_goes_on_after_it(tmp_path):
    inputs = write_scenes(tmp_path / "in", ["a.png", "b.png"])
    out = tmp_path / "out"
    segment_images(settings(inputs, out, save=FORMATS))
    make_gallery(out)
    write_scenes(inputs, ["c.png"])
    summary = segment_images(settings(inputs, out, save=(*FORMATS, "grey")))
    assert counts(summary) == (3, 0, 0)  # grey is new
    assert counts(segment_images(settings(inputs, out, save=("labels",)))) == (0, 0, 3)
    means = [entry["confidence"] for entry in json.loads((out / "run.json").read_text())["images"]]
    assert all(0 < mean <= 1 for mean in means)
    segment_images(settings(inputs, out, save=("labels", "overlay", "polygons")))  # computes no confidence
    entries = json.loads((out / "run.json").read_text())["images"]
    assert [entry["confidence"] for entry in entries] == means
    assert not any(THUMBNAILS in name for entry in entries for name in entry["outputs"])
    assert counts(make_gallery(out)) == (3, 0, 0)  # all overlays were written again
    assert segment_images(settings(inputs, out, save=FORMATS, overwrite=True)).done == 3


def test_files_that_densezero_did_not_write_are_kept(place):
    (place / PAGE).write_text("<p>my page</p>")
    with pytest.raises(OutputError, match=rf"{PAGE} would be replaced"):
        make_gallery(place)
    assert (place / PAGE).read_text() == "<p>my page</p>" and not (place / THUMBNAILS).exists()
    heard = Recorder()
    make_gallery(place, heard, overwrite=True)
    assert GENERATOR in (place / PAGE).read_text() and "replacing" in heard.notes[0]
    thumbnail = next((place / THUMBNAILS).iterdir())
    Image.new("RGB", (4, 4)).save(thumbnail)
    with pytest.raises(OutputError, match=f"{thumbnail.name} would be replaced"):
        make_gallery(place)


def test_photographs_that_moved_are_told_and_come_back(tmp_path):
    inputs = write_scenes(tmp_path / "in", ["a.png", "b.png"])
    segment_images(settings(inputs, tmp_path / "out"))
    (inputs / "a.png").rename(tmp_path / "elsewhere.png")
    make_gallery(tmp_path / "out")
    page = (tmp_path / "out" / PAGE).read_text()
    assert f"Photographs that are not where they were read: 1 of 2, such as {inputs / 'a.png'}." in page
    first, second = data_of(tmp_path / "out")["images"]
    assert (first["files"][0], first["absent"], first["source"]) == (None, [0], str(inputs / "a.png"))
    assert (second["files"][0], second.get("absent")) == ("../in/b.png", None)
    (tmp_path / "elsewhere.png").rename(inputs / "a.png")
    assert counts(make_gallery(tmp_path / "out")) == (1, 0, 1)
    assert "absent" not in data_of(tmp_path / "out")["images"][0]
    (inputs / "a.png").unlink()
    assert counts(make_gallery(tmp_path / "out")) == (0, 0, 2)  # the thumbnail still shows it
    assert "absent" not in data_of(tmp_path / "out")["images"][0]


def test_result_files_that_are_gone_or_damaged_are_told(place):
    (place / "overlays" / "a.jpg").unlink()
    (place / "overlays" / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    heard = Recorder()
    assert counts(make_gallery(place, heard)) == (2, 1, 0)
    assert "Result files that are missing: 1, such as overlays/a.jpg." in (place / PAGE).read_text()
    assert "b.jpg: expected a whole JPEG" in next(one.error for one in heard.images if one.error)
    absent = {image["name"]: image.get("absent") for image in data_of(place)["images"] if "hw" in image}
    assert absent == {"a.png": [1], "b.jpg": [1], ODD: None}


@pytest.mark.parametrize(
    ("save", "views"),
    [(("labels",), ["photograph", "labels"]), (("csv",), ["photograph"]), (("grey",), ["photograph"])],
)
def test_other_formats(tmp_path, save, views):
    inputs = write_scenes(tmp_path / "in", ["a.png"])
    segment_images(settings(inputs, tmp_path / "out", save=save))
    make_gallery(tmp_path / "out")
    data = data_of(tmp_path / "out")
    assert [view["name"] for view in data["views"]] == views
    (image,) = data["images"]
    assert image["pixels"] and "confidence" not in image
    if "labels" in views:
        with Image.open(thumbnail_of(tmp_path / "out", image)) as strip:
            pixels = np.array(strip).astype(int)[:, 256:]
        colours = [[int(one["colour"][at : at + 2], 16) for at in (1, 3, 5)] for one in data["classes"]]
        distance = np.abs(pixels[..., None, :] - np.array(colours)).sum(-1).min(-1)  # (192, 256)
        assert np.median(distance) < 12


def test_a_run_that_was_stopped_is_shown_as_far_as_it_came(place):
    lines = [json.loads((place / "run.json").read_text())]
    entries = lines[0]["images"]
    journal = [{"request": lines[0]["request"], "journal": 2}, {"files": ["classes.json"]}, *entries[:1]]
    journal.append({**entries[1], "status": "begun"})
    (place / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in journal))
    (place / "run.json").unlink()
    make_gallery(place)
    assert "The run was stopped." in (place / PAGE).read_text()
    done, begun = data_of(place)["images"]
    assert "error" not in done and begun["error"].startswith("the run was stopped before this image was finished")


def test_folders_without_results_are_refused(tmp_path, place):
    with pytest.raises(InputError, match="is no folder"):
        make_gallery(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no run\.json of theirs"):
        make_gallery(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    with lock(place / LOCK, place), pytest.raises(OutputError, match="in use by another run"):
        make_gallery(place)
    (place / "classes.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be used"):
        make_gallery(place)


def test_the_command_says_what_it_wrote(place):
    outcome = CliRunner().invoke(app, ["gallery", str(place)])
    assert (outcome.exit_code, outcome.stdout) == (0, f"3 written: {place / PAGE}\n")
    outcome = CliRunner().invoke(app, ["gallery", str(place), "-q"])
    assert (outcome.exit_code, outcome.output) == (0, f"0 written, 3 there already: {place / PAGE}\n")


def test_pictures_of_features_are_gathered_by_image(tmp_path):
    inputs = write_scenes(tmp_path / "in", ["a.png", "sub/b.png"])
    chosen = {"models": ("nano",), "readouts": ("patch", "value"), "shows": ("pca", "first"), "grid": GridChoice(8)}
    draw_pca(PcaSettings((inputs,), tmp_path / "several", dtype="float32", **chosen))
    draw_pca(PcaSettings((inputs,), tmp_path / "one", models=("nano",), grid=GridChoice(8), dtype="float32"))
    assert counts(make_gallery(tmp_path / "several")) == counts(make_gallery(tmp_path / "one")) == (2, 0, 0)
    data = data_of(tmp_path / "several")
    captions = ["patch, pca", "patch, first", "value, pca", "value, first"]
    assert [view["name"] for view in data["views"]] == ["photograph", *captions]
    image = data["images"][1]
    assert (image["name"], data["classes"]) == ("sub/b.png", [])
    folders = ("nano-patch/pca", "nano-patch/first", "nano-value/pca", "nano-value/first")
    assert image["files"] == ["../in/sub/b.png", *(f"{folder}/sub/b.png" for folder in folders)]
    with Image.open(thumbnail_of(tmp_path / "several", image)) as strip:
        assert strip.size == (5 * 256, 192)
    (first, _) = data_of(tmp_path / "one")["images"]
    assert (first["name"], first["files"]) == ("a.png", ["../in/a.png", "a.png"])


def test_a_user_sees_every_picture(segmented):
    make_gallery(segmented / "out")
    with open_browser() as browser, open_file(browser, segmented / "out" / PAGE, beside=segmented) as page:
        assert page.title() == "out"
        assert page.locator(".note").first.inner_text() == "4 images, 4 classes, 1 failed."
        assert page.locator(".failed .box").inner_text().startswith("failed: ")
        wait_until(page, "[...document.querySelectorAll('.card img')].every((one) => one.naturalWidth > 0)")
        assert page.locator(".card img").count() == 3
        page.locator(".card:not(.failed)").last.click()
        for view in ("overlay", "labels", "confidence", "photograph"):
            wait_until(page, "document.querySelector('#stage img')?.naturalWidth > 0")
            assert page.locator("#views [aria-pressed=true]").inner_text() == view
            page.keyboard.press("o")


def test_frames_of_a_film_have_no_photograph(place):
    manifest = json.loads((place / "run.json").read_text())
    manifest["images"] = [{**entry, "source": str(place / "film.mp4")} for entry in manifest["images"]]
    (place / "run.json").write_text(json.dumps(manifest))
    (place / "film.mp4").write_bytes(b"a film")
    heard = Recorder()
    assert counts(make_gallery(place, heard)) == (3, 0, 0)
    data = data_of(place)
    assert [view["name"] for view in data["views"]] == ["overlay", "labels", "confidence"]
    assert "not where they were read" not in (place / PAGE).read_text()
    assert all(len(image["files"]) == 3 and "source" not in image for image in data["images"])


def test_depth_and_normals_have_views(tmp_path):
    out = OutputFolder(tmp_path / "out")
    colours = {"depth-pictures/a.jpg": (200, 30, 40), "normals/a.png": (40, 60, 220)}
    for name, colour in colours.items():
        out.path(name).parent.mkdir(parents=True)
        Image.new("RGB", (420 if name.startswith("depth") else 320, 240), colour).save(out.path(name))
    photograph = write_scenes(tmp_path / "in", ["a.png"], hw=(240, 320)) / "a.png"
    manifest = Manifest(out, {"heads": {"depth": "", "normals": ""}})
    manifest.start(Earlier(), ())
    manifest.add(ImageEntry("a.png", "done", str(photograph), "", "", ("depth/a.png", *colours), (240, 320)))
    manifest.finish({})
    assert counts(make_gallery(out.root)) == (1, 0, 0)
    data = data_of(out.root)
    assert [(view["name"], view["crops"]) for view in data["views"]] == [
        ("photograph", False),
        ("depth", True),
        ("normals", False),
    ]
    (image,) = data["images"]
    assert image["files"] == ["../in/a.png", *colours] and image["crop"] == [240, 320]
    with Image.open(thumbnail_of(out.root, image)) as strip:
        pixels = np.array(strip).astype(int)
    for place, colour in enumerate(colours.values(), 1):
        assert np.abs(pixels[:, 256 * place + 20 : 256 * place + 236] - colour).max() < 8
