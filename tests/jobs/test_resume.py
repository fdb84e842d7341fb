"""A run never mixes two sources, passes no old result off as a new one, and replaces nothing but its own."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from densezero.errors import InputError, OutputError
from densezero.features.encoder_cache import EncoderCache
from densezero.interrupts import Interrupts
from densezero.jobs.features.grids import write_features
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import FeaturesSettings, PcaSettings
from densezero.jobs.manifest import JOURNAL
from densezero.jobs.places import LOCK
from densezero.jobs.segment import segment_images
from densezero.output.formats import PICTURE_FORMATS
from densezero.output.lock import lock
from tests.jobs.photos import Recorder, read_labels, settings, write_scenes

EVERY = PICTURE_FORMATS


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png", "c.png"])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names_in(out):
    return [image["relative"] for image in json.loads((out / "run.json").read_text())["images"]]


def rows_of(out):
    return {row.split(",")[0] for row in (out / "areas.csv").read_text(encoding="utf-8-sig").splitlines()[1:]}


def refused(match, request, listener=None, do=segment_images):
    before = tree(request.out)
    with pytest.raises(OutputError, match=match):
        do(request, listener)
    assert tree(request.out) == before


def twins(tmp_path):
    """Two folders whose pictures have one name, one size in bytes and one time, and differ."""
    files = []
    for name, colour in (("x", 10), ("y", 200)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "a.bmp"
        Image.fromarray(np.full((40, 40, 3), colour, np.uint8)).save(file)
        os.utime(file, ns=(10**18, 10**18))
        files.append(file)
    assert files[0].stat().st_size == files[1].stat().st_size
    return files


def test_another_folder_s_picture_of_one_name_size_and_time_is_refused(tmp_path, out):
    first, second = twins(tmp_path)
    segment_images(settings(first.parent, out))
    refused(rf"was made of {first}; this run would make it of {second}", settings(second.parent, out))
    recorder = Recorder()
    assert segment_images(settings(second.parent, out, overwrite=True), recorder).done == 1
    assert any("other picture (a.bmp)" in note for note in recorder.notes)


def test_a_folder_that_took_the_place_of_another_is_done_again_and_said(tmp_path, out):
    first, second = twins(tmp_path)
    segment_images(settings(first.parent, out))
    shutil.rmtree(first.parent)
    second.parent.rename(first.parent)
    recorder = Recorder()
    summary = segment_images(settings(first.parent, out), recorder)
    assert (summary.done, summary.skipped) == (1, 0)
    assert any("1 picture (a.bmp) changed since the last run" in note for note in recorder.notes)


def test_a_copy_of_a_picture_at_another_place_is_done_already(tmp_path, folder, out):
    segment_images(settings(folder, out))
    shutil.copytree(folder, tmp_path / "moved")
    shutil.rmtree(folder)
    assert segment_images(settings(tmp_path / "moved", out)).skipped == 3


def test_a_picture_of_one_stem_and_another_ending_is_refused_and_forgotten_when_it_is_replaced(tmp_path, out):
    photos = write_scenes(tmp_path / "in", ["a.jpg", "b.png"])
    jpg, png = photos / "a.jpg", write_scenes(tmp_path / "more", ["x.png", "a.png"]) / "a.png"
    segment_images(settings([jpg, photos / "b.png"], out, save=("labels", "csv")))
    refused(r"a\.png was made of .*a\.jpg", settings([png], out, save=("labels", "csv")))
    assert segment_images(settings([png], out, save=("labels", "csv"), overwrite=True)).done == 1
    assert names_in(out) == ["a.png", "b.png"]
    assert rows_of(out) == {"a.png", "b.png"}
    refused(r"a\.png was made of .*a\.png", settings([jpg], out, save=("labels", "csv")))


def test_endings_that_are_kept_let_both_lie_side_by_side(tmp_path, out):
    photos = write_scenes(tmp_path / "in", ["a.jpg", "a.png"])
    refused("--keep-suffix", settings(photos, out))
    assert segment_images(settings(photos, out, keep_suffix=True)).done == 2
    assert {path.name for path in (out / "labels").iterdir()} == {"a.jpg.png", "a.png.png"}
    assert segment_images(settings(photos, out, keep_suffix=True)).skipped == 2


@pytest.mark.parametrize("name", ["labels/b.png", "areas.csv", "classes.json", "coco.json", "run.json", "labels/a.png"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_that_no_run_wrote_is_replaced_only_on_demand_and_named(tmp_path, folder, out, name, is_link):
    mine = out / name
    mine.parent.mkdir(parents=True)
    if is_link:
        mine.symlink_to(tmp_path / "gone")
    else:
        mine.write_bytes(b"mine")
    request = settings(folder, out, save=("labels", "csv", "coco"))
    refused(r"no earlier run wrote|cannot be read as the record", request) if not is_link else None
    recorder = Recorder()
    assert segment_images(settings(folder, out, save=("labels", "csv", "coco"), overwrite=True), recorder).done == 3
    assert any(str(mine) in note for note in recorder.notes)


def test_the_first_files_in_the_way_are_named_and_all_are_counted(tmp_path, out):
    folder = write_scenes(tmp_path / "in", [f"{index}.png" for index in range(7)])
    (out / "labels").mkdir(parents=True)
    for index in range(7):
        (out / "labels" / f"{index}.png").write_bytes(b"mine")
    refused(r"replace 7 files \(.*0\.png, .*4\.png, \.\.\.\) that no earlier run wrote", settings(folder, out))


def test_hand_made_files_of_pca_and_features_are_refused_too(folder, out):
    for name, do, request in (
        ("b.png", draw_pca, PcaSettings((folder,), out, models=("nano",))),
        ("fitted/nano.basis.safetensors", draw_pca, PcaSettings((folder,), out, models=("nano",))),
        ("b.npz", write_features, FeaturesSettings((folder,), out, model="nano")),
    ):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"mine")
        refused(f"{name}.* that no earlier run wrote", request, do=do)
        (out / name).unlink()


def test_overwriting_one_image_keeps_the_others(folder, out):
    segment_images(settings(folder, out, save=EVERY))
    before = tree(out)
    (out / "labels" / "a.png").write_bytes(b"")
    summary = segment_images(settings([folder / "a.png"], out, save=EVERY, overwrite=True))
    assert (summary.done, summary.skipped) == (1, 0)
    after = tree(out)
    assert {name for name in before if before[name] != after[name]} == {"run.json"}
    assert names_in(out) == ["a.png", "b.png", "c.png"]


def test_overwriting_with_another_request_replaces_all_or_nothing(folder, out):
    segment_images(settings(folder, out))
    other = {"classes": "sky, road", "overwrite": True}
    refused(r"only now: road.*would leave 2 images \(b\.png, c\.png\)", settings([folder / "a.png"], out, **other))
    assert segment_images(settings(folder, out, save=("labels",), **other)).done == 3
    assert not (out / "overlays" / "a.jpg").exists(), "an overlay of other classes stays"


def test_a_killed_run_that_overwrites_another_request_goes_on(folder, out, monkeypatch):
    segment_images(settings(folder, out))

    class Killed(BaseException):
        pass

    def die(self, progress, miou=None):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "image", die)
        with pytest.raises(Killed):
            segment_images(settings(folder, out, classes="sky, road", overwrite=True), Recorder())
    assert not (out / "run.json").exists(), "the manifest of replaced results stays"
    summary = segment_images(settings(folder, out, classes="sky, road"))
    assert summary.done + summary.skipped == 3
    assert summary.skipped >= 1
    assert max(read_labels(file).max() for file in (out / "labels").iterdir()) <= 1


def test_a_picture_that_fails_now_loses_its_old_result(folder, out):
    segment_images(settings(folder, out, save=EVERY))
    (folder / "b.png").write_bytes(b"broken")
    summary = segment_images(settings(folder, out, save=EVERY))
    assert (summary.done, summary.failed, summary.skipped) == (0, 1, 2)
    assert not [name for name in tree(out) if name.split("/")[-1].startswith("b.")]
    assert rows_of(out) == {"a.png", "c.png"}
    assert [image["file_name"] for image in json.loads((out / "coco.json").read_text())["images"]] == ["a.png", "c.png"]


def test_an_image_that_fails_while_its_files_are_written_leaves_none_of_them(folder, out, monkeypatch):
    from densezero.output.image_files import FORMATS, Format

    def broken(result):
        raise ValueError("some defect")

    monkeypatch.setitem(FORMATS, "overlay", Format("overlays", ".jpg", broken))
    assert segment_images(settings(folder, out)).failed == 3
    assert set(tree(out)) == {"run.json", "classes.json"}


@pytest.mark.parametrize("content", [b"", None])
def test_a_result_that_was_emptied_or_removed_is_made_again(folder, out, content):
    segment_images(settings(folder, out))
    (out / "labels" / "a.png").unlink()
    if content is not None:
        (out / "labels" / "a.png").write_bytes(content)
    assert segment_images(settings(folder, out)).done == 1
    assert read_labels(out / "labels" / "a.png").shape == (48, 64)


def test_a_changed_picture_takes_the_files_of_other_formats_with_it(folder, out):
    segment_images(settings(folder, out, save=("labels", "overlay")))
    write_scenes(folder, ["a.png"], hw=(40, 40))
    segment_images(settings(folder, out, save=("labels",)))
    assert {path.name for path in (out / "overlays").iterdir()} == {"b.jpg", "c.jpg"}
    entries = {image["relative"]: image for image in json.loads((out / "run.json").read_text())["images"]}
    assert entries["a.png"]["outputs"] == ["labels/a.png"]
    assert entries["b.png"]["outputs"] == ["labels/b.png", "overlays/b.jpg"]


def test_files_of_an_unchanged_picture_stay_known(folder, out):
    segment_images(settings(folder, out, save=("overlay",)))
    segment_images(settings(folder, out, save=("labels",)))
    assert all(
        image["outputs"] == [f"labels/{stem}.png", f"overlays/{stem}.jpg"]
        for stem, image in zip("abc", json.loads((out / "run.json").read_text())["images"], strict=True)
    )
    assert segment_images(settings(folder, out, save=("labels", "overlay"))).skipped == 3


def test_a_table_that_is_asked_for_later_is_written_and_said(folder, out):
    segment_images(settings(folder, out, save=("labels",)))
    summary = segment_images(settings(folder, out, save=("labels", "csv", "csv-wide")))
    assert (summary.done, summary.skipped) == (0, 3)
    assert set(summary.files) == {"classes.json", "areas.csv", "areas-wide.csv"}
    assert rows_of(out) == {"a.png", "b.png", "c.png"}


def test_files_of_the_whole_run_are_kept_up_to_date_though_not_asked_for_again(tmp_path, folder, out):
    segment_images(settings([folder / "a.png"], out, save=("labels", "csv", "coco")))
    segment_images(settings(folder, out, save=("labels",)))
    assert rows_of(out) == {"a.png", "b.png", "c.png"}
    coco = COCO(str(out / "coco.json"))
    assert len(coco.imgs) == 3
    for image in coco.imgs.values():
        labels = read_labels(out / "labels" / image["file_name"])
        for found in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            assert found["area"] == (labels == found["category_id"] - 1).sum()


def test_a_run_with_nothing_to_do_changes_nothing(folder, out):
    for do, request in (
        (segment_images, settings(folder, out / "s", save=EVERY)),
        (draw_pca, PcaSettings((folder,), out / "p", models=("nano",), shows=("pca", "kmeans"))),
        (write_features, FeaturesSettings((folder,), out / "f", model="nano")),
    ):
        do(request)
        before = tree(request.out)
        summary = do(request)
        assert (summary.done, summary.skipped, summary.files) == (0, 3, ())
        assert tree(request.out) == before


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path, folder, out):
    summary = segment_images(settings(folder, out, dry_run=True))
    assert (summary.done, summary.skipped, summary.dry_run) == (3, 0, True)
    assert not out.exists()
    segment_images(settings([folder / "a.png"], out))
    before = tree(out)
    summary = segment_images(settings(folder, out, dry_run=True))
    assert (summary.done, summary.skipped) == (2, 1)
    assert tree(out) == before
    refused("only now: road", settings(folder, out, classes="road", dry_run=True))


def test_a_second_run_into_a_folder_is_refused_before_it_begins(folder, out, monkeypatch):
    monkeypatch.setattr("densezero.jobs.segment.load_encoder", lambda *a, **k: pytest.fail("the model was loaded"))
    with lock(out / LOCK, out):
        refused(r"out is in use by another run \(process \d+", settings(folder, out))


def test_what_a_killed_run_left_unfinished_is_gone_after_the_next(folder, out):
    segment_images(settings(folder, out))
    from densezero.atomic import _part_prefix

    left = out / "labels" / f"{_part_prefix(out / 'labels' / 'b.png')}0123.part"
    other = out / "labels" / f"{_part_prefix(out / 'labels' / 'other.png')}0123.part"
    for part in (left, other):
        part.write_bytes(b"half")
    (out / "labels" / "b.png").unlink()
    segment_images(settings(folder, out))
    assert not left.exists()
    assert other.exists(), "another run may be writing it"


def test_results_of_an_earlier_version_are_refused_with_the_reason(folder, out):
    segment_images(settings(folder, out))
    run = json.loads((out / "run.json").read_text())
    del run["version"]
    (out / "run.json").write_text(json.dumps(run))
    refused(r"another version of densezero, with another layout.*--overwrite", settings(folder, out))
    assert segment_images(settings(folder, out, overwrite=True)).done == 3


def test_results_of_a_version_whose_hashes_cover_less_are_refused_with_the_reason(folder, out):
    segment_images(settings(folder, out))
    run = json.loads((out / "run.json").read_text())
    del run["request"]["hash_version"]
    (out / "run.json").write_text(json.dumps(run))
    refused(r"before 0\.2\.0, whose hashes leave out .* tokenizer.*--overwrite", settings(folder, out))


def test_a_journal_of_another_request_is_refused_too(folder, out, monkeypatch):
    from densezero.images.read import read_pixels

    def interrupted(path, choice):
        if path.name == "c.png":
            raise KeyboardInterrupt
        return read_pixels(path, choice)

    with monkeypatch.context() as patched:
        patched.setattr("densezero.jobs.segment.read_pixels", interrupted)
        assert segment_images(settings(folder, out)).interrupted
    assert (out / JOURNAL).exists()
    refused("only now: road", settings(folder, out, classes="road"))


def test_a_basis_is_fitted_anew_only_where_no_earlier_picture_is_kept(folder, out):
    request = PcaSettings((folder,), out, models=("nano",))
    draw_pca(request)
    basis = (out / "fitted" / "nano.basis.safetensors").read_bytes()
    write_scenes(folder, ["d.png"])
    assert draw_pca(request).done == 1
    assert (out / "fitted" / "nano.basis.safetensors").read_bytes() == basis
    assert draw_pca(PcaSettings((folder,), out, models=("nano",), overwrite=True)).done == 4
    assert (out / "fitted" / "nano.basis.safetensors").read_bytes() != basis


def test_a_request_that_made_nothing_stands_in_no_one_s_way(tmp_path, out):
    broken = tmp_path / "in"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"broken")
    assert segment_images(settings(broken, out)).failed == 1
    write_scenes(broken, ["a.png"])
    assert segment_images(settings(broken, out, classes="sky, road")).done == 1
    assert names_in(out) == ["a.png"]


@pytest.mark.parametrize("out", ["pictures", "figure.png"])
def test_an_interrupt_that_a_library_replaces_leaves_no_image_out_of_a_fit_or_a_figure(tmp_path, monkeypatch, out):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png"])

    def broken(*_):
        Interrupts.came = True
        raise InputError("cannot be decoded")

    monkeypatch.setattr(EncoderCache, "encode", broken)
    with pytest.raises(KeyboardInterrupt):
        draw_pca(PcaSettings((folder,), tmp_path / out, models=("nano",)), Recorder())
    assert not (tmp_path / "figure.png").exists()
    assert not (tmp_path / "pictures" / "fitted").exists()
