"""Protocols: frozen values that hold every choice between an image and its label map."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
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
        threshold: a pixel becomes background if its best class has a lower probability: softmax(cosine / temperature),
            or softmax(scale x cosine) in a protocol with a scale. 0 turns it off.

    Raises:
        ProtocolError: if the threshold is not a probability, or a word is empty.
    """

    words: tuple[str, ...] = ()
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ProtocolError(f"Expected a background threshold of 0 (off) or more, below 1; got {self.threshold}.")
        if not isinstance(self.words, tuple) or not all(isinstance(word, str) and word.strip() for word in self.words):
            raise ProtocolError(f"Expected background words as a tuple of non-empty text; got {self.words!r}.")

    @property
    def is_on(self) -> bool:
        """Whether a class called background is needed."""
        return bool(self.words) or self.threshold > 0


@dataclass(frozen=True)
class Protocol:
    """Every choice between an image and its label map, apart from the encoder and the words.

    A class with synonyms takes the best of them: of their cosines at each patch, or with a ``scale`` of their
    probabilities at each pixel.

    Args:
        name: name of the preset, or your own.
        short_side_px: short side of the model input, pixels.
        long_side_cap_px: longest long side, pixels. A longer input is made smaller, short side included.
        rounding: how a fraction of a pixel is rounded, ``"down"`` or ``"nearest"``.
        window_px: side of a window, pixels. None encodes the whole input at once; then cosines without a ``scale`` are
            resized from the patch grid straight to the image.
        stride_px: step from window to window, pixels.
        readout: read-out of the encoder's last block.
        window_scores: what is averaged over overlapping windows: ``"cosine"``, or ``"softmax"`` over the classes with
            temperature 1.
        scale: None takes the argmax of the averaged scores. A number takes softmax(scale x cosine) over all words
            first.
        templates: name of the prompt templates.
        background: what happens to pixels that no class describes.
        min_area_share: classes with at most this share of the foreground's area are dropped, 0 (off) to 1.

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
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise ProtocolError(f"Expected a finite scale above 0, or None; got {self.scale}.")
        if self.scale is not None and self.window_scores != "cosine":
            raise ProtocolError("A scale is applied to averaged cosines. Set window_scores to 'cosine'.")
        if not 0 <= self.min_area_share < 1:
            raise ProtocolError(f"Expected min_area_share of 0 or more, below 1; got {self.min_area_share}.")

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
            background["words"] = tuple(background["words"])
            return cls(**{**values, "background": Background(**background)})
        except (TypeError, KeyError, ValueError) as error:
            raise ProtocolError(f"Expected the fields of a protocol; got {values!r} ({error}).") from None


def _check_sides(protocol: Protocol) -> None:
    for name in ("short_side_px", "long_side_cap_px", "stride_px", "window_px"):
        side = getattr(protocol, name)
        if (side is not None or name != "window_px") and (not isinstance(side, int) or side < 1):
            raise ProtocolError(f"Expected {name} as a whole number of pixels, at least 1; got {side!r}.")
    if protocol.window_px is not None and protocol.stride_px > protocol.window_px:
        raise ProtocolError(
            f"Expected a stride of at most the window's side {protocol.window_px}, so that every pixel is covered; got "
            f"{protocol.stride_px}."
        )
