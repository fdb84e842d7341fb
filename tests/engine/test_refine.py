"""Refinement as pure functions: the reference's numbers, hand-worked cases, slow versions, laws."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve
from torch.utils._python_dispatch import TorchDispatchMode

from densezero.engine.protocol import Pamr
from densezero.engine.refine import grid_solve, pamr, pixel_adaptive
from densezero.engine.refine.grid import pool_step
from densezero.errors import InputError, ProtocolError
from tests.conftest import callers_torch_settings


def picture(hw, seed=0):
    """Blotches of colour with soft and hard edges, (3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, max(hw[0] // 6, 1), max(hw[1] // 6, 1), generator=generator)
    smooth = F.interpolate(coarse, hw, mode="bilinear", align_corners=False)[0]
    return (smooth + 0.3 * (smooth > 0.6)).clamp(0, 1)


def cosines(classes, hw, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 0.2 * torch.randn(classes, *hw, generator=generator)


def text(classes, seed=2):
    return F.normalize(torch.randn(classes, 12, generator=torch.Generator().manual_seed(seed)), dim=-1)


def halves(hw=(24, 40)):
    """Black and white halves."""
    image = torch.zeros(3, *hw)
    image[:, :, hw[1] // 2 :] = 1
    return image


@pytest.mark.parametrize("cells", [80, 24])
@pytest.mark.parametrize("name", ["refine_a", "refine_b"])
def test_the_grid_equals_the_reference(golden, name, cells):
    io = {key: torch.from_numpy(value) for key, value in golden(name).items()}
    made = grid_solve(io["image"], io["cosines"], io["text"], cells=cells)
    np.testing.assert_allclose(made.numpy(), io[f"grid_{cells}"].numpy(), rtol=0, atol=5e-5)


@pytest.mark.parametrize(
    ("array", "settings"), [("pamr_10_8_16", {}), ("pamr_1_1", {"iterations": 1, "dilations": (1,)})]
)
@pytest.mark.parametrize("name", ["refine_a", "refine_b"])
def test_pamr_equals_the_reference(golden, name, array, settings):
    io = {key: torch.from_numpy(value) for key, value in golden(name).items()}
    made = pamr(io["image"], io["cosines"], **settings)
    np.testing.assert_allclose(made.numpy(), io[array].numpy(), rtol=0, atol=1e-5)


def test_two_cells_of_one_class_are_solved_by_hand():
    # One class: probability 1, trust 1 x (1 + 1) = 2. A flat image: an edge of clip(1 x (1 + 1)) = 1. So
    # 3 a - b = 2 and 3 b - a = 0: a = 3/4, b = 1/4. One step of conjugate gradients is enough for this.
    scores, words = torch.tensor([[[1.0, 0.0]]]), torch.ones(1, 1)
    for iterations in (1, 25):
        flat = grid_solve(torch.full((3, 1, 2), 0.3), scores, words, iterations=iterations)
        torch.testing.assert_close(flat, torch.tensor([[[0.75, 0.25]]]))
    # Black beside white: the edge is 2 e^-5 = 0.013476, and a = (2 + w) / (2 + 2 w), b = w / (2 + 2 w).
    step = grid_solve(torch.tensor([0.0, 1.0]).expand(3, 1, 2), scores, words)
    torch.testing.assert_close(step, torch.tensor([[[0.993352, 0.006648]]]), rtol=0, atol=1e-5)


def test_cells_are_whole_pixels_and_the_rest_is_dropped():
    assert pool_step((448, 640), 80) == (6, 8)
    assert pool_step((200, 40), 80) == (2, 1)  # 2.5 is rounded to the even number
    # Cells of 2 x 2 of a 5 x 5 image: the last row and column change nothing.
    scores, image = cosines(3, (5, 5)), picture((5, 5))
    other = scores.clone()
    other[:, 4], other[:, :, 4] = 7, -7
    made, expected = (grid_solve(image, each, text(3), cells=2) for each in (other, scores))
    assert torch.equal(made, expected)


def exact_solution(image, scores, words):
    """Solve PEARL's equation on cells (C, rows, columns) by a sparse factorisation in float64, from plain loops."""
    z, rgb, words = (each.double().numpy() for each in (scores, image, words))
    classes, rows, columns = z.shape
    p = np.exp(z) / np.exp(z).sum(0)
    similar = np.exp(words @ words.T / 0.5)
    similar = similar / similar.sum(1, keepdims=True) + 10 * np.eye(classes)
    own = np.diag(similar / similar.sum(1, keepdims=True))
    grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    matrix, right = lil_matrix((rows * columns, rows * columns)), np.zeros((rows * columns, classes))
    for y in range(rows):
        for x in range(columns):
            agree = np.clip((own * p[:, y, x] ** 2).sum(), 0, 1)
            trust = max(p[:, y, x].max(), 0.05) ** 2 * (1 + agree)
            matrix[y * columns + x, y * columns + x] += trust
            right[y * columns + x] = trust * z[:, y, x]
    for down, across in ((0, 1), (1, 0)):
        pairs = [((y, x), (y + down, x + across)) for y in range(rows - down) for x in range(columns - across)]
        mean = np.mean([abs(grey[a] - grey[b]) for a, b in pairs])
        for a, b in pairs:
            alike = np.clip((p[:, *a] * own * p[:, *b]).sum(), 0, 1)
            weight = np.clip(np.exp(-5 * abs(grey[a] - grey[b]) / (mean + 1e-6)) * (1 + alike), 0, 1)
            i, j = a[0] * columns + a[1], b[0] * columns + b[1]
            matrix[i, i] += weight
            matrix[j, j] += weight
            matrix[i, j] -= weight
            matrix[j, i] -= weight
    return spsolve(matrix.tocsr(), right).T.reshape(classes, rows, columns)


@pytest.mark.parametrize(("classes", "hw"), [(2, (9, 13)), (7, (20, 15)), (40, (12, 30))])
def test_many_steps_of_the_grid_approach_the_exact_solution(classes, hw):
    image, scores, words = picture(hw), cosines(classes, hw), text(classes)
    expected = exact_solution(image, scores, words)
    many = grid_solve(image, scores, words, iterations=600).numpy()
    np.testing.assert_allclose(many, expected, rtol=0, atol=1e-4)
    few = np.abs(grid_solve(image, scores, words).numpy() - expected).max()
    assert few < 0.5 * np.abs(scores.numpy() - expected).max()
    assert (few > 0.01) == (classes > 2), "with many classes 25 steps are only on the way"


def slow_pamr(image, scores, iterations, dilations):
    """PAMR in float64, a pixel at a time."""
    image, values = image.double().numpy(), scores.double().numpy()
    height, width = image.shape[1:]

    def near(y, x, with_centre):
        for d in dilations:
            for down in (-d, 0, d):
                for right in (-d, 0, d):
                    if with_centre or down or right:
                        yield min(max(y + down, 0), height - 1), min(max(x + right, 0), width - 1)

    weights = {}
    for y in range(height):
        for x in range(width):
            samples = np.array([image[:, *place] for place in near(y, x, True)])  # (9 x dilations, 3)
            deviation = samples.std(0, ddof=1)
            others = np.array([image[:, *place] for place in near(y, x, False)])
            affinity = -(np.abs(others - image[:, y, x]) / (1e-8 + 0.1 * deviation)).mean(1)
            weights[y, x] = np.exp(affinity - affinity.max()) / np.exp(affinity - affinity.max()).sum()
    for _ in range(iterations):
        before = values.copy()
        for (y, x), weight in weights.items():
            values[:, y, x] = sum(w * before[:, *place] for w, place in zip(weight, near(y, x, False), strict=True))
    return values


@pytest.mark.parametrize(
    ("hw", "iterations", "dilations"),
    [((11, 14), 3, (1, 2)), ((6, 5), 4, (3,)), ((1, 9), 2, (1, 4)), ((7, 7), 2, (8, 16))],
)
def test_pamr_equals_plain_loops(hw, iterations, dilations):
    image, scores = picture(hw), cosines(3, hw)
    expected = slow_pamr(image, scores, iterations, dilations)
    np.testing.assert_allclose(pamr(image, scores, iterations, dilations).numpy(), expected, rtol=0, atol=1e-5)


def test_pamr_of_three_pixels_by_hand():
    # A flat image: eight equal weights. In the middle 2 of 8 neighbours, above and below, repeat the pixel's own 1; at
    # the ends 3 of 8 are the middle.
    made = pamr(torch.full((3, 1, 3), 0.4), torch.tensor([[[0.0, 1.0, 0.0]]]), 1, (1,))
    torch.testing.assert_close(made, torch.tensor([[[0.375, 0.25, 0.375]]]))
    # Black beside white: the deviation is 0.5, so 3 of 8 neighbours weigh e^-20, and the other 5 are the pixel itself.
    step = pamr(torch.tensor([0.0, 1.0]).expand(3, 1, 2), torch.tensor([[[1.0, 0.0]]]), 1, (1,))
    torch.testing.assert_close(step, torch.tensor([[[1.0, 0.0]]]), rtol=0, atol=1e-8)
    assert 0 < float(step[0, 0, 1]) < 1.3e-9  # 3 e^-20 / (5 + 3 e^-20) = 1.24e-9


def refined(method, image, scores, words=None):
    return (
        pamr(image, scores)
        if method == "pamr"
        else grid_solve(image, scores, text(len(scores)) if words is None else words)
    )


each_method = pytest.mark.parametrize("method", ["grid", "pamr"])


@each_method
def test_flat_scores_stay_as_they_are(method):
    flat = torch.tensor([0.3, -0.1, 0.05])[:, None, None].expand(3, 30, 50)
    for image in (torch.full((3, 30, 50), 0.7), picture((30, 50))):
        torch.testing.assert_close(refined(method, image, flat), flat, rtol=0, atol=1e-6)


@each_method
def test_a_flat_image_smooths_and_a_step_edge_stops_it(method):
    hw = (24, 40)
    scores = cosines(2, hw)
    scores[0, :, : hw[1] // 2] += 1
    scores[1, :, hw[1] // 2 :] += 1

    def step_and_noise(image):
        made = refined(method, image, scores)[0]
        left, right = made[:, : hw[1] // 2], made[:, hw[1] // 2 :]
        return float(left[:, -1].mean() - right[:, 0].mean()), float(left[:, :10].std())

    before = step_and_noise_of(scores[0], hw)
    flat, edge = step_and_noise(torch.full((3, *hw), 0.5)), step_and_noise(halves(hw))
    assert edge[0] > 0.9 > 0.6 > flat[0], "the step of the scores stays where the image has one"
    assert max(edge[1], flat[1]) < 0.7 * before[1], "both smooth within a half"


def step_and_noise_of(plane, hw):
    middle = hw[1] // 2
    return float(plane[:, middle - 1].mean() - plane[:, middle].mean()), float(plane[:, :10].std())


@each_method
def test_a_permutation_of_the_classes_permutes_the_result(method):
    order = torch.randperm(40, generator=torch.Generator().manual_seed(4))
    image, scores, words = picture((60, 70)), cosines(40, (60, 70)), text(40)
    straight, permuted = refined(method, image, scores, words), refined(method, image, scores[order], words[order])
    torch.testing.assert_close(permuted, straight[order], rtol=0, atol=5e-5)


def test_pamr_keeps_the_sum_of_the_classes_and_the_range_of_each():
    scores = cosines(5, (40, 50)).softmax(0)
    made = pamr(picture((40, 50)), scores)
    torch.testing.assert_close(made.sum(0), torch.ones(40, 50))
    assert (made.amax((1, 2)) <= scores.amax((1, 2)) + 1e-6).all()
    assert (made.amin((1, 2)) >= scores.amin((1, 2)) - 1e-6).all()


@pytest.mark.parametrize("most_px", [1, 50 * 23, 90 * 23])
def test_strips_and_groups_of_classes_equal_the_whole(monkeypatch, most_px):
    image, scores, settings = picture((150, 23)), cosines(7, (150, 23)), {"iterations": 4, "dilations": (1, 3)}
    whole = pamr(image, scores, **settings)
    monkeypatch.setattr(pixel_adaptive, "STRIP_PX", most_px)
    monkeypatch.setattr(pixel_adaptive, "CLASSES_AT_ONCE", 3)
    torch.testing.assert_close(pamr(image, scores, **settings), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("most_px", [1, 90 * 23])
def test_pamr_in_place_gives_the_same_where_the_scores_lie(monkeypatch, most_px):
    image, scores, settings = picture((150, 23)), cosines(7, (150, 23)), Pamr(4, (1, 3))
    monkeypatch.setattr(pixel_adaptive, "CLASSES_AT_ONCE", 3)
    expected = pamr(image, scores, settings.iterations, settings.dilations)
    monkeypatch.setattr(pixel_adaptive, "STRIP_PX", most_px)
    pixels = scores.permute(1, 2, 0).contiguous()
    made = pixel_adaptive.pamr_in_place(image, pixels, settings)
    assert made.data_ptr() == pixels.data_ptr()
    torch.testing.assert_close(made.permute(2, 0, 1), expected, rtol=0, atol=1e-6)


class TensorSizes(TorchDispatchMode):
    """Notes the bytes of every tensor that is made."""

    def __init__(self):
        super().__init__()
        self.bytes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            if isinstance(each, torch.Tensor):
                self.bytes.append(each.untyped_storage().nbytes())
        return made


@pytest.mark.parametrize(("classes", "height"), [(70, 300), (140, 300), (70, 900)])
def test_the_memory_of_pamr_depends_neither_on_the_classes_nor_on_the_height(monkeypatch, classes, height):
    width = 40
    monkeypatch.setattr(pixel_adaptive, "STRIP_PX", 60 * width)
    image, scores = picture((height, width)), cosines(classes, (height, width))
    with TensorSizes() as sizes:
        pamr(image, scores, iterations=3, dilations=(1, 2))
    own = {image.nbytes, scores.nbytes}  # the arguments, and the result, which is as large as the scores
    working = [size for size in sizes.bytes if size not in own]
    assert len(working) > 100
    padded_strip = (60 + 2 * 2) * (width + 2 * 2)
    assert max(working) <= padded_strip * 4 * pixel_adaptive.CLASSES_AT_ONCE
    assert scores.nbytes > 5 * max(working)


@each_method
def test_the_arguments_are_left_as_they_were_and_any_memory_layout_will_do(method):
    image, scores, words = picture((37, 41)), cosines(33, (37, 41)), text(33)
    copies = image.clone(), scores.clone(), words.clone()
    expected = refined(method, image, scores, words)
    assert all(torch.equal(*pair) for pair in zip((image, scores, words), copies, strict=True))
    turned = scores.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    torch.testing.assert_close(refined(method, image, turned, words), expected, rtol=0, atol=2e-5)


@each_method
@pytest.mark.parametrize("hw", [(1, 1), (1, 200), (90, 1), (2, 3), (333, 17)])
@pytest.mark.parametrize("classes", [1, 2, 35])
def test_every_size_and_number_of_classes_gives_finite_scores(method, hw, classes):
    made = refined(method, picture(hw), cosines(classes, hw))
    assert made.shape == (classes, *hw)
    assert made.dtype == torch.float32
    assert bool(made.isfinite().all())


@each_method
def test_a_callers_torch_settings_change_nothing(method):
    image, scores, words = picture((50, 60)), cosines(4, (50, 60)), text(4)
    expected = refined(method, image, scores, words)
    with callers_torch_settings():
        made = refined(method, image, scores, words)
    assert torch.equal(made, expected)
    assert not made.requires_grad


@pytest.mark.parametrize(
    ("image", "scores"),
    [
        ((3, 8, 9), (2, 9, 8)),
        ((1, 8, 9), (2, 8, 9)),
        ((3, 8, 9), (8, 9)),
        ((3, 0, 9), (2, 0, 9)),
        ((3, 8, 9), (0, 8, 9)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(image, scores):
    for method in (pamr, lambda *given: grid_solve(*given, torch.ones(2, 4))):
        with pytest.raises(InputError, match=r"image \(3, H, W\) and scores \(C, H, W\) of one size"):
            method(torch.zeros(image), torch.zeros(scores))


def test_words_of_another_number_are_refused():
    with pytest.raises(InputError, match=r"a row for each of 2 scores; got \(3, 4\)"):
        grid_solve(torch.zeros(3, 5, 5), torch.zeros(2, 5, 5), torch.ones(3, 4))


def test_numbers_below_one_are_refused():
    image, scores = torch.zeros(3, 5, 5), torch.zeros(2, 5, 5)
    with pytest.raises(ProtocolError, match="cells as a whole number of at least 1; got 0"):
        grid_solve(image, scores, torch.ones(2, 4), cells=0)
    with pytest.raises(ProtocolError, match=r"iterations as a whole number of at least 1; got 2\.5"):
        pamr(image, scores, iterations=2.5)
    for dilations in ((), [8], (8, 0)):
        with pytest.raises(ProtocolError, match="dilation"):
            pamr(image, scores, dilations=dilations)
