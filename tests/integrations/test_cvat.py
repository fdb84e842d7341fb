"""The auto-annotation function, called as ``cvat-cli`` calls it, without a server."""

import pytest

from tests.integrations.readers import run_with_readers

LIBRARIES = ("cvat_sdk", "cvat_cli")
BEGIN = """
import logging
import numpy as np
from types import SimpleNamespace as Context
from PIL import Image
from cvat_cli._internal.common import FunctionLoader
from cvat_cli._internal.parsers import parse_function_parameter
from cvat_sdk import models
from cvat_sdk.auto_annotation import BadFunctionError
from cvat_sdk.auto_annotation.driver import _AnnotationMapper
from cvat_sdk.masks import decode_mask
from densezero.integrations import cvat
from densezero.engine import Segmenter
import densezero

def load(*given, how=("densezero.integrations.cvat", None)):
    return FunctionLoader(*how, dict(map(parse_function_parameter, given))).load()

def of_task(*names, kind="mask"):
    return [models.Label(name=name, id=100 + place, type=kind, attributes=[], sublabels=[])
            for place, name in enumerate(names)]

plain = Context(frame_name="lake.jpg", conf_threshold=None, conv_mask_to_poly=False)
lake = Image.open("assets/scenes/lake.jpg").resize((160, 112))
"""


@pytest.fixture(scope="module")
def printed():
    """One process for all: loading the libraries takes seconds."""
    code = (
        BEGIN
        + """
function = load("classes=str:sky,sea,boat=sailing ship|yacht", "model=str:nano")
print("labels", [(label.id, label.name, label.type) for label in function.spec.labels])

segmenter = Segmenter(densezero.load_encoder("nano"), "sky, sea, boat=sailing ship|yacht")
expected = segmenter.segment(np.asarray(lake)).labels
shapes = function.detect(plain, lake)
decoded = {shape.label_id: decode_mask(shape.points, image_width=160, image_height=112) for shape in shapes}
print("classes", sorted(decoded) == np.unique(expected).tolist(), len(decoded) > 1)
print("equal", all(np.array_equal(mask, expected == index) for index, mask in decoded.items()))

mapper = _AnnotationMapper(logging.getLogger(), function.spec.labels, of_task("boat", "sea", "sky"),
                           allow_unmatched_labels=False, conv_mask_to_poly=False)
tags, mapped = mapper.validate_and_remap(shapes, 7)
print("mapped", tags, sorted({shape.label_id for shape in mapped} - {100, 101, 102}), {shape.frame for shape in mapped})

from pathlib import Path
by_file = load("vocabulary=str:voc21", "model=str:nano", how=(None, Path(cvat.__file__)))
print("voc", len(by_file.spec.labels), "background" in [label.name for label in by_file.spec.labels])

unsure = load("classes=str:sky,sea,boat", "model=str:nano", "unknown=float:0.9", "background=str:mountain,sun")
print("unsure", [label.name for label in unsure.spec.labels],
      {shape.label_id for shape in unsure.detect(plain, lake)} <= {label.id for label in unsure.spec.labels})

turned = lake.convert("L").convert("P")
exif = turned.getexif(); exif[274] = 6; turned.info["exif"] = exif.tobytes()
shape = function.detect(plain, turned)[0]
print("as it lies", decode_mask(shape.points, image_width=160, image_height=112).shape)

for given in ((), ("classes=str:sky", "vocabulary=str:ade20k")):
    try:
        load(*given)
    except densezero.DenseZeroError as error:
        print("refused", error)

from pycocotools.mask import decode, frPyObjects
rings = function.detect(Context(frame_name="a", conf_threshold=None, conv_mask_to_poly=True), lake)
drawn = np.full(expected.shape, 255, np.uint8)
for ring in rings:
    drawn[decode(frPyObjects([ring.points], *expected.shape))[..., 0] > 0] = ring.label_id
of_polygons = of_task("boat", "sea", "sky", kind="polygon")
as_polygons = _AnnotationMapper(logging.getLogger(), function.spec.labels, of_polygons,
                                allow_unmatched_labels=False, conv_mask_to_poly=True)
print("polygons", np.array_equal(drawn, expected), len(as_polygons.validate_and_remap(rings, 0)[1]) == len(rings))
"""
    )
    lines = run_with_readers(code, *LIBRARIES).splitlines()
    return [line.partition(" ") for line in lines]


def said(printed, name):
    return [rest for first, _, rest in printed if first == name]


def test_labels_are_the_classes(printed):
    assert said(printed, "labels") == ["[(0, 'sky', 'mask'), (1, 'sea', 'mask'), (2, 'boat', 'mask')]"]


def test_masks_come_back_pixel_by_pixel(printed):
    assert said(printed, "classes") == ["True True"]
    assert said(printed, "equal") == ["True"]


def test_cvat_accepts_the_shapes_and_finds_the_labels_of_the_task(printed):
    assert said(printed, "mapped") == ["[] [] {7}"]


def test_background_and_unknown_are_no_labels(printed):
    assert said(printed, "voc") == ["20 False"]
    assert said(printed, "unsure") == ["['sky', 'sea', 'boat'] True"]


def test_a_picture_is_not_turned_again(printed):
    assert said(printed, "as") == ["it lies (112, 160)"]


def test_what_cannot_be_done_is_refused(printed):
    assert [text.rpartition(" ")[2] for text in said(printed, "refused")] == ["neither.", "both."]


def test_polygons_are_the_masks(printed):
    assert said(printed, "polygons") == ["True True"]
