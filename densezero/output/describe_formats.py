"""What each format holds, and what to do with it. Importing this loads no library."""

from dataclasses import dataclass
from typing import Final

from densezero.output.formats import MIN_AREA_PX


@dataclass(frozen=True)
class FormatText:
    """What is said of a format: its files, what they hold, and what to do with them."""

    files: str
    what: str
    use: str


TEXTS: Final[dict[str, FormatText]] = {
    "labels": FormatText(
        "labels/NAME.png",
        "Label map in class colours: a palette PNG whose index is the class, 255 for no label. More than 254 classes: "
        "16-bit grey, 65535 for no label.",
        "Pillow, Ultralytics and mmsegmentation read the index: np.array(Image.open(path)). OpenCV reads colours.",
    ),
    "grey": FormatText(
        "grey/NAME.png",
        "The same label map as grey values. 8 bits, 255 for no label; more than 254 classes: 16 bits, 65535.",
        "For tools that read colours from a palette: cv2.imread(path, cv2.IMREAD_UNCHANGED).",
    ),
    "grey-from-1": FormatText(
        "grey-from-1/NAME.png",
        "Class index plus 1 as grey values, 0 for no label. 8 bits; more than 254 classes: 16 bits.",
        "For tools in which 0 means nothing. FiftyOne: fo.Segmentation(mask_path=path), with an absolute path, and "
        'dataset.mask_targets = {"densezero": {1: "sky", 2: "boat"}}.',
    ),
    "overlay": FormatText(
        "overlays/NAME.jpg",
        "Class colours over the picture, names and shares of the area beside it.",
        "Look at it.",
    ),
    "polygons": FormatText(
        "polygons/NAME.geojson",
        "Exact outlines of the regions with their holes, as GeoJSON. Coordinates are pixels, y down, not degrees.",
        "Read it with json or shapely. A map program shows it upside down, because it has no place on the earth.",
    ),
    "scores": FormatText(
        "scores/NAME.npz",
        "Scores of every class at every pixel, float16. Large: two bytes for each pixel and class before compression.",
        'np.load(path)["scores"] is (C, H, W).',
    ),
    "confidence": FormatText(
        "confidence/NAME.png",
        "How sure the label of each pixel is: 8-bit grey, 255 is a probability of 1.",
        "np.array(Image.open(path)) / 255. Find pixels to check by hand, or choose --unknown.",
    ),
    "csv": FormatText(
        "areas.csv",
        "A row for each class that occurs in a picture: pixels and share of the area.",
        'pandas.read_csv("areas.csv"), or a spreadsheet.',
    ),
    "csv-wide": FormatText(
        "areas-wide.csv",
        "A row for each picture, and a column with the share of each class.",
        'pandas.read_csv("areas-wide.csv"), or a spreadsheet.',
    ),
    "coco": FormatText(
        "coco.json",
        "The masks of all pictures: one run-length mask for each class of a picture.",
        'pycocotools.coco.COCO("coco.json").annToMask(annotation).',
    ),
    "coco-instances": FormatText(
        "coco-instances.json",
        "Every connected region of a class as an object: run-length mask, box, area. Pixels that share an edge are "
        f"connected. Regions below --min-area are left out ({MIN_AREA_PX} pixels). Also writes coco.json.",
        "pycocotools. Datumaro (coco_instances): as annotations/instances_val.json beside images/. Detectron2: with "
        "the mask format bitmask.",
    ),
    "cvat": FormatText(
        "cvat.zip",
        "The masks of all pictures, 8-bit grey: the line in labelmap.txt, 0 for no label. Also writes coco.json.",
        'cvat-cli task import-dataset --format "Segmentation mask 1.1" TASK cvat.zip. The task needs labels of these '
        "names.",
    ),
    "coco-panoptic": FormatText(
        "panoptic/NAME.png, panoptic.json",
        "One segment for each class of a picture, every class as stuff. PNG: id = red + 256 green + 65536 blue, which "
        "is the class index plus 1; 0 for no label. Also writes coco.json.",
        "panopticapi. Datumaro (coco_panoptic): as annotations/panoptic_val.json and annotations/panoptic_val/, beside "
        "images/.",
    ),
    "voc": FormatText(
        "voc/JPEGImages, voc/SegmentationClass, voc/SegmentationObject, voc/ImageSets, voc/labelmap.txt",
        "Pictures and 8-bit grey masks as Datumaro reads them: the line in labelmap.txt, 0 for no label.",
        'Datumaro: Dataset.import_from("voc", "voc_segmentation").',
    ),
    "yolo-semantic": FormatText(
        "yolo-semantic/images, yolo-semantic/masks, yolo-semantic/data.yaml",
        "Pictures and 8-bit grey masks of class indices, 255 for no label, as Ultralytics trains with them.",
        "Give data.yaml as the data. First move some images and masks to folders val, and name them there.",
    ),
    "mmseg": FormatText(
        "mmseg/img_dir, mmseg/ann_dir, mmseg/dataset.py",
        "Pictures and 8-bit grey masks of class indices, 255 for no label, as mmsegmentation trains with them.",
        "Copy the dictionary of dataset.py into a configuration, and add data_root and a pipeline.",
    ),
    "labelme": FormatText(
        "labelme/NAME.json, labelme/labels.txt",
        "The picture, and a JSON file beside it with a mask for each class. Masks keep holes, polygons would not.",
        "labelme labelme --labels labelme/labels.txt",
    ),
    "label-studio": FormatText(
        "label-studio/images, label-studio/tasks.json, label-studio/config.xml",
        "The pictures, and one file of tasks with a brush mask for each class. Also writes coco.json.",
        "Serve --out as LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT with label-studio/images as local storage, take "
        "config.xml as labelling interface, and import tasks.json.",
    ),
}
