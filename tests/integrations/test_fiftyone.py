import sys

import numpy as np
import pytest

import densezero
from densezero.integrations.fiftyone import make_samples
from densezero.output.labels import read_labels
from tests.integrations.readers import run_with_readers
from tests.jobs.photos import settings, write_scenes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from densezero.jobs.segment import segment_images

    place = tmp_path_factory.mktemp("fiftyone")
    inputs = write_scenes(place / "in", ["a.png", "sub/b c.png"], hw=(24, 32))
    segment_images(settings(inputs, place / "out", save=("labels", "grey-from-1")))
    return place / "out"


def test_fiftyone_reads_the_masks_and_their_names(folder, tmp_path):
    code = f"""
import numpy as np
import densezero
from densezero.integrations.fiftyone import make_samples, mask_targets
results = densezero.load_results({str(folder)!r})
samples = make_samples(results)
np.savez({str(tmp_path / "masks.npz")!r}, *[sample["densezero"].get_mask() for sample in samples])
print([sample.filepath for sample in samples])
print(mask_targets(results, "mine"))
"""
    paths, targets = run_with_readers(code, "fiftyone").splitlines()[-2:]
    inputs = folder.parent / "in"
    assert paths == str([str(inputs / "a.png"), str(inputs / "sub" / "b c.png")])
    assert targets == "{'mine': {1: 'sky', 2: 'grass', 3: 'sea', 4: 'house'}}"
    with np.load(tmp_path / "masks.npz") as masks:
        for place, name in enumerate(("a", "sub/b c")):
            expected = read_labels(folder / "labels" / f"{name}.png").astype(int) + 1
            assert np.array_equal(masks[f"arr_{place}"], expected)


def test_a_format_that_was_not_saved_is_named(folder):
    results = densezero.load_results(folder)
    assert results.file("a.png", "grey-from-1") == folder / "grey-from-1" / "a.png"
    assert results.source("sub/b c.png") == folder.parent / "in" / "sub" / "b c.png"
    with pytest.raises(densezero.DenseZeroError, match=r"the confidence of a\.png in .*--save confidence"):
        results.file("a.png", "confidence")
    with pytest.raises(densezero.DenseZeroError, match=r"got 'c\.png'"):
        results.source("c.png")


def test_without_fiftyone_the_message_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(densezero.DenseZeroError, match="pip install fiftyone"):
        make_samples(densezero.load_results(folder))
