"""Small pictures and settings for tests of runs."""

import numpy as np
from PIL import Image

from densezero.jobs.settings import SegmentSettings
from densezero.pretrain.scenes import draw_scene
from densezero.progress import Listener


def write_scenes(folder, names, hw=(48, 64)):
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_scene((9, index), hw).rgb).save(file)
    return folder


def settings(inputs, out, **changes):
    chosen = {
        "classes": "sky, grass, sea, house=home|cottage",
        "model": "nano",
        "templates": "plain",
        "short_side_px": 56,
        "dtype": "float32",
        "save": ("labels", "overlay"),
    }
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    return SegmentSettings(inputs=tuple(inputs), out=out, **{**chosen, **changes})


def read_labels(file):
    with Image.open(file) as image:
        return np.array(image)


class Recorder(Listener):
    """Remembers what it hears."""

    def __init__(self):
        self.notes, self.images, self.understandings, self.results = [], [], [], []

    def note(self, text):
        self.notes.append(text)

    def understood(self, text):
        self.understandings.append(text)

    def result(self, text):
        self.results.append(text)

    def image(self, progress, miou=None):
        self.images.append(progress)
