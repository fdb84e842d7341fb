"""Protocols: frozen values that hold every choice between an image and its label map."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from densezero.errors import ProtocolError
from densezero.examples.recipe import Recipe
from densezero.vocabulary.background import Background

if TYPE_CHECKING:
    from densezero.images.geometry import Rounding


@dataclass(frozen=True)
class Grid:
    """Refinement on a coarse grid, with the arguments of ``densezero.engine.refine.grid_solve``, at least 1 each."""

    method: ClassVar[str] = "grid"
    cells: int = 80
    iterations: int = 25

    def __post_init__(self) -> None:
        _check_counts(cells=self.cells, iterations=self.iterations)


@dataclass(frozen=True)
class Pamr:
    """Refinement by pixels of similar colour, with the arguments of ``densezero.engine.refine.pamr``, at least 1 each.

    Args:
        iterations: number of means.
        dilations: distances of the neighbours, pixels; one or more.
        image_size: whether it works at the size of the image, and not of the model input.
    """

    method: ClassVar[str] = "pamr"
    iterations: int = 10
    dilations: tuple[int, ...] = (8, 16)
    image_size: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.dilations, tuple) or not self.dilations:
            raise ProtocolError(f"Expected dilations as a tuple of at least one number; got {self.dilations!r}.")
        _check_counts(iterations=self.iterations, **{f"dilation {each}": each for each in self.dilations})


Refinement = Grid | Pamr | None


@dataclass(frozen=True)
class Protocol:
    """Every choice between an image and its label map, apart from the encoder and the words.

    A class with synonyms gets the score of its best word. With ``scale`` that is the highest probability at each pixel,
    without it the highest cosine at each patch, or the highest refined cosine.

    Args:
        name: name of the preset, or your own.
        short_side_px: short side of the model input, pixels.
        long_side_cap_px: limit for the long side, pixels. A longer input is made smaller, short side included.
        rounding: how a fraction of a pixel is rounded, ``"down"`` or ``"nearest"``.
        window_px: side of a window, pixels. None encodes the whole input at once.
        stride_px: step from window to window, pixels.
        readout: read-out of the encoder's last block.
        window_scores: what is averaged over windows: the cosines (``"cosine"``), or their softmax over the classes with
            temperature 1 (``"softmax"``).
        scale: None labels by the averaged scores. With a number, probabilities are softmax(scale x cosine) over all
            words.
        templates: name of the prompt templates.
        background: what happens to pixels that no class describes.
        min_area_share: classes that cover at most this share of the foreground, before the threshold, are dropped; 0
            (off) or more, below 1.
        refine: what makes the averaged cosines follow the edges of the image, ``Grid()`` or ``Pamr()``; None for
            nothing. The cosines of words are averaged over windows then, whatever ``window_scores`` is.

    Raises:
        ProtocolError: if a setting is out of range or contradicts another.
    """

    name: str
    short_side_px: int = 448
    long_side_cap_px: int = 4096
    rounding: Rounding = "down"
    window_px: int | None = 448
    stride_px: int = 336
    readout: str = "value"
    window_scores: str = "softmax"
    scale: float | None = None
    templates: str = "tcl9"
    background: Background = field(default_factory=Background)
    min_area_share: float = 0.0
    refine: Refinement = None

    def __post_init__(self) -> None:
        _check_sides(self)
        for name, known in (("rounding", ("down", "nearest")), ("window_scores", ("cosine", "softmax"))):
            if getattr(self, name) not in known:
                raise ProtocolError(f"Expected {name} to be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if self.scale is not None and not (isinstance(self.scale, int | float) and 0 < self.scale < float("inf")):
            raise ProtocolError(f"Expected a finite scale above 0, or None; got {self.scale!r}.")
        if self.scale is not None and self.window_scores != "cosine":
            raise ProtocolError("A scale is applied to averaged cosines. Set window_scores to 'cosine'.")
        if not isinstance(self.min_area_share, int | float) or not 0 <= self.min_area_share < 1:
            raise ProtocolError(f"Expected min_area_share of 0 or more, below 1; got {self.min_area_share!r}.")
        if not isinstance(self.refine, Grid | Pamr | None):
            raise ProtocolError(f"Expected refine to be Grid(...), Pamr(...) or None; got {self.refine!r}.")

    @property
    def labels_patch_grid(self) -> bool:
        """Whether scores are resized once, from the patch grid to the image: whole images, plain cosines, no scale."""
        return self.window_px is None and self.scale is None and self.refine is None and not self.averages_softmax

    @property
    def averages_softmax(self) -> bool:
        """Whether softmax values are averaged over windows, and not cosines."""
        return self.window_scores == "softmax" and self.refine is None

    @property
    def recipe(self) -> Recipe:
        """The part that decides the features of an image."""
        sizes = (self.short_side_px, self.long_side_cap_px, self.rounding)
        return Recipe(*sizes, self.window_px, self.stride_px, self.readout)

    def to_json(self) -> dict[str, Any]:
        """Give plain values for a report. ``Protocol.from_json`` reads them back.

        Without refinement there is no ``refine``, so results of versions that had none are recognised.
        """
        values = {**asdict(self), "background": self.background.to_json()}
        refine = values.pop("refine")
        return values if self.refine is None else {**values, "refine": {"method": self.refine.method, **refine}}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Protocol:
        """Read what ``to_json`` wrote.

        Raises:
            ProtocolError: if a field is unknown or missing.
        """
        try:
            values = {"refine": None, **values}
            if wrong := set(values) ^ {known.name for known in fields(cls)}:
                raise TypeError(f"missing or unknown: {', '.join(sorted(wrong))}")
            refine = None if values["refine"] is None else _read_refine(**values["refine"])
            return cls(**{**values, "background": Background.from_json(values["background"]), "refine": refine})
        except (TypeError, KeyError, ValueError) as error:
            raise ProtocolError(f"Expected the fields of a protocol; got {values!r} ({error}).") from None


def _read_refine(method: str, **settings: Any) -> Grid | Pamr:
    if method == Grid.method:
        return Grid(**settings)
    if method == Pamr.method:
        return Pamr(**{**settings, "dilations": tuple(settings["dilations"])})
    raise ValueError(f"unknown refinement {method!r}")


def _check_counts(**counts: object) -> None:
    for name, count in counts.items():
        if type(count) is not int or count < 1:
            raise ProtocolError(f"Expected {name} as a whole number of at least 1; got {count!r}.")


def _check_sides(protocol: Protocol) -> None:
    for name in ("short_side_px", "long_side_cap_px", "stride_px", "window_px"):
        side = getattr(protocol, name)
        if (side is not None or name != "window_px") and (type(side) is not int or side < 1):
            raise ProtocolError(f"Expected {name} as a whole number of pixels, at least 1; got {side!r}.")
    if protocol.window_px is not None and protocol.stride_px > protocol.window_px:
        raise ProtocolError(
            f"Expected a stride of at most the window's side {protocol.window_px}, so that every pixel is covered; got "
            f"{protocol.stride_px}."
        )
