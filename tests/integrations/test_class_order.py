"""Every packaged class list against the METAINFO of mmsegmentation's data set."""

import pytest

from densezero.vocabulary import load_packaged

SPELLED = {  # as mmsegmentation spells it: as we prompt it
    "bed ": "bed",
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
}
DATASETS = {
    "ade20k": "ADE20KDataset",
    "voc21": "PascalVOCDataset",
    "pascal-context59": "PascalContextDataset59",
    "pascal-context60": "PascalContextDataset",
    "cityscapes": "CityscapesDataset",
    "coco-stuff": "COCOStuffDataset",
}
SIZES = {"ade20k": 150, "voc21": 21, "pascal-context59": 59, "pascal-context60": 60, "cityscapes": 19}
SIZES |= {"coco-stuff": 171, "voc20": 20, "coco-object": 81}


def metainfo(name):
    import mmseg.datasets

    info = getattr(mmseg.datasets, name).METAINFO
    return [SPELLED.get(spelled, spelled) for spelled in info["classes"]], [list(colour) for colour in info["palette"]]


@pytest.mark.parametrize("name", DATASETS)
def test_a_list_has_the_order_and_the_colours_of_the_data_set(mmseg, name):
    names, colours = metainfo(DATASETS[name])
    classes = load_packaged(name)
    assert list(classes.names) == names
    assert classes.colours.tolist() == colours
    assert len(names) == SIZES[name]


def test_voc20_is_voc21_without_background(mmseg):
    names, colours = metainfo("PascalVOCDataset")
    ours = mmseg.VOC20Dataset.METAINFO
    assert (list(ours["classes"]), ours["palette"]) == (names[1:], colours[1:])
    assert len(names) - 1 == SIZES["voc20"]


def test_coco_object_is_background_and_the_things_of_coco_stuff(mmseg):
    names, colours = metainfo("COCOStuffDataset")
    ours = mmseg.COCOObjectDataset.METAINFO
    assert list(ours["classes"]) == ["background", *names[:80]]
    assert ours["palette"] == [[0, 0, 0], *colours[:80]]
    assert len(ours["classes"]) == SIZES["coco-object"]
