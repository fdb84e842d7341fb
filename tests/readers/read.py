"""Reads the formats of runs by the libraries that people will use, as label maps: ``python read.py SCENES.json``.

It runs in the environment of the readers, without densezero. The file names the formats of each folder. Beside ``out``,
each format gets a file with a label map for each picture, by its name without ending, -1 where there is no label. A
picture without any label may have any size. Whatever a library says comes after ``READY`` on standard error.
"""

import contextlib
import io
import json
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote

import numpy as np

READY = "ready\n"


def main():
    scenes = {Path(folder): forms for folder, forms in json.loads(Path(sys.argv[1]).read_text()).items()}
    readers = {form: OPENERS[form]() for forms in scenes.values() for form in forms}  # imports, which may warn
    sys.stderr.write(READY)
    sys.stderr.flush()
    for folder, forms in scenes.items():
        names = [each["name"] for each in json.loads((folder / "out" / "classes.json").read_text())["classes"]]
        for form in forms:
            with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints how long it took
                maps = readers[form](folder / "out", names)
            np.savez(folder / f"{form}.npz", **{name.replace("/", "|"): labels for name, labels in maps.items()})


def paint(labels, mask, index):
    """Fill in one class; no pixel has two."""
    assert mask.shape == labels.shape, (mask.shape, labels.shape)
    assert mask.any()
    assert (labels[mask] == -1).all(), "masks overlap"
    labels[mask] = index


def stem(name):
    return str(Path(name).with_suffix(""))


def open_coco(file):
    from pycocotools.coco import COCO

    def read(out, names):
        coco, maps = COCO(str(out / file)), {}
        assert [coco.cats[number]["name"] for number in sorted(coco.cats)] == names
        for image in coco.imgs.values():
            labels = maps[stem(image["file_name"])] = np.full((image["height"], image["width"]), -1)
            for found in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
                mask = coco.annToMask(found) > 0
                assert found["area"] == mask.sum()
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                box = [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1]
                assert found["bbox"] == box
                paint(labels, mask, names.index(coco.cats[found["category_id"]]["name"]))
        return maps

    return read


def open_datumaro(form, arrange, nothing=None):
    """``arrange`` gives the folder to import; ``nothing`` is the label of pixels without a class."""
    import datumaro

    def read(out, names):
        dataset, maps = datumaro.Dataset.import_from(str(arrange(out)), form), {}
        known = [label.name for label in dataset.categories()[datumaro.AnnotationType.label]]
        assert [name for name in known if name != nothing] == names
        for item in dataset:
            masks = [each for each in item.annotations if each.type == datumaro.AnnotationType.mask]
            hw = masks[0].image.shape if masks else (1, 1)
            labels = maps[item.id] = np.full(hw, -1)
            for each in masks:
                if known[each.label] != nothing:
                    paint(labels, np.asarray(each.image) > 0, names.index(known[each.label]))
        return maps

    return read


def unzip(out):
    folder = out / "unzipped"
    with zipfile.ZipFile(out / "cvat.zip") as archive:
        archive.extractall(folder)
    return folder


def as_coco_folder(file, masks=None):
    """Datumaro wants the file and the masks of COCO in folders of its own."""

    def arrange(out):
        folder = out / f"as-{Path(file).stem}"
        (folder / "annotations").mkdir(parents=True)
        (folder / "images").symlink_to(out.parent / "in")
        kind = "panoptic" if masks else "instances"
        (folder / "annotations" / f"{kind}_val.json").symlink_to(out / file)
        if masks:
            (folder / "annotations" / "panoptic_val").symlink_to(out / masks)
        return folder

    return arrange


def open_labelme(form):
    from labelme import utils
    from labelme._label_file import read_label_file

    def read(out, names):
        maps = {}
        for path in sorted((out / form).rglob("*.json")):
            file = read_label_file(str(path))
            hw = np.asarray(utils.img_data_to_arr(file.image_data)).shape[:2]
            values = {name: number for number, name in enumerate(names, 1)}
            found, _ = utils.shapes_to_label(hw, file.shapes, values)
            maps[str(path.relative_to(out / form).with_suffix(""))] = found - 1
            shapes = [utils.shapes_to_label(hw, [shape], values)[0] > 0 for shape in file.shapes]
            assert not (np.sum(shapes, axis=0) > 1).any(), "shapes overlap"
        return maps

    return read


