import pytest

from densezero.errors import DenseZeroError
from densezero.integrations import mmseg as integration


@pytest.fixture(scope="session")
def mmseg():
    """The integration with its parts registered; the test is skipped where mmsegmentation cannot be imported."""
    try:
        integration.register()
    except DenseZeroError as error:
        pytest.skip(str(error))
    return integration
