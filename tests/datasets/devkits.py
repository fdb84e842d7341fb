"""Draws tiny devkits in the true layout of the benchmarks, the same every time, and gives back what the files hold."""

import io
import json

import numpy as np
from PIL import Image

HW = (12, 17)
COCO_THINGS = tuple(v for v in range(91) if v not in (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90))


def draw_values(seed, values, hw=HW):
    """Blocks of the given values, every value at least once."""
    rng = np.random.default_rng(seed)
    flat = rng.choice(np.asarray(values), hw[0] * hw[1])
    flat[: len(values)] = values
    return rng.permutation(flat).reshape(hw)


def write_image(file, hw=HW, seed=0):
    file.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.random.default_rng(seed).integers(0, 256, (*hw, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(file, "JPEG" if file.suffix.lower() in (".jpg", ".jpeg") else "PNG")


def write_grey(file, values):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(file, "PNG")


def write_palette(file, values):
    """A palette PNG whose colours are those of the VOC rule, so that colours and indices differ."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.frombytes("P", values.shape[::-1], values.astype(np.uint8).tobytes())
    image.putpalette([voc_channel(index, channel) for index in range(256) for channel in range(3)])
    image.save(file, "PNG")


def save_as_rgb(file):
    """What an image editor does to a palette PNG."""
    with Image.open(file) as image:
        colours = image.convert("RGB")
    colours.save(file, "PNG")


def voc_channel(index, channel):
    return sum(((index >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3))


def draw_ade(root, names=("ADE_val_00000001", "ADE_val_00000002"), folder="validation"):
    top = root / "ADEChallengeData2016"
    raw = {}
    for seed, name in enumerate(names):
        raw[name] = draw_values(seed, range(151))
        write_image(top / "images" / folder / f"{name}.jpg")
        write_grey(top / "annotations" / folder / f"{name}.png", raw[name])
    return top, raw


def draw_voc(root, names=("2007_000033", "2007_000042"), extra=("2008_000001",)):
    """The extra names are in the folders and in no list but train."""
    top = root / "VOCdevkit" / "VOC2012"
    raw = {}
    for seed, name in enumerate((*names, *extra)):
        raw[name] = draw_values(seed, (*range(21), 255))
        write_image(top / "JPEGImages" / f"{name}.jpg")
        write_palette(top / "SegmentationClass" / f"{name}.png", raw[name])
    write_list(top / "ImageSets" / "Segmentation" / "val.txt", names)
    write_list(top / "ImageSets" / "Segmentation" / "train.txt", extra)
    return top, {name: raw[name] for name in names}


def write_list(file, names):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name}\n" for name in names))


def draw_context(root, kind="png", names=("2008_000002", "2008_000003")):
    top = root / "VOCdevkit" / "VOC2010"
    raw = {}
    for seed, name in enumerate(names):
        write_image(top / "JPEGImages" / f"{name}.jpg", (24, 25))
        if kind == "png":
            raw[name] = draw_values(seed, range(60), (24, 25))
            write_grey(top / "SegmentationClassContext" / f"{name}.png", raw[name])
        else:
            raw[name] = draw_values(seed, range(460), (24, 25))
            write_mat(top / "trainval" / f"{name}.mat", raw[name])
    write_list(top / "ImageSets" / "SegmentationContext" / "val.txt", names)
    return top, raw


def write_mat(file, values):
    from scipy import io as scipy_io

    file.parent.mkdir(parents=True, exist_ok=True)
    scipy_io.savemat(file, {"LabelMap": values.astype(np.uint16)}, do_compression=True)


def draw_cityscapes(root, kind="labelIds", cities=("frankfurt", "lindau"), split="val"):
    values = range(34) if kind == "labelIds" else (*range(19), 255)
    raw = {}
    for seed, city in enumerate(cities):
        stem = f"{city}_000000_000294"
        raw[f"{city}/{stem}"] = draw_values(seed, values)
        write_image(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
        write_grey(root / "gtFine" / split / city / f"{stem}_gtFine_{kind}.png", raw[f"{city}/{stem}"])
        write_grey(root / "gtFine" / split / city / f"{stem}_gtFine_instanceIds.png", draw_values(seed, range(9)))
    return root, raw


COCO_RAW = (*COCO_THINGS, *range(91, 182), 255)


def draw_coco_stuff(root, ending=".png", values=COCO_RAW, names=("000000000139", "000000000285")):
    raw = {}
    for seed, name in enumerate(names):
        raw[name] = draw_values(seed, values)
        write_image(root / "images" / "val2017" / f"{name}.jpg")
        write_grey(root / "stuffthingmaps" / "val2017" / f"{name}{ending}", raw[name])
    return root, raw


def box(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def coco_json(names=("000000000139", "000000000285"), hw=HW):
    """Two overlapping boxes of two categories in each image, and a crowd over everything."""
    ids = {name: int(name) for name in names}
    runs = {"size": list(hw), "counts": [0, hw[0] * hw[1]]}
    annotations = []
    for name in names[:1]:
        for category, segmentation, crowd in ((1, box(1, 1, 9, 9), 0), (90, box(5, 5, 15, 11), 0), (18, runs, 1)):
            annotations.append(
                {"image_id": ids[name], "category_id": category, "segmentation": segmentation, "iscrowd": crowd}
            )
    return {
        "images": [{"id": ids[name], "file_name": f"{name}.jpg", "height": hw[0], "width": hw[1]} for name in names],
        "annotations": annotations,
        "categories": [{"id": value + 1, "name": str(value)} for value in COCO_THINGS],
    }


def draw_coco_object(root, names=("000000000139", "000000000285")):
    for name in names:
        write_image(root / "images" / "val2017" / f"{name}.jpg")
    file = root / "annotations" / "instances_val2017.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(coco_json(names)))
    return root, file


def draw_folder(root, classes=("sky", "sea", "boat")):
    raw = {}
    for seed, name in enumerate(("a", "deep/b")):
        raw[name] = draw_values(seed, (*range(len(classes)), 255))
        write_image(root / "images" / f"{name}.{('png', 'JPG')[seed]}")
        write_palette(root / "labels" / f"{name}.png", raw[name])
    (root / "classes.txt").write_text("\n".join(classes))
    return root, raw


def png_bytes(values):
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()
