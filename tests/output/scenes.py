"""Label maps with what formats stumble over: holes, parts that touch in a corner, single pixels, absent classes."""

import numpy as np

from densezero.output.labels import ignore_value


def scene_labels(n_classes, hw=(37, 52)):
    """A ring around a hole of another class, a pixel in it, two squares that share a corner, ignored pixels.

    Of many classes, the last one is a single pixel and the one before it is absent.
    """
    ignore = ignore_value(n_classes)
    labels = np.zeros(hw, np.uint8 if ignore == 255 else np.uint16)
    top = n_classes - 1
    labels[5:25, 5:30] = min(1, top)  # a ring ...
    labels[10:20, 10:25] = 0  # ... around a hole
    labels[14, 16] = min(1, top)  # an island of one pixel in it
    labels[27:30, 2:5] = labels[30:33, 5:8] = min(2, top)  # two parts that share a corner
    labels[0, 40:] = ignore
    labels[33:, 45:] = ignore
    if n_classes > 10:
        values = (np.arange(8 * 12) * 7 % (n_classes - 3) + 1).astype(labels.dtype)
        labels[26:34, 32:44] = values.reshape(8, 12)
    labels[36, 0] = top  # one pixel
    return labels
