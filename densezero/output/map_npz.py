"""Maps of an image, such as its depth, as a NumPy archive."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_map_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode arrays by name as ``.npz``. They are not compressed, because such numbers hardly shrink.

    Returns:
        The bytes of the file. Reading needs no pickle.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the names are those of arrays
    return buffer.getvalue()
