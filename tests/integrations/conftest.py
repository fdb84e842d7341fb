import os

import pytest

from densezero.errors import DenseZeroError
from densezero.integrations import mmseg as integration


def skip_or_fail(reason):
    """Skip the test; fail it instead where DENSEZERO_REQUIRE_MMSEG is set, as in CI."""
    (pytest.fail if os.environ.get("DENSEZERO_REQUIRE_MMSEG") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def mmseg():
    """The integration with its parts registered; the test is skipped where mmsegmentation cannot be imported."""
    try:
        integration.register()
    except DenseZeroError as error:
        skip_or_fail(str(error))
    return integration
