"""The settings of ``try``. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.engine.presets import DEFAULT_PROTOCOL
from densezero.errors import InputError, OutputError
from densezero.features.choices import FIGURE_SUFFIXES, is_figure

MOST_VARIANTS = 24  # more ways to segment an image nobody compares


@dataclass(frozen=True)
class TrySettings:
    """One request to try words.

    Args:
        image: the file.
        out: a ``.png``, ``.pdf`` or ``.svg``.
        classes: word lists inline.
        vocabularies: names of packaged class lists, or files.
        protocols: presets.
        refine: refinements; empty takes the protocol's.
        model: a name or a path.
        templates: prompt templates, a name or a file; None takes the protocol's.
        short_side_px: short side of the model input; None takes the protocol's.
        device: where to compute.
        dtype: numeric type of the vision tower.
        dpi: pixels per inch of the picture.
        overwrite: replace a file that densezero did not write.

    Raises:
        InputError: if there are no words, or more ways than a reader can compare.
        OutputError: if the output does not end like a figure.
    """

    image: Path
    out: Path
    classes: tuple[str, ...] = ()
    vocabularies: tuple[str, ...] = ()
    protocols: tuple[str, ...] = (DEFAULT_PROTOCOL,)
    refine: tuple[str, ...] = ()
    model: str = DEFAULT_MODEL
    templates: str | None = None
    short_side_px: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    dpi: int = 150
    overwrite: bool = False

    def __post_init__(self) -> None:
        lists = len(self.classes) + len(self.vocabularies)
        if not lists:
            raise InputError('Expected words to try: --classes "sky, grass" or --vocabulary NAME|FILE; got neither.')
        count = lists * len(self.protocols) * max(len(self.refine), 1)
        if count > MOST_VARIANTS:
            raise InputError(
                f"Expected at most {MOST_VARIANTS} ways to segment the image; {lists} lists, {len(self.protocols)} "
                f"protocols and {len(self.refine)} refinements make {count}. Give fewer of one of them."
            )
        if not is_figure(self.out):
            raise OutputError(f"Expected --out as a file ending in {', '.join(FIGURE_SUFFIXES)}; got {self.out}.")
