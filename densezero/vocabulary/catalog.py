"""The packaged class lists: a table of their names, and the function that loads them."""

from __future__ import annotations

from functools import cache
from importlib import resources

from densezero.errors import VocabularyError, did_you_mean
from densezero.vocabulary.classes import ClassList

CATALOG: dict[str, str] = {
    "ade20k": "ADE20K, the 150 classes of the scene parsing challenge",
    "voc20": "Pascal VOC 2012, 20 objects",
    "voc21": "Pascal VOC 2012, background and 20 objects",
    "pascal-context59": "Pascal Context, 59 classes",
    "pascal-context60": "Pascal Context, background and 59 classes",
    "cityscapes": "Cityscapes, the 19 classes of its evaluation",
    "coco-stuff": "COCO-Stuff, 80 things and 91 stuff",
    "coco-object": "COCO, background and 80 things",
    "ovss-ade20k": "ADE20K with the words of SCLIP",
    "ovss-voc20": "Pascal VOC 2012 without background, with the words of SCLIP",
    "ovss-voc21": "Pascal VOC 2012 with the words of SCLIP, background as a list of words",
    "ovss-context59": "Pascal Context without background, with the words of SCLIP",
    "ovss-context60": "Pascal Context with background, with the words of SCLIP",
    "ovss-cityscapes": "Cityscapes with the words of SCLIP",
    "ovss-coco-stuff": "COCO-Stuff with the words of SCLIP",
    "ovss-coco-object": "COCO objects with the words of SCLIP, background as a list of words",
    "proxyclip-voc20": "Pascal VOC 2012 without background, with the words of ProxyCLIP",
    "proxyclip-voc21": "Pascal VOC 2012 with the words of ProxyCLIP, background as a list of words",
    "proxyclip-coco-object": "COCO objects with the words of ProxyCLIP, background as a list of words",
    "clearclip-voc21": "Pascal VOC 2012 with the words of ClearCLIP, background as one word",
}
"""Name of each packaged list and its description. The data file is ``data/<name>.json``."""


@cache
def load_packaged(name: str) -> ClassList:
    """Load a packaged class list.

    Args:
        name: a key of ``CATALOG``.

    Returns:
        The list, with ``is_packaged`` set.

    Raises:
        VocabularyError: no packaged list has that name. The message names the most similar one.

    Example:
        >>> load_packaged("cityscapes").names[0]
        'road'
    """
    if name not in CATALOG:
        raise VocabularyError(f"There is no packaged vocabulary {name!r}. {did_you_mean(name, list(CATALOG))}")
    file = resources.files("densezero.vocabulary") / "data" / f"{name}.json"
    classes = ClassList.from_json(file.read_text(encoding="utf-8"))
    object.__setattr__(classes, "is_packaged", True)  # frozen, and not a parameter: nobody else can set it
    return classes
