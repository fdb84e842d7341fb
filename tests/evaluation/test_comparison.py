import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from densezero.cli.main import app
from densezero.errors import InputError, OutputError
from densezero.evaluation.bootstrap import Interval, draw_miou, interval
from densezero.evaluation.comparison import compare_files, describe_comparison
from densezero.evaluation.image_sums import ClassSums, ImageSums, read_sums, refuse_foreign_sums, sums_file
from densezero.evaluation.report import read_report, score_counts, score_image
from densezero.metrics import iou_scores
from tests.evaluation.reports import make_report


def draw_counts(images=40, classes=6, quality=0.7, seed=0):
    """(N, C, C) counts; each image has some of the classes, and the truth is the same for every quality."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 400, (images, classes)) * (generator.random((images, classes)) < 0.6)
    counts = np.zeros((images, classes, classes), np.int64)
    wrong = np.random.default_rng(seed + 1)
    for image in range(images):
        for label in range(classes):
            hits = int(truth[image, label] * np.clip(quality + wrong.normal(0, 0.05), 0, 1))
            counts[image, label, label] += hits
            counts[image, label, wrong.integers(classes)] += truth[image, label] - hits
    return counts


def sums_of(counts, names=None):
    names = names or [f"image{index}" for index in range(len(counts))]
    return ImageSums.of(
        [(name, ClassSums.of(matrix)) for name, matrix in zip(names, counts, strict=True)], counts.shape[1]
    )


def write_pair(folder, name, counts, **changes):
    """A report and its counts, as ``evaluate`` writes them."""
    folder.mkdir(exist_ok=True)
    names = [f"class{index}" for index in range(counts.shape[1])]
    scores, per_class = score_counts(counts.sum(0), names)
    images = [score_image(f"image{index}", matrix) for index, matrix in enumerate(counts)]
    report = make_report(
        scores=scores, per_class=per_class, confusion=counts.sum(0).tolist(), per_image=images, images=len(counts),
        request={"model": name, "split": "val"}, **changes,
    )  # fmt: skip
    file = folder / f"{name}.json"
    file.write_bytes(report.to_bytes())
    sums_file(file).write_bytes(sums_of(counts).to_bytes())
    return file


def test_the_sums_of_two_images_worked_out_by_hand():
    counts = np.array([[[2, 1], [0, 0]], [[0, 0], [3, 4]]])
    sums = sums_of(counts)
    assert sums.hits.tolist() == [[2, 0], [0, 4]]
    assert sums.truth.tolist() == [[3, 0], [0, 7]]
    assert sums.predicted.tolist() == [[2, 1], [3, 4]]
    drawn = draw_miou(sums, draws=200)
    both, first, second = 100 * (2 / 6 + 4 / 8) / 2, 100 * (2 / 3 + 0) / 2, 100 * (0 + 4 / 7) / 2
    assert {round(value, 9) for value in drawn} == {round(value, 9) for value in (both, first, second)}


def test_the_sums_come_back_from_their_file():
    sums = sums_of(draw_counts(), [f"bild {index} ü" for index in range(40)])
    back = ImageSums.from_bytes(sums.to_bytes())
    assert back.names == sums.names
    for part in ("hits", "truth", "predicted"):
        np.testing.assert_array_equal(getattr(back, part), getattr(sums, part))
    assert sums.to_bytes() == back.to_bytes()


def test_the_bootstrap_equals_a_slow_plain_one():
    counts = draw_counts(images=17)
    generator = np.random.default_rng(3)
    slow = []
    for start in range(0, 120, 50):  # the batches of the fast one
        for chosen in generator.integers(17, size=(min(50, 120 - start), 17)):
            total = np.zeros(counts.shape[1:], np.int64)
            for image in chosen:
                total += counts[image]
            slow.append(iou_scores(total).miou)
    np.testing.assert_allclose(draw_miou(sums_of(counts), 120, 3), slow, rtol=0, atol=1e-10)


def test_an_interval_leaves_the_same_share_on_both_sides():
    assert interval(np.arange(1001.0)) == Interval(25, 975)
    assert interval(np.array([np.nan, 2.0, 2.0])) == Interval(2, 2)
    with pytest.raises(ValueError, match="no pixel"):
        interval(np.array([np.nan]))


def test_equal_reports_differ_by_zero_and_the_interval_holds_it(tmp_path):
    first, second = write_pair(tmp_path, "a", draw_counts()), write_pair(tmp_path, "b", draw_counts())
    compared = compare_files(first, second)
    assert (compared.miou.difference, compared.interval) == (0, Interval(0, 0))
    assert not compared.is_told_apart
    assert "holds 0: the two cannot be told apart" in "\n".join(describe_comparison(compared))


def test_a_worse_model_is_told_apart_and_its_classes_and_images_are_named(tmp_path):
    good, bad = draw_counts(quality=0.8), draw_counts(quality=0.7)
    compared = compare_files(write_pair(tmp_path, "good", good), write_pair(tmp_path, "bad", bad))
    difference = iou_scores(bad.sum(0)).miou - iou_scores(good.sum(0)).miou
    assert compared.miou.difference == pytest.approx(difference, abs=1e-9)
    assert compared.interval.low < difference < compared.interval.high < 0
    assert compared.is_told_apart
    text = "\n".join(describe_comparison(compared, count=3))
    assert "the first one is better" in text
    assert "model (first good, second bad)" in text
    assert text.count("image") >= 3
    differences = [abs(change.difference) for change in compared.per_image]
    assert differences == sorted(differences, reverse=True)


def test_models_of_equal_quality_are_not_told_apart(tmp_path):
    first = draw_counts(quality=0.7)
    second = first.copy()
    second[::2] = draw_counts(quality=0.72)[::2]
    second[1::2] = draw_counts(quality=0.68)[1::2]
    compared = compare_files(write_pair(tmp_path, "a", first), write_pair(tmp_path, "b", second))
    assert compared.interval.low < 0 < compared.interval.high


def test_a_report_without_its_counts_says_what_is_missing(tmp_path):
    file = write_pair(tmp_path, "a", draw_counts())
    sums_file(file).unlink()
    with pytest.raises(InputError, match=r"a\.counts\.npz; that file is missing.*valuate again"):
        compare_files(file, file)


@pytest.mark.parametrize("content", [b"", b"not counts", b"PK\x05\x06" + bytes(18)])
def test_damaged_counts_are_refused_and_never_written_over(tmp_path, content):
    file = write_pair(tmp_path, "a", draw_counts())
    refuse_foreign_sums(file)
    sums_file(file).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        read_sums(read_report(file), file)
    with pytest.raises(OutputError, match="did not write"):
        refuse_foreign_sums(file)


def test_counts_with_any_byte_damaged_are_read_whole_or_refused():
    whole = sums_of(draw_counts())
    content = whole.to_bytes()
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        for kept in (bytes(damaged), content[:place]):
            try:
                back = ImageSums.from_bytes(kept)
            except ValueError:
                continue
            assert back.names == whole.names
            np.testing.assert_array_equal(back.hits, whole.hits)


def test_counts_of_another_report_are_refused(tmp_path):
    file, other = write_pair(tmp_path, "a", draw_counts()), write_pair(tmp_path, "b", draw_counts(quality=0.5))
    sums_file(file).write_bytes(sums_file(other).read_bytes())
    with pytest.raises(InputError, match="another report"):
        compare_files(file, other)


def test_reports_of_other_images_labels_or_data_sets_are_refused(tmp_path):
    first = write_pair(tmp_path, "a", draw_counts())
    with pytest.raises(InputError, match="same images; got 40 and 30; 10 are in one alone: image30"):
        compare_files(first, write_pair(tmp_path, "b", draw_counts(images=30)))
    with pytest.raises(InputError, match="same labels"):
        compare_files(first, write_pair(tmp_path, "c", draw_counts(seed=5)))
    with pytest.raises(InputError, match="one data set"):
        compare_files(first, write_pair(tmp_path, "d", draw_counts(), dataset="voc21"))
    with pytest.raises(InputError, match="at least 1 draw"):
        compare_files(first, first, draws=0)


def test_a_class_in_one_report_alone_and_an_ignored_image_are_no_difference(tmp_path):
    first, second = draw_counts(), draw_counts()
    first[0], second[0] = 0, 0  # every pixel is ignored
    first[:, 5], first[:, :, 5], second[:, 5], second[:, :, 5] = 0, 0, 0, 0
    place = int(second[:, 0, 0].argmax())
    second[place, 0, 0] -= 1
    second[place, 0, 5] = 1  # predicted once, and true nowhere
    compared = compare_files(write_pair(tmp_path, "a", first), write_pair(tmp_path, "b", second))
    text = "\n".join(describe_comparison(compared))
    assert "scored in one report alone: class5" in text
    ignored = next(change for change in compared.per_image if change.name == "image0")
    assert (ignored.first, ignored.difference) == (None, 0)


def test_nothing_scored_is_said(tmp_path):
    counts = np.zeros((3, 4, 4), np.int64)
    with pytest.raises(InputError, match="No pixel"):
        compare_files(write_pair(tmp_path, "a", counts), write_pair(tmp_path, "b", counts))


def test_other_bytes_with_the_same_labels_are_noted(tmp_path):
    first = write_pair(tmp_path, "a", draw_counts(), files_sha256="1")
    second = write_pair(tmp_path, "b", draw_counts(), files_sha256="2")
    assert "other bytes" in compare_files(first, second).note


def test_the_command_prints_words_or_json_and_is_the_same_twice(tmp_path):
    first, second = write_pair(tmp_path, "a", draw_counts()), write_pair(tmp_path, "b", draw_counts(quality=0.6))
    words = ["compare", str(first), str(second)]
    once, twice = (CliRunner().invoke(app, words) for _ in range(2))
    assert once.exit_code == 0
    assert once.output == twice.output
    assert "95 % interval of the difference" in once.output
    values = json.loads(CliRunner().invoke(app, [*words, "--json", "--draws", "50", "--seed", "4"]).output)
    assert values["bootstrap"] == {"draws": 50, "seed": 4}
    assert values["miou"]["difference"] < values["interval"]["high"] < 0
    assert values["told_apart"] is True


def test_two_thousand_images_of_150_classes_stay_small():
    generator = np.random.default_rng(0)
    sums = []
    for _ in range(2):
        dense = np.zeros((3, 2000, 150), np.int64)
        for image in range(2000):
            labels = generator.choice(150, 12, replace=False)
            dense[1:, image, labels] = generator.integers(1000, 90000, (2, 12))
            dense[0, image, labels] = dense[1:, image, labels].min(0) // 2
        sums.append(ImageSums(tuple(f"ADE_val_{index:08}" for index in range(2000)), *dense))
    sums[1] = replace(sums[1], truth=sums[0].truth)
    assert len(sums[0].to_bytes()) < 500_000
    drawn = draw_miou(sums[1]) - draw_miou(sums[0])
    assert drawn.shape == (1000,)
    assert interval(drawn).low < drawn.mean() < interval(drawn).high