def open_label_studio(form):
    from label_studio_sdk.converter.brush import decode_rle
    from label_studio_sdk.label_interface import LabelInterface
    from pycocotools import mask as coco_mask

    def mask_of(value, hw):
        if "rle" in value:
            return decode_rle(value["rle"]).reshape(*hw, 4)[..., 3] == 255
        ring = (np.array(value["points"]) * [hw[1] / 100, hw[0] / 100]).ravel().tolist()
        return coco_mask.decode(coco_mask.frPyObjects([ring], *hw))[..., 0] > 0

    def read(out, names):
        interface = LabelInterface((out / form / "config.xml").read_text())
        maps = {}
        for task in json.loads((out / form / "tasks.json").read_text()):
            (prediction,) = task["predictions"]
            assert interface.validate_prediction(prediction, return_errors=True) == []
            file = Path(unquote(task["data"]["image"].split("?d=")[1]))
            regions = prediction["result"]
            hw = (regions[0]["original_height"], regions[0]["original_width"]) if regions else (1, 1)
            labels = maps[str(file.relative_to(f"{form}/images").with_suffix(""))] = np.full(hw, -1)
            for region in regions:
                paint(labels, mask_of(region["value"], hw), names.index(region["value"][region["type"]][0]))
        return maps

    return read


def open_yolo():
    import yaml
    from ultralytics.data.utils import img2label_paths, polygon2mask, verify_image_label

    def read(out, names):
        data, maps = yaml.safe_load((out / "yolo/data.yaml").read_text()), {}
        assert data["names"] == dict(enumerate(names))
        folder = out / "yolo" / data["train"]
        for image in sorted(path for path in folder.rglob("*") if path.is_file()):
            (text,) = img2label_paths([str(image)])
            _, boxes, hw, segments, _, missing, *_, corrupt, said = verify_image_label(
                (str(image), text, "", False, len(names), 0, 0, False)
            )
            assert (missing, corrupt, said) == (0, 0, "")
            labels = maps[str(image.relative_to(folder).with_suffix(""))] = np.full(hw, -1)
            for (index, *_), segment in zip(boxes, segments, strict=True):
                paint(labels, polygon2mask(hw, [(segment * hw[::-1]).ravel()]) > 0, int(index))
        return maps

    return read


def open_yolo_semantic():
    import yaml
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import SemanticDataset

    def read(out, names):
        data = yaml.safe_load((out / "yolo-semantic/data.yaml").read_text())
        folder = out / "yolo-semantic" / data["train"]
        data |= {"path": str(out / "yolo-semantic"), "nc": len(names), "channels": 3}
        dataset = SemanticDataset(img_path=str(folder), data=data, augment=False, hyp=get_cfg(), task="semantic")
        maps = {}
        for index, file in enumerate(dataset.im_files):
            found = dataset.load_mask(index).astype(int)
            maps[str(Path(file).relative_to(folder).with_suffix(""))] = np.where(found == 255, -1, found)
        return maps

    return read


OPENERS = {
    "coco": lambda: open_coco("coco.json"),
    "coco-instances": lambda: open_coco("coco-instances.json"),
    "coco-instances-polygons": lambda: open_coco("coco-instances-polygons.json"),
    "coco by datumaro": lambda: open_datumaro("coco_instances", as_coco_folder("coco.json")),
    "coco-panoptic": lambda: open_datumaro("coco_panoptic", as_coco_folder("panoptic.json", "panoptic")),
    "cvat": lambda: open_datumaro("voc_segmentation", unzip, "background"),
    "voc": lambda: open_datumaro("voc_segmentation", lambda out: out / "voc", "background"),
    "datumaro": lambda: open_datumaro("common_semantic_segmentation", lambda out: out / "datumaro", "background"),
    "yolo": open_yolo,
    "yolo-semantic": open_yolo_semantic,
    "labelme": lambda: open_labelme("labelme"),
    "labelme-polygons": lambda: open_labelme("labelme-polygons"),
    "label-studio": lambda: open_label_studio("label-studio"),
    "label-studio-polygons": lambda: open_label_studio("label-studio-polygons"),
}


if __name__ == "__main__":
    main()
