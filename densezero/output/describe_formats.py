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
        "Read it with json or shapely. A map program shows it upside down, because it has no place on the earth. For "
        "maps take geojson.",
    ),
    "scores": FormatText(
        "scores/NAME.npz",
        "Scores of every class at every pixel, float16. Large: two bytes for each pixel and class, so 105 MB for "
        "683 x 512 pixels and 150 classes.",
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
    "coco-instances-polygons": FormatText(
        "coco-instances-polygons.json",
        "The objects of coco-instances with a polygon along the pixel edges in place of the run lengths, for tools "
        "that read no run lengths. Holes are cut open, so the area is right. Also writes coco.json.",
        "As coco-instances; Detectron2: with the mask format polygon.",
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
    "datumaro": FormatText(
        "datumaro/images, datumaro/masks, datumaro/dataset_meta.json",
        "Pictures and 8-bit grey masks in Datumaro's layout for semantic segmentation: class index plus 1, 0 for no "
        "label. One folder: a/b.jpg is called a__b.jpg.",
        'Datumaro: Dataset.import_from("datumaro", "common_semantic_segmentation").',
    ),
    "yolo": FormatText(
        "yolo/images, yolo/labels, yolo/data.yaml",
        "Pictures, and a text file each with a polygon for every connected region, as Ultralytics trains with for "
        "objects. Holes are cut open.",
        "Give data.yaml as the data. First move some images and labels to folders val, and name them there.",
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
    "labelme-polygons": FormatText(
        "labelme-polygons/NAME.json, labelme-polygons/labels.txt",
        "The picture, and a JSON file beside it with a polygon for every connected region, whose points can be moved. "
        "Holes are cut open.",
        "labelme labelme-polygons --labels labelme-polygons/labels.txt",
    ),
    "label-studio": FormatText(
        "label-studio/images, label-studio/tasks.json, label-studio/config.xml",
        "The pictures, and one file of tasks with a brush mask for each class. Also writes coco.json.",
        "Serve --out as LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT with label-studio/images as local storage, take "
        "config.xml as labelling interface, and import tasks.json.",
    ),
    "label-studio-polygons": FormatText(
        "label-studio-polygons/images, label-studio-polygons/tasks.json, label-studio-polygons/config.xml",
        "As label-studio, with a polygon for every connected region in place of the brush masks. Holes are cut open. "
        "Also writes coco.json.",
        "As label-studio, with label-studio-polygons/images as local storage.",
    ),
    "geotiff": FormatText(
        "geotiff/NAME.tif, geotiff/NAME.qml",
        "Class indices in the coordinate system and the position of the image, with class colours; 255 is no data. "
        "More than 254 classes: 16 bits, 65535. Needs `pip install densezero[geo]`.",
        "Open the .tif in QGIS: the style file beside it shows names and colours. Or rasterio.open(path).read(1).",
    ),
    "geojson": FormatText(
        "geojson/NAME.geojson, geojson/NAME.qml",
        "Outlines of the regions on the earth: longitude and latitude, or with --crs image those of the image. "
        "Images without a georeference are refused. Needs `pip install densezero[geo]`.",
        "Open the .geojson in QGIS: the style file beside it shows names and colours. Or geopandas.read_file(path).",
    ),
}
