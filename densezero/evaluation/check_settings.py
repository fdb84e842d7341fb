"""The settings of a check of a class list. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.errors import VocabularyError


@dataclass(frozen=True)
class CheckSettings:
    """One request to check a class list.

    Args:
        vocabulary: a packaged list's name, or a file; or None.
        classes: class names inline, ``sky, grass, boat=sailing ship|yacht``; or None. One of the two is needed.
        model: a model's name, or a path.
        templates: prompt templates, a name or a file; None takes those of the default protocol.
        images: image files and folders on which the words are tried; none for a check of the words alone.
        limit: number of images at most, spread evenly over all.
        device: where to compute.
        dtype: numeric type of the vision tower.

    Raises:
        VocabularyError: if both or neither of classes and vocabulary are given.
    """

    vocabulary: str | None = None
    classes: str | None = None
    model: str = DEFAULT_MODEL
    templates: str | None = None
    images: tuple[Path, ...] = ()
    limit: int = 100
    device: str = "auto"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        if (self.classes is None) == (self.vocabulary is None):
            raise VocabularyError(
                "Expected either LIST, the name of a packaged list or a file, or --classes "
                f'"sky, grass, boat=sailing ship|yacht"; got {"neither" if self.classes is None else "both"}.'
            )
