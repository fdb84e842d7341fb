from tests.integrations.readers import run_with_readers

CODE = """
import warnings
warnings.simplefilter("error")
import numpy as np
import supervision as sv
from densezero.output.detections import to_detections
from densezero.vocabulary import parse_inline

classes = parse_inline("sky, sea, boat")
labels = np.zeros((5, 7), np.uint8)
labels[1:4, 1:4] = 2  # a ring of boat with a hole of sky
labels[2, 2] = 0
labels[4, 6] = 255  # no class
found = to_detections(labels, classes)
print(found.class_id.tolist(), found["class_name"].tolist(), found.area.tolist(), found.xyxy.tolist())
boat = found[found.class_id == 2]
print(boat["class_name"].tolist(), np.array_equal(boat.mask[0], labels == 2), boat.mask.dtype)
drawn = sv.MaskAnnotator(color_lookup=sv.ColorLookup.CLASS).annotate(np.zeros((5, 7, 3), np.uint8), found)
print(np.unique(drawn.reshape(-1, 3), axis=0).shape[0], drawn[4, 6].tolist())
print(len(to_detections(np.full((2, 2), 255, np.uint8), classes)))
"""


def test_supervision_gets_masks_boxes_and_names_and_warns_of_nothing():
    lines = run_with_readers(CODE, "supervision").splitlines()
    assert lines == [
        "[0, 2] ['sky', 'boat'] [26, 8] [[0.0, 0.0, 6.0, 4.0], [1.0, 1.0, 3.0, 3.0]]",
        "['boat'] True bool",
        "3 [0, 0, 0]",
        "0",
    ]
