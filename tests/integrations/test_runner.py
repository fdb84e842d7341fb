"""mmsegmentation's Runner and IoUMetric against our own reading, segmenting and counting of the same files."""

import numpy as np
import pytest

from densezero.images import read_rgb
from densezero.metrics import count_pairs, iou_scores
from tests.integrations.benchmarks import BENCHMARKS, SAMPLES, areas_of, open_bench, segmenter_of

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample pairs are not here")


@pytest.fixture
def areas(mmseg, monkeypatch):
    """The sums that IoUMetric makes its scores of, before it divides and rounds."""
    from mmseg.evaluation import IoUMetric

    caught = []
    original = IoUMetric.total_area_to_metrics

    def catch(*arguments):
        caught.append([area.numpy() for area in arguments[:4]])
        return original(*arguments)

    monkeypatch.setattr(IoUMetric, "total_area_to_metrics", staticmethod(catch))
    return caught


def run(config):
    from mmengine.runner import Runner

    runner = Runner.from_cfg(config)
    return runner, {name: float(score) for name, score in runner.test().items()}


def our_confusion(integration, bench, image_paths):
    segmenter = segmenter_of(integration, bench.config)
    confusion = np.zeros((bench.classes, bench.classes), np.int64)
    for path in image_paths:
        pair = bench.pair_of(path)
        labels = segmenter.segment(read_rgb(pair.image)).labels
        confusion += count_pairs(labels, bench.dataset.read_target(pair), bench.classes)
    return confusion


@pytest.mark.parametrize("name", BENCHMARKS)
def test_its_counts_and_scores_are_ours(mmseg, areas, tmp_path, name):
    bench = open_bench(name, tmp_path)
    runner, scores = run(bench.config)
    images = runner.test_dataloader.dataset
    paths = [images.get_data_info(index)["img_path"] for index in range(len(images))]
    assert len(paths) == 2
    confusion = our_confusion(mmseg, bench, paths)
    assert confusion.sum() > 10_000
    for theirs, ours in zip(areas[0], areas_of(confusion), strict=True):
        np.testing.assert_array_equal(theirs, ours)
    ours = iou_scores(confusion)
    expected = {"aAcc": ours.pixel_accuracy, "mIoU": ours.miou, "mAcc": ours.mean_accuracy}
    # Theirs are divided in float32 and rounded to two digits.
    assert scores == pytest.approx({key: round(score, 2) for key, score in expected.items()}, abs=1e-4)


def test_a_wrong_number_of_classes_stops_the_test(mmseg, tmp_path):
    from densezero.errors import VocabularyError

    bench = open_bench("voc20", tmp_path)
    bench.config.model.classes = "voc21"
    with pytest.raises(VocabularyError, match=r"as many classes as the data set has, 20; .* voc21 has 21"):
        run(bench.config)
