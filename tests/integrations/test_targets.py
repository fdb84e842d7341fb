"""Labels converted by mmsegmentation's own tables and read by its LoadAnnotations, against ours of the raw files."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.integrations.benchmarks import BENCHMARKS, CONFIGS, SAMPLES
from tests.integrations.conftest import skip_or_fail

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample pairs are not here")

# What the 34 ids of Cityscapes are called, from 0 on.
CITY_IDS = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
    "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole",
    "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck",
    "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip


def convert_cityscapes(target):
    from mmseg.datasets import CityscapesDataset

    classes = CityscapesDataset.METAINFO["classes"]
    table = np.array([classes.index(name) if name in classes else 255 for name in CITY_IDS], np.uint8)
    for file in (SAMPLES / "cityscapes" / "gtFine").rglob("*_gtFine_labelIds.png"):
        save(
            table[raw_of(file)],
            target / "gtFine/val" / file.parent.name,
            file.name.replace("labelIds", "labelTrainIds"),
        )
    link(SAMPLES / "cityscapes/leftImg8bit/train", target / "leftImg8bit/val")


def stuff_converter():
    """The script that mmsegmentation's documentation says to run, as it is installed."""
    import mmseg

    script = Path(mmseg.__file__).parent / ".mim/tools/dataset_converters/coco_stuff164k.py"
    if not script.exists():
        skip_or_fail("mmsegmentation was installed without its converters")
    return runpy.run_path(str(script))


def convert_coco_stuff(target):
    converter = stuff_converter()
    (target / "annotations/val2017").mkdir(parents=True)
    for file in sorted((SAMPLES / "coco/stuffthingmaps/val2017").glob("*.png")):
        converter["convert_to_trainID"](str(file), str(target / "annotations"), is_train=False)
    link(SAMPLES / "coco/images/val2017", target / "images/val2017")


def convert_coco_object(target):
    """Its train ids of COCO-Stuff: the first 80 are the things, and all else is background."""
    ids = stuff_converter()["clsID_to_trID"]
    for file in sorted((SAMPLES / "coco/stuffthingmaps/val2017").glob("*.png")):
        raw = raw_of(file)
        things = np.zeros_like(raw)
        for value in np.unique(raw):
            things[raw == value] = ids[value] + 1 if ids[value] < 80 else 0
        save(things, target / "annotations/val2017", f"{file.stem}_instanceTrainIds.png")
    link(SAMPLES / "coco/images/val2017", target / "images/val2017")


CONVERTERS = {
    "cityscapes": convert_cityscapes,
    "coco-stuff": convert_coco_stuff,
    "coco-object": convert_coco_object,
}


def raw_of(file):
    with Image.open(file) as image:
        return np.array(image)


def save(labels, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(folder / name)


def link(there, here):
    here.parent.mkdir(parents=True, exist_ok=True)
    here.symlink_to(there.resolve(), target_is_directory=True)


def read_with_mmseg(name, root):
    """Each image's file name and its label as LoadAnnotations gives it to IoUMetric."""
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from mmseg.registry import DATASETS

    settings = Config.fromfile(CONFIGS / f"{name}.py").test_dataloader.dataset
    settings.data_root, settings.pipeline = str(root), [{"type": "LoadAnnotations"}]
    with DefaultScope.overwrite_default_scope("mmseg"):
        images = DATASETS.build(settings)
    return {Path(images[index]["img_path"]).name: images[index]["gt_seg_map"] for index in range(len(images))}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_pixel_of_every_label_is_what_load_annotations_gives(mmseg, tmp_path, name):
    from densezero.datasets import load_dataset

    folder, split, _ = BENCHMARKS[name]
    root = SAMPLES / folder
    dataset = load_dataset(name, root, split)
    if name in CONVERTERS:
        CONVERTERS[name](tmp_path)
        root = tmp_path
    theirs = read_with_mmseg(name, root)
    assert sorted(theirs) == sorted(pair.image.name for pair in dataset.pairs)
    for pair in dataset.pairs:
        np.testing.assert_array_equal(theirs[pair.image.name], dataset.read_target(pair), err_msg=pair.name)
