"""The folder that ``segment --save mmseg`` writes, read by mmsegmentation."""

import runpy

import numpy as np

from tests.readers.test_read_back import drawn, write


def test_mmsegmentation_reads_our_label_maps(mmseg, tmp_path):
    from mmengine.registry import DefaultScope
    from mmseg.registry import DATASETS

    classes, maps = drawn(5)
    root = write(tmp_path, classes, maps, ["mmseg"]) / "mmseg"
    config = runpy.run_path(str(root / "dataset.py"))["dataset"]
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
    with DefaultScope.overwrite_default_scope("mmseg"):
        dataset = DATASETS.build({**config, "data_root": str(root), "pipeline": pipeline})
    assert dataset.metainfo["classes"] == list(classes.names)
    folder = root / "img_dir" / "train"
    found = {
        each["img_path"].removeprefix(f"{folder}/"): each["gt_seg_map"] for each in map(dataset.__getitem__, range(4))
    }
    assert {*found} == {*maps}
    for name, labels in maps.items():
        np.testing.assert_array_equal(found[name], labels)
