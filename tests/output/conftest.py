import cv2
import numpy as np
import pytest

from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry


@pytest.fixture
def classes_of():
    """A class list of the given names, each with a colour of its own."""

    def make(names):
        colours = np.random.default_rng(5).permutation(256 * 256)[: len(names)].tolist()
        entries = (
            ClassEntry(name, colour=(colour % 256, colour // 256, 90))
            for name, colour in zip(names, colours, strict=True)
        )
        return ClassList("test", tuple(entries))

    return make


@pytest.fixture
def random_classes(classes_of):
    """A class list of so many classes."""
    return lambda count: classes_of([f"class number {index}" for index in range(count)])


@pytest.fixture
def blob_labels():
    """Labels of smooth regions, the argmax of enlarged noise."""

    def make(hw, n_classes, seed=0):
        noise = np.random.default_rng(seed).normal(size=(n_classes, 6, 6)).astype(np.float32)
        planes = [cv2.resize(plane, hw[::-1], interpolation=cv2.INTER_CUBIC) for plane in noise]
        return np.argmax(planes, axis=0).astype(np.uint8)

    return make
