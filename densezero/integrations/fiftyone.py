"""Results in FiftyOne: a sample for each image, with its mask as ``Segmentation``.

FiftyOne reads grey masks, and does not draw 0. So the run needs ``--save grey-from-1``: class index + 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezero.errors import InputError
from densezero.output.results import Results

if TYPE_CHECKING:
    import fiftyone as fo

FIELD = "densezero"
"""Name of the field that holds the masks."""


def make_samples(results: Results, field: str = FIELD) -> list[fo.Sample]:
    """Make a sample for each image of a run, for ``Dataset.add_samples``. Masks are read when FiftyOne shows them.

    Args:
        results: of ``densezero.load_results``; the run saved ``grey-from-1``.
        field: name of the field for the masks.

    Returns:
        Samples with the absolute paths of picture and mask, in the order of the run.

    Raises:
        InputError: if the run did not save ``grey-from-1``, or FiftyOne is not installed.
    """
    try:
        import fiftyone as fo
    except ImportError:
        raise InputError(
            "Samples of FiftyOne need the library fiftyone, which is not installed. Install it: pip install fiftyone"
        ) from None
    samples = []
    for image in results:
        mask = fo.Segmentation(mask_path=str(results.file(image, "grey-from-1").absolute()))
        samples.append(fo.Sample(filepath=str(results.source(image).absolute()), **{field: mask}))
    return samples


def mask_targets(results: Results, field: str = FIELD) -> dict[str, dict[int, str]]:
    """The names of the values in the masks, for ``Dataset.mask_targets``.

    Args:
        results: of ``densezero.load_results``.
        field: name of the field for the masks.

    Returns:
        The class name of each value, by the name of the field. Values count from 1; 0 means no class.
    """
    return {field: dict(enumerate(results.classes.names, 1))}
