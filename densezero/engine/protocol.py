"""Protocols: frozen values that hold every choice between an image and its label map."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from densezero.errors import ProtocolError

if TYPE_CHECKING:
    from densezero.images.geometry import Rounding


@dataclass(frozen=True)
class Background:
    """What happens to pixels that no class describes. By default every pixel gets a class of the list.

    Words or a threshold add a class called background as class 0, unless the class list has one of its own.

    Args:
        words: words that are prompted for the class called background.
        threshold: a pixel becomes background if its best class has a lower probability, which is softmax(cosine /
            temperature) over the classes, or softmax(scale x cosine) in a protocol with a scale. 0 turns it off.

    Raises:
        ProtocolError: if the threshold is not a probability, or a word is empty.
    """

    words: tuple[str, ...] = ()
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not _in_unit_interval(self.threshold):
            raise ProtocolError(f"Expected a background threshold of 0 (off) or more, below 1; got {self.threshold!r}.")
        if not isinstance(self.words, tuple) or not all(isinstance(word, str) and word.strip() for word in self.words):
            raise ProtocolError(f"Expected background words as a tuple of non-empty text; got {self.words!r}.")

    @property
    def is_on(self) -> bool:
        """Whether a class called background is needed."""
        return bool(self.words) or self.threshold > 0


@dataclass(frozen=True)
class Protocol:
    """Every choice between an image and its label map, apart from the encoder and the words.

    A class with synonyms gets the score of its best word. Without ``scale`` that is the highest cosine at each patch,
    with it the highest probability at each pixel.

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

    def __post_init__(self) -> None:
        _check_sides(self)
        for name, known in (("rounding", ("down", "nearest")), ("window_scores", ("cosine", "softmax"))):
            if getattr(self, name) not in known:
                raise ProtocolError(f"Expected {name} to be one of {', '.join(known)}; got {getattr(self, name)!r}.")
        if self.scale is not None and not (isinstance(self.scale, int | float) and 0 < self.scale < float("inf")):
            raise ProtocolError(f"Expected a finite scale above 0, or None; got {self.scale!r}.")
        if self.scale is not None and self.window_scores != "cosine":
            raise ProtocolError("A scale is applied to averaged cosines. Set window_scores to 'cosine'.")
        if not _in_unit_interval(self.min_area_share):
            raise ProtocolError(f"Expected min_area_share of 0 or more, below 1; got {self.min_area_share!r}.")

    @property
    def labels_patch_grid(self) -> bool:
        """Whether scores are resized once, from the patch grid to the image: whole images, plain cosines, no scale."""
        return self.window_px is None and self.scale is None and self.window_scores == "cosine"

    def to_json(self) -> dict[str, Any]:
        """Give plain values for a report. ``Protocol.from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Protocol:
        """Read what ``to_json`` wrote.

        Raises:
            ProtocolError: if a field is unknown or missing.
        """
        try:
            background = dict(values["background"])
            if set(values) != {known.name for known in fields(cls)} or not isinstance(
                background["words"], list | tuple
            ):
                raise TypeError("fields are missing or unknown")
            background["words"] = tuple(background["words"])
            return cls(**{**values, "background": Background(**background)})
        except (TypeError, KeyError, ValueError) as error:
            raise ProtocolError(f"Expected the fields of a protocol; got {values!r} ({error}).") from None


def _in_unit_interval(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1


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
