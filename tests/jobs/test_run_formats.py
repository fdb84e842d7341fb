"""Files of a whole run are right after a kill, after more images, after a change of format, and with --overwrite."""

import json

import pytest

from densezero.errors import OutputError
from densezero.images.file_state import stamp_of
from densezero.jobs.segment import segment_images
from densezero.output.coco_instances import min_area_of, region_pieces
from densezero.output.formats import LAYOUTS, PICTURE_FORMATS, RUN_FORMATS, run_files_of
from tests.jobs.photos import Recorder, read_labels, settings, write_scenes

OF_RUN = (*RUN_FORMATS, *LAYOUTS)
FILES = [file for name in OF_RUN for file in run_files_of(name)]


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.jpg", "sub/c.png"])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def tree(out):
    """All files but the manifest, which says when each run was."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def whole(folder, tmp_path):
    segment_images(settings(folder, tmp_path / "whole", save=PICTURE_FORMATS))
    return tree(tmp_path / "whole")


def test_every_format_has_its_files(whole):
    assert set(FILES) < set(whole)


@pytest.mark.parametrize("kills", [1, 2])
def test_a_killed_run_ends_with_the_files_of_an_undisturbed_one(folder, out, whole, monkeypatch, kills):
    class Killed(BaseException):
        pass

    def die(self, progress, miou=None):
        raise Killed

    for _ in range(kills):
        with monkeypatch.context() as patched:
            patched.setattr(Recorder, "image", die)
            with pytest.raises(Killed):
                segment_images(settings(folder, out, save=PICTURE_FORMATS), Recorder())
        assert not [file for file in FILES if (out / file).exists()]
    segment_images(settings(folder, out, save=PICTURE_FORMATS))
    assert tree(out) == whole


def test_a_kill_while_the_files_of_the_run_are_written_is_made_good(folder, out, whole, monkeypatch):
    from densezero.output import run_files

    class Killed(BaseException):
        pass

    def die(*values):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setitem(run_files._WRITERS, FILES[-1], die)
        with pytest.raises(Killed):
            segment_images(settings(folder, out, save=PICTURE_FORMATS))
    assert segment_images(settings(folder, out, save=PICTURE_FORMATS)).done == 0
    assert tree(out) == whole


@pytest.mark.parametrize("save", [PICTURE_FORMATS, ("labels",)])
def test_more_images_into_a_folder_end_in_the_same_files(folder, out, whole, save):
    segment_images(settings([folder / "b.jpg"], out, save=PICTURE_FORMATS))
    assert segment_images(settings(folder, out, save=save)).skipped == 1
    found = tree(out)
    assert {file: found[file] for file in FILES} == {file: whole[file] for file in FILES}
    assert segment_images(settings(folder, out, save=PICTURE_FORMATS)).failed == 0
    assert tree(out) == whole


@pytest.mark.parametrize("image", ["a.png", "b.jpg"])
def test_overwriting_some_images_keeps_the_files_of_the_run_right(folder, out, whole, image):
    segment_images(settings(folder, out, save=PICTURE_FORMATS))
    assert segment_images(settings([folder / image], out, save=PICTURE_FORMATS, overwrite=True)).done == 1
    assert tree(out) == whole


def test_pictures_of_layouts_are_hard_links_and_going_on_does_not_disturb_them(folder, out, whole):
    source = {file: file.read_bytes() for file in folder.rglob("*.*")}
    segment_images(settings(folder, out, save=("voc", "labelme")))
    for file in ("a.png", "b.jpg", "sub/c.png"):
        for layout in ("voc/JPEGImages", "labelme"):
            assert (out / layout / file).samefile(folder / file)
    entries = json.loads((out / "run.json").read_text())["images"]
    assert {entry["stamp"] for entry in entries} == {stamp_of(file) for file in source}, "all would be read again"
    again = segment_images(settings(folder, out, save=("voc", "labelme")))
    assert (again.done, again.skipped) == (0, 3)
    assert segment_images(settings(folder, out, save=("voc", "labelme"), overwrite=True)).done == 3
    assert not list(out.rglob("*.part"))
    (folder / "a.png").write_bytes(b"broken")  # the links have this content now, too
    assert segment_images(settings(folder, out, save=("voc", "labelme"))).failed == 1
    assert not (out / "voc" / "JPEGImages" / "a.png").exists()
    assert {file: file.read_bytes() for file in source} == {**source, folder / "a.png": b"broken"}
    assert (out / "voc" / "ImageSets" / "Segmentation" / "default.txt").read_text() == "b\nsub/c\n"


def test_pictures_are_copied_where_links_are_refused(folder, out, whole, monkeypatch):
    def refuse(*names, **how):
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", refuse)
    segment_images(settings(folder, out, save=PICTURE_FORMATS))
    assert not (out / "voc" / "JPEGImages" / "a.png").samefile(folder / "a.png")
    assert tree(out) == whole


def test_a_picture_that_another_takes_the_place_of_is_linked_anew(folder, out):
    segment_images(settings(folder, out, save=("voc",)))
    (folder / "a.png").unlink()
    write_scenes(folder, ["a.png"], (40, 40))
    assert segment_images(settings(folder, out, save=("voc",))).done == 1
    assert (out / "voc" / "JPEGImages" / "a.png").samefile(folder / "a.png")


def test_a_picture_that_lies_where_its_link_would_lie_is_refused(folder, out):
    """Otherwise a failure would remove the picture itself."""
    own = out / "voc" / "JPEGImages"
    write_scenes(own, ["a.png"])
    with pytest.raises(OutputError, match=r"JPEGImages/a\.png is one of the inputs, and would be lost"):
        segment_images(settings(own, out, save=("voc",), overwrite=True))
    assert (own / "a.png").is_file()
    assert segment_images(settings(own, out, save=("labels",))).done == 1


def test_formats_of_8_bits_refuse_many_classes_before_anything_is_written(folder, out, monkeypatch):
    from densezero.jobs import segment

    monkeypatch.setattr(segment, "build_segmenter", lambda *values: pytest.fail("the model was loaded"))
    many = ", ".join(f"class {number}" for number in range(300))
    with pytest.raises(OutputError, match=r"at most 254 classes for voc, mmseg, .*got 300\. Save grey or coco instead"):
        segment_images(settings(folder, out, classes=many, save=("mmseg", "labels", "voc")))
    assert not out.exists()


def test_objects_come_from_the_masks_of_an_earlier_run_without_new_work(folder, out, whole):
    segment_images(settings(folder, out, save=("coco",)))
    summary = segment_images(settings(folder, out, save=("coco-instances",)))
    assert (summary.done, summary.skipped) == (0, 3)
    assert (out / "coco-instances.json").read_bytes() == whole["coco-instances.json"]


def test_masks_are_written_beside_objects_so_that_a_later_run_can_go_on(folder, out, whole):
    segment_images(settings([folder / "a.png"], out, save=("coco-instances",)))
    assert segment_images(settings(folder, out, save=("coco-instances",))).done == 2
    found = tree(out)
    assert {name: found[name] for name in ("coco.json", "coco-instances.json")} == {
        name: whole[name] for name in ("coco.json", "coco-instances.json")
    }


def test_another_smallest_area_makes_the_objects_anew_and_no_image(folder, out):
    save = ("coco-instances", "coco-instances-polygons")
    segment_images(settings(folder, out, save=("labels", *save)))
    maps = [read_labels(out / "labels" / name) for name in ("a.png", "b.png", "sub/c.png")]
    every = sorted(area for labels in maps for _, _, area, _ in region_pieces(labels, 4, 1))

    def areas():
        of_masks, of_polygons = (
            sorted(one["area"] for one in json.loads((out / f"{name}.json").read_text())["annotations"])
            for name in save
        )
        assert of_masks == of_polygons
        return of_masks

    assert areas() == [area for area in every if area >= 64]
    for least in (1, every[-1], 200):
        summary = segment_images(settings(folder, out, save=save, min_area_px=least))
        assert (summary.done, summary.skipped) == (0, 3)
        assert areas() == [area for area in every if area >= least]
    segment_images(settings(folder, out, save=("labels", "csv")))  # writes the files of the run again
    assert min_area_of(out / "coco-instances.json") == 200
    before = tree(out)
    segment_images(settings(folder, out, save=save, min_area_px=9, dry_run=True))
    assert tree(out) == before


def test_a_file_that_no_run_wrote_is_not_removed_for_its_smallest_area(folder, out):
    out.mkdir()
    (out / "coco-instances.json").write_text("{}")
    with pytest.raises(OutputError, match="no earlier run wrote"):
        segment_images(settings(folder, out, save=("coco-instances",), min_area_px=3))
    assert (out / "coco-instances.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("changes", "said"), [({"min_area_px": 0}, "got 0"), ({"min_area_px": 9}, "got another --save")]
)
def test_a_smallest_area_that_means_nothing_is_refused(folder, out, changes, said):
    with pytest.raises(
        OutputError, match=f"--min-area of 1 or more, with --save coco-instances or coco-instances-polygons; {said}"
    ):
        segment_images(settings(folder, out, **changes))
    assert not out.exists()
