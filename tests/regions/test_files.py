import json
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.images import FoundImage
from densezero.regions.coco_file import is_same_name
from densezero.regions.open import open_regions
from tests.regions.test_run_lengths import compressed, uncompressed

HW = (6, 8)
LEFT, RIGHT = np.zeros(HW, bool), np.zeros(HW, bool)
LEFT[:, :3], RIGHT[2:4, 4:7] = True, True
TRUE = np.where(LEFT, 1, np.where(RIGHT, 2, 0))  # large ones have small numbers


def images_of(tmp_path, *names):
    return [FoundImage(tmp_path / "in" / name, PurePosixPath(name)) for name in names]


def save(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        Image.fromarray(content).save(file)
    else:
        file.write_text(json.dumps(content))
    return file


def instances(**of_image):
    """COCO JSON of many images; the name of each with its masks."""
    images = [{"id": 7 + i, "file_name": name, "height": 6, "width": 8} for i, name in enumerate(of_image)]
    annotations = [
        {"id": 1, "image_id": image["id"], "category_id": 1, "segmentation": mask}
        for image, masks in zip(images, of_image.values(), strict=True)
        for mask in masks
    ]
    return {"images": images, "annotations": annotations, "categories": []}


def open_all(tmp_path, *names, place="masks"):
    notes = []
    return open_regions(str(tmp_path / place), images_of(tmp_path, *names), notes.append), notes


def read_one(tmp_path, name="a.jpg", hw=HW):
    source, _ = open_all(tmp_path, name)
    return source.read(source.images[0], hw)


def annotation(mask):
    return {"segmentation": compressed(mask), "area": 3}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_label_png_holds_numbers_of_regions(tmp_path, dtype):
    top = 200 if dtype == np.uint8 else 60000
    save(tmp_path / "masks" / "a.png", np.where(LEFT, 9, np.where(RIGHT, top, 0)).astype(dtype))
    assert np.array_equal(read_one(tmp_path), TRUE)


def test_a_palette_png_is_read_by_index(tmp_path):
    (tmp_path / "masks").mkdir()
    image = Image.fromarray((TRUE * 3).astype(np.uint8), mode=None).convert("L")
    image.putpalette([value for index in range(256) for value in (255 - index, index, 7)])
    image.save(tmp_path / "masks" / "a.png")
    assert image.mode == "P"
    assert np.array_equal(read_one(tmp_path), TRUE)


@pytest.mark.parametrize(
    "content",
    [
        [annotation(LEFT), annotation(RIGHT)],
        [compressed(LEFT), uncompressed(RIGHT)],
        {"annotations": [annotation(RIGHT), annotation(LEFT)]},
        {"image": {"image_id": 1}, "annotations": [annotation(RIGHT), {"segmentation": uncompressed(LEFT)}]},
        instances(**{"any name": [compressed(LEFT), compressed(RIGHT)]}),
    ],
)
def test_a_json_file_of_one_image_may_have_several_forms(tmp_path, content):
    save(tmp_path / "masks" / "a.json", content)
    assert np.array_equal(read_one(tmp_path), TRUE)


def test_sub_folders_and_whole_names_are_found(tmp_path):
    for name, value in (("x/a.png", 1), ("y/a.jpg.png", 2), ("b.jpg.json", 3)):
        content = [compressed(LEFT)] if name.endswith("json") else np.full(HW, value, np.uint8)
        save(tmp_path / "masks" / name, content)
    source, notes = open_all(tmp_path, "x/a.jpg", "y/a.jpg", "b.jpg")
    found = [str(file.relative_to(tmp_path / "masks")) for image in source.images for file in image.companions]
    assert found == ["x/a.png", "y/a.jpg.png", "b.jpg.json"]
    assert notes == []
    assert source.without == ()


def test_one_coco_file_has_the_masks_of_many_images(tmp_path):
    square = [[0, 0, 4, 0, 4, 4, 0, 4]]
    content = instances(**{"a.jpg": [compressed(LEFT), uncompressed(RIGHT)], "b.jpg": [square], "c.jpg": []})
    file = save(tmp_path / "masks" / "all.json", content)
    for place in ("masks", "masks/all.json"):
        source, notes = open_all(tmp_path, "sub/a.jpg", "b.jpg", "c.jpg", place=place)
        assert [image.companions for image in source.images] == [(file,)] * 3
        a, b, c = (source.read(image, HW) for image in source.images)
        assert np.array_equal(a, TRUE)
        assert b.sum() == 16
        assert c.max() == 0
        assert notes == []


def test_a_file_of_one_image_goes_before_the_coco_file(tmp_path):
    save(tmp_path / "masks" / "all.json", instances(**{"a.jpg": [compressed(LEFT)], "b.jpg": [compressed(LEFT)]}))
    save(tmp_path / "masks" / "a.png", TRUE.astype(np.uint8))
    source, _ = open_all(tmp_path, "a.jpg", "b.jpg")
    assert [source.read(image, HW).max() for image in source.images] == [2, 1]


@pytest.mark.parametrize(
    ("name", "relative", "same"),
    [
        ("a.jpg", "a.jpg", True), ("val/a.jpg", "a.jpg", True), ("a.jpg", "val/a.jpg", True),
        ("train/a.jpg", "val/a.jpg", False), ("a.jpg", "ba.jpg", False), ("a.png", "a.jpg", False),
        ("C:\\val\\a.jpg", "val/a.jpg", True), ("", "a.jpg", False),
    ],
)  # fmt: skip
def test_names_in_coco_files_may_have_other_folders_in_front(name, relative, same):
    assert is_same_name(name, PurePosixPath(relative)) is same


def test_an_image_without_regions_is_named_and_counted(tmp_path):
    save(tmp_path / "masks" / "a.png", TRUE.astype(np.uint8))
    source, notes = open_all(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    assert notes == ["2 of 3 images have no regions (b.jpg, c.jpg); their pixels keep their own labels"]
    assert source.without == ("b.jpg", "c.jpg")
    assert source.about() == {"without_regions": ["b.jpg", "c.jpg"]}
    assert source.read(source.images[1], HW) is None


def test_files_that_belong_to_no_image_are_named_and_counted(tmp_path):
    for name in ("a.png", "z.png", "sub/y.json"):
        save(tmp_path / "masks" / name, TRUE.astype(np.uint8) if name.endswith("png") else [])
    _, notes = open_all(tmp_path, "a.jpg")
    assert notes == [f"2 files in {tmp_path / 'masks'} are regions of no image of this run (sub/y.json, z.png)"]


def test_an_image_is_never_its_own_label_map(tmp_path):
    save(tmp_path / "in" / "a.png", np.zeros((*HW, 3), np.uint8))
    save(tmp_path / "in" / "a.json", [compressed(LEFT)])
    save(tmp_path / "in" / "b.png", np.zeros((*HW, 3), np.uint8))
    source, notes = open_all(tmp_path, "a.png", "b.png", place="in")
    assert [image.companions for image in source.images] == [(tmp_path / "in" / "a.json",), ()]
    assert len(notes) == 1


REFUSED = {
    "no such place": (None, "there is no"),
    "an empty folder": ({"x.txt": []}, "found none for any of the 2 images. Name the files after the images"),
    "two files": ({"a.png": TRUE.astype(np.uint8), "a.json": []}, "one file with the regions of a.jpg"),
    "damaged": ({"all.json": "DAMAGED"}, "cut short or damaged"),
    "unknown ids": (
        {"all.json": {"images": [], "annotations": [{"image_id": 5, "segmentation": []}, {"image_id": 6}]}},
        r"got 2 with another image_id \(5, 6\)",
    ),
    "two images of one name": (
        {"all.json": instances(**{"x/a.jpg": [], "y/a.jpg": []})}, "one set of masks for a.jpg; got x/a.jpg in"
    ),
    "no file names": ({"all.json": {"images": [{"id": 1}], "annotations": []}}, "id and file_name"),
    "no segmentation": (
        {"all.json": {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1}]}}, "segmentation"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_before_the_work(tmp_path, case):
    files, sentence = REFUSED[case]
    for name, content in (files or {}).items():
        save(tmp_path / "masks" / name, content)
        if isinstance(content, str):
            (tmp_path / "masks" / name).write_text('{"images": [')
    with pytest.raises(InputError, match=sentence):
        open_all(tmp_path, "a.jpg", "b.jpg")


def test_two_images_do_not_share_a_file(tmp_path):
    save(tmp_path / "masks" / "a.png", TRUE.astype(np.uint8))
    with pytest.raises(InputError, match=r"for a.jpg and a.webp; both would take .*a.png. Name .* a.webp.png"):
        open_all(tmp_path, "a.jpg", "a.webp")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.png", np.zeros((5, 8), np.uint8), "size of the image, 6 × 8 .*; got 5 × 8"),
        ("a.png", np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8), "colours"),
        ("a.json", [compressed(np.ones((8, 6), bool))], "mask 1 of 1 to have the size of the image"),
        ("a.json", [{"size": list(HW), "counts": [48]}], "mask 1 of 1 is empty"),
        ("a.json", [{"area": 3}], "segmentation"),
        ("a.json", {"masks": []}, "annotations"),
        ("a.json", [3], "list of masks"),
        ("a.json", instances(**{"a.jpg": [], "b.jpg": []}), "it lists 2 images; give the file itself"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, name, content, sentence):
    save(tmp_path / "masks" / name, content)
    with pytest.raises(InputError, match=sentence) as raised:
        read_one(tmp_path)
    assert str(tmp_path / "masks" / name) in str(raised.value)


def test_without_regions_nothing_is_read_and_nothing_recorded(tmp_path):
    source = open_regions(None, images_of(tmp_path, "a.jpg"), print)
    assert source.images == tuple(images_of(tmp_path, "a.jpg"))
    assert source.read(source.images[0], HW) is None
    assert (source.start(None), source.about()) == ({}, {})


def test_a_folder_called_sam2_can_be_given_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Path("sam2") / "a.png", TRUE.astype(np.uint8))
    source = open_regions("./sam2", images_of(tmp_path, "a.jpg"), print)
    assert source.images[0].companions == (Path("sam2/a.png"),)
