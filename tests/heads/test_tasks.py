import pytest
import torch
import torch.nn.functional as F

from densezero.errors import ModelError
from densezero.heads.tasks import (
    DepthRange,
    depth_from_logits,
    label_map,
    resize_depth,
    resize_logits,
    resize_normals,
    unit_normals,
)


def random_logits(classes=7, hw=(9, 13), seed=0):
    return torch.randn(classes, *hw, generator=torch.Generator().manual_seed(seed))


def test_the_expected_depth_by_hand():
    logits = torch.tensor([-5.0, 3.0, 1.0]).reshape(1, 3, 1, 1)
    # Bins at 1, 2 and 3 m; weights relu(logit) + 1 = 1, 4, 2.
    assert depth_from_logits(logits, DepthRange(1.0, 3.0)).item() == pytest.approx((1 * 1 + 4 * 2 + 2 * 3) / 7)


def test_equal_logits_give_the_middle_of_the_range():
    assert depth_from_logits(torch.full((1, 256, 1, 1), -2.0), DepthRange()).item() == pytest.approx(5.0005)


def test_depth_is_resized_bilinearly_with_pixel_centres():
    resized = resize_depth(torch.tensor([[[1.0, 3.0]]]), (1, 4))
    torch.testing.assert_close(resized, torch.tensor([[[1.0, 1.5, 2.5, 3.0]]]))


def test_normals_have_length_one_before_and_after_the_resize():
    raw = torch.tensor([3.0, 4.0, 0.0]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(unit_normals(raw).flatten(), torch.tensor([0.6, 0.8, 0.0]))
    resized = resize_normals(unit_normals(random_logits(3)[None]), (40, 31))
    torch.testing.assert_close(resized.norm(dim=1), torch.ones(1, 40, 31))


def test_a_vector_without_length_stays_zero():
    assert torch.equal(unit_normals(torch.zeros(1, 3, 2, 2)), torch.zeros(1, 3, 2, 2))
    assert torch.equal(resize_normals(torch.zeros(1, 3, 2, 2), (3, 3)), torch.zeros(1, 3, 3, 3))


def test_labels_by_hand():
    logits = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[0.7, 0.7]]])
    # Along four columns class 0 has 1, 0.75, 0.25, 0, and class 1 the reverse; class 2 has 0.7 everywhere.
    assert label_map(logits, (1, 4)).tolist() == [[0, 0, 1, 1]]
    assert label_map(logits, (1, 6)).tolist() == [[0, 0, 2, 2, 1, 1]]
    assert label_map(logits, (2, 8)).tolist() == [[0, 0, 0, 2, 2, 1, 1, 1]] * 2


@pytest.mark.parametrize("hw", [(40, 61), (9, 13), (5, 6), (1, 1), (100, 3)])
def test_strips_equal_the_whole(hw):
    logits = random_logits()
    whole = label_map(logits, hw)
    one_row = hw[1] * logits.shape[0] * 4
    for strip_bytes in (1, one_row, 3 * one_row, 7 * one_row):
        assert torch.equal(label_map(logits, hw, strip_bytes), whole)


@pytest.mark.parametrize("hw", [(40, 61), (9, 13), (5, 6), (100, 3)])
def test_labels_are_the_highest_of_the_resized_logits(hw):
    logits = random_logits()
    resized = resize_logits(logits[None], hw)[0]
    best = resized.topk(2, dim=0).values
    certain = best[0] - best[1] > 1e-4
    assert certain.float().mean() > 0.97
    assert torch.equal(label_map(logits, hw)[certain].long(), resized.argmax(0)[certain])


def test_a_permutation_of_the_classes_permutes_the_labels():
    logits, order = random_logits(), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    assert torch.equal(order[label_map(logits[order], (30, 20)).long()], label_map(logits, (30, 20)).long())


def test_logits_are_resized_as_by_torch():
    logits = random_logits()[None]
    expected = F.interpolate(logits, size=(20, 17), mode="bilinear", align_corners=False)
    assert torch.equal(resize_logits(logits, (20, 17)), expected)


@pytest.mark.parametrize("depths", [(0.0, 1.0), (2.0, 2.0), (3.0, 1.0), (1.0, float("inf")), (float("nan"), 1.0)])
def test_impossible_depths_are_refused(depths):
    with pytest.raises(ModelError, match="0 < nearest < farthest"):
        DepthRange(*depths)
