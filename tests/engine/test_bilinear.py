import pytest
import torch
import torch.nn.functional as F
from scipy.interpolate import RegularGridInterpolator

from densezero.engine.bilinear import bilinear, find_neighbours

# Source rows and columns, target rows and columns.
RESIZES = [
    (4, 6, 9, 15),
    (9, 15, 4, 6),
    (1, 1, 7, 5),
    (1, 5, 5, 1),
    (13, 3, 448, 11),
    (448, 11, 13, 3),
    (1, 4, 5, 4),
    (5, 4, 1, 4),
    (8, 8, 8, 8),
    (32, 43, 700, 2),
    (448, 2, 1, 9),
]


def resized(source, hw):
    rows, columns = (find_neighbours(torch.arange(hw[axis]), source.shape[axis], hw[axis]) for axis in (0, 1))
    return bilinear(source, rows, columns)


def random_source(rows, columns, channels=3):
    return torch.randn(rows, columns, channels, generator=torch.Generator().manual_seed(rows + columns))


def test_two_rows_made_four_worked_out_by_hand():
    # Centres of the target rows lie at -0.25, 0.25, 0.75 and 1.25 of the source; the first is moved to 0.
    taps = find_neighbours(torch.arange(4), source_length=2, target_length=4)
    assert taps.source.tolist() == [[0, 1], [0, 1], [0, 1], [1, 1]]
    assert taps.weight.tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0.75, 0.25]]


def test_rows_resized_by_hand():
    assert resized(torch.tensor([[[10.0]], [[20.0]]]), (4, 1)).flatten().tolist() == [10, 12.5, 17.5, 20]


def test_four_rows_made_two_take_the_middle_pairs():
    # Centres at 0.5 and 2.5: no antialias, so each is the mean of two rows.
    assert resized(torch.tensor([0.0, 4, 10, 20])[:, None, None], (2, 1)).flatten().tolist() == [2, 15]


def test_the_middle_of_four_pixels_is_their_mean():
    middle = bilinear(torch.tensor([[[1.0], [2.0]], [[3.0], [10.0]]]), *[find_neighbours(torch.arange(1), 2, 1)] * 2)
    assert middle.flatten().tolist() == [4]


@pytest.mark.parametrize(("rows", "columns", "height", "width"), RESIZES)
def test_the_whole_equals_torch(rows, columns, height, width):
    source = random_source(rows, columns)
    planes = source.permute(2, 0, 1)[None]
    theirs = F.interpolate(planes, size=(height, width), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
    torch.testing.assert_close(resized(source, (height, width)), theirs, rtol=0, atol=2e-6)


def test_the_whole_equals_scipy():
    source, hw = random_source(7, 9), (20, 31)
    centres = [(torch.arange(n) + 0.5) * (m / n) - 0.5 for n, m in zip(hw, source.shape, strict=False)]
    places = [c.clamp(0, m - 1).double().numpy() for c, m in zip(centres, source.shape, strict=False)]
    grid = RegularGridInterpolator((range(7), range(9)), source.double().numpy())
    theirs = torch.from_numpy(grid(tuple(torch.meshgrid(*map(torch.from_numpy, places), indexing="ij"))))
    torch.testing.assert_close(resized(source, hw).double(), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("rows", "columns", "height", "width"), RESIZES)
def test_a_part_equals_the_same_part_of_the_whole(rows, columns, height, width):
    source, (down, across) = random_source(rows, columns), ((height // 3, height), (width // 4, max(width // 2, 1)))
    part = bilinear(
        source,
        find_neighbours(torch.arange(*down), rows, height),
        find_neighbours(torch.arange(*across), columns, width),
    )
    whole = resized(source, (height, width))[down[0] : down[1], across[0] : across[1]]
    assert torch.equal(part, whole)


@pytest.mark.parametrize(("rows", "height"), [(4, 4), (4, 9), (448, 13), (13, 448), (1, 5), (7, 3001)])
def test_weights_lie_between_0_and_1_and_rows_inside_the_source(rows, height):
    taps = find_neighbours(torch.arange(height), rows, height)
    assert float(taps.weight.min()) >= 0 and float(taps.weight.max()) <= 1
    torch.testing.assert_close(taps.weight.sum(1), torch.ones(height))
    assert int(taps.source.min()) >= 0 and int(taps.source.max()) <= rows - 1


@pytest.mark.parametrize("channels", [1, 7, 8, 9, 150, 301])
def test_equal_channels_stay_equal_to_the_last_bit(channels):
    # The first of two equal classes wins, wherever they stand in the list.
    source = random_source(6, 7, 1).expand(-1, -1, channels).contiguous()
    made = resized(source, (33, 41))
    assert torch.equal(made, made[..., :1].expand_as(made))
    probabilities = made.softmax(-1)
    assert torch.equal(probabilities, probabilities[..., :1].expand_as(probabilities))


def test_the_source_stays_as_it_was():
    source = random_source(4, 6)
    before = source.clone()
    resized(source, (9, 6))
    assert torch.equal(source, before)
