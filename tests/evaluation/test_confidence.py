import numpy as np
import pytest

from densezero.evaluation.confidence import ConfidenceCounts, confidence_map
from tests.engine.score_maps import one_row, oracle_scores, protocol_of, rule_of, windowed


def test_the_confidence_of_a_pixel_worked_out_by_hand():
    # Cosines 0.03 and 0 over the temperature 0.01: e^3 / (e^3 + 1) = 0.9526; equal cosines: 0.5.
    scores = one_row([[0.03, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(
        confidence_map(scores, (1, 2), rule_of(protocol_of(), [0, 1])), [[0.9526, 0.5]], atol=5e-5
    )
    # With a scale: softmax of 40 x 0.03 = 1.2: e^1.2 / (e^1.2 + 1) = 0.7685.
    scores = one_row([[0.03, 0.0], [0.0, 0.0]])
    scaled = confidence_map(scores, (1, 2), rule_of(protocol_of(scale=40.0), [0, 1]))
    np.testing.assert_allclose(scaled, [[0.7685, 0.5]], atol=5e-5)


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
def test_the_confidence_equals_that_of_a_dense_softmax(softmax):
    scores, hw = windowed(5, softmax=softmax, spread=0.02), (61, 70)
    values = oracle_scores(scores, hw)
    expected = ((values.log() if softmax else values) / 0.01).softmax(0).amax(0)
    made = confidence_map(scores, hw, rule_of(protocol_of(softmax), [0, 1, 2, 3, 4]))
    np.testing.assert_allclose(made, expected.numpy(), atol=2e-4)
    assert made.min() >= 0.2


def counts_of(*images, scale=None):
    counts = ConfidenceCounts(rule_of(protocol_of(scale=scale), [0, 1, 1]))
    for image in images:
        counts.add(np.array(image, np.float32))
    return counts


def test_shares_and_percentiles_worked_out_by_hand():
    counts = counts_of([[0.05, 0.1], [0.55, 0.9999]], [[1.0, 0.3]])
    assert counts.counts.sum() == 6
    shares = [round(counts.below(step) * 6) for step in (50, 100, 101, 300, 301, 1000)]
    assert shares == [0, 1, 2, 2, 3, 5]
    assert counts.percentile(50) == 0.301  # three of six lie below it
    assert (counts.percentile(1), counts.percentile(100)) == (0.051, 1.0)


def test_images_may_come_in_any_order():
    images = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    first, second = counts_of(*images), counts_of(*images[::-1])
    assert np.array_equal(first.counts, second.counts)
    expected = [float((images < step / 10).mean()) for step in range(1, 10)]
    np.testing.assert_allclose([first.below(100 * step) for step in range(1, 10)], expected, atol=1e-12)


def test_the_table_says_which_softmax_it_is_and_from_where_a_threshold_works():
    lines = counts_of([[0.25, 0.5, 0.75, 1.0]]).describe().splitlines()
    assert lines[0] == "confidence of 1 image, 4 pixels: highest softmax(cosine / 0.01) over 2 classes that have words"
    assert lines[1].split() == ["below", *(f"0.{digit}" for digit in range(1, 10))]
    assert lines[2].split()[1::2] == ["0.0", "0.0", "25.0", "25.0", "25.0", "50.0", "50.0", "75.0", "75.0"]
    assert lines[-1].endswith("at most 1 / 2 = 0.5 takes none")
    scaled = counts_of([[0.25]], scale=40.0).describe().splitlines()
    assert scaled[0].endswith("highest softmax(40 x cosine) over 3 words")


def test_a_run_without_images_says_so():
    assert "segmented no image" in counts_of().describe()
