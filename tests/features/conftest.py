import pytest
import torch


@pytest.fixture
def random_grid():
    """Draw (gh, gw, D) features that vary most along the first channels, around a mean that is not 0."""

    def draw(rows=8, columns=9, width=6, seed=0):
        noise = torch.randn(rows, columns, width, generator=torch.Generator().manual_seed(seed))
        return noise * torch.arange(width, 0.0, -1) + 3

    return draw
