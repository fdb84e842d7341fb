"""Label maps, written in every format, come back from the libraries that people will read them with."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densezero.datasets import load_dataset
from densezero.errors import OutputError
from densezero.jobs.manifest import DONE, ImageEntry
from densezero.output.areas import class_pixels
from densezero.output.classes_json import encode_classes_json
from densezero.output.coco import coco_pieces
from densezero.output.formats import EIGHT_BIT_FORMATS
from densezero.output.image_files import ImageResult
from densezero.output.labels import ignore_value
from densezero.output.run_files import write_run_files
from densezero.output.writer import plan_outputs
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry
from tests.conftest import SHARED
from tests.output.scenes import scene_labels
from tests.readers.read import OPENERS, READY

PLACE = "DENSEZERO_READERS"
SAMPLES = SHARED / "samples" / "ADEChallengeData2016"
SCRIPT = Path(__file__).with_name("read.py")
WARNINGS = "default,ignore::DeprecationWarning"  # a library may be older than its own libraries
MAKE = f"tests/readers/make.sh FOLDER && {PLACE}=FOLDER"


def class_list(names):
    colours = np.random.default_rng(5).permutation(256 * 256)[: len(names)].tolist()
    return ClassList(
        "test", tuple(ClassEntry(name, colour=(c % 256, c // 256, 90)) for name, c in zip(names, colours, strict=True))
    )


def drawn(n_classes):
    """Scenes with holes, single pixels, absent classes, and a picture without any class."""
    labels = scene_labels(n_classes)
    noise = np.random.default_rng(3).integers(0, min(n_classes, 7), (40, 30)).astype(labels.dtype)
    none = np.full_like(labels, ignore_value(n_classes))
    return class_list([f"class {index}" for index in range(n_classes)]), {
        "a.png": labels, "sub dir/b.c.png": labels[::-1], "noise.png": noise, "n.png": none,
    }  # fmt: skip


def samples():
    """The labels of the sample photographs of ADE20K."""
    dataset = load_dataset("ade20k", SAMPLES, "val")
    maps = {f"{pair.name}.png": dataset.read_target(pair).astype(np.uint8) for pair in dataset.pairs[:2]}
    return dataset.classes, maps


def write(folder, classes, maps, forms):
    """Write pictures with these label maps into ``in`` and ``out``."""
    out, entries = folder / "out", []
    plan = replace(plan_outputs(list(maps), forms), min_area_px=1)
    for name, labels in maps.items():
        source = folder / "in" / name
        source.parent.mkdir(parents=True, exist_ok=True)
        rgb = np.random.default_rng(7).integers(0, 256, (*labels.shape, 3)).astype(np.uint8)
        Image.fromarray(rgb).save(source)
        plan.write(name, ImageResult(rgb, labels, classes, source=source), lambda file: out / file)
        pixels, pieces = class_pixels(labels, len(classes)), coco_pieces(labels, len(classes))
        files = tuple(plan.files(name).values())
        entries.append(ImageEntry(name, DONE, str(source), "", "", files, labels.shape, pixels, pieces))
    write_run_files(plan, lambda: entries, classes, lambda file: out / file)
    (out / "classes.json").write_bytes(encode_classes_json(classes))
    return out


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Classes and label maps of each scene, its folder and its formats, written and read.

    One process reads all, because the libraries take long to load.
    """
    if not (place := os.environ.get(PLACE)):
        pytest.skip(f"needs the libraries that read our files: {MAKE}")
    made = {}
    folder = tmp_path_factory.mktemp("readers")
    for name, (classes, maps) in {
        **({"samples": samples()} if SAMPLES.is_dir() else {}),
        **{str(count): drawn(count) for count in (5, 254, 300)},
    }.items():
        forms = [form for form in OPENERS if not (len(classes) > 254 and form.split()[0] in EIGHT_BIT_FORMATS)]
        write(folder / name, classes, maps, [form for form in forms if " " not in form])
        made[name] = (classes, maps, folder / name, forms)
    plan = folder / "scenes.json"
    plan.write_text(json.dumps({str(at): forms for _, _, at, forms in made.values()}))
    quiet = {
        "QT_QPA_PLATFORM": "offscreen", "YOLO_CONFIG_DIR": str(folder), "PYTHONWARNINGS": WARNINGS,
        "LOGURU_LEVEL": "WARNING",
    }  # fmt: skip
    done = subprocess.run(
        [f"{place}/bin/python", SCRIPT, plan], capture_output=True, text=True, env={**os.environ, **quiet}
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.partition(READY)[2] == "", "a library says something of a file"
    return made


@pytest.mark.parametrize("form", OPENERS)
@pytest.mark.parametrize("scene", ["5", "254", "300", "samples"])
def test_every_format_comes_back(scenes, scene, form):
    if scene not in scenes:
        pytest.skip("the sample photographs are not there")
    classes, maps, folder, forms = scenes[scene]
    if form not in forms:
        with pytest.raises(OutputError, match="at most 254 classes"):
            plan_outputs(["a.png"], [form]).refuse_classes(classes)
        return
    with np.load(folder / f"{form}.npz") as found:
        read = {name.replace("|", "/"): found[name] for name in found.files}
    assert len(read) == len(maps)
    for name, labels in maps.items():
        stem = name.removesuffix(".png")
        found = read[stem.replace("/", "__") if form == "datumaro" else stem]
        expected = np.where(labels < len(classes), labels.astype(int), -1)
        if (expected == -1).all():
            assert (found == -1).all()
        else:
            np.testing.assert_array_equal(found, expected)
