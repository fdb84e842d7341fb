"""Protocols: frozen values that say all that decides a label map, apart from the encoder and the words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from densezero.errors import ProtocolError

if TYPE_CHECKING:
    from densezero.images.geometry import Rounding


@dataclass(frozen=True)
class Background:
    """What becomes of pixels that no class describes. By default nothing: every pixel gets a class.

    Args:
        words: words that are prompted for a class called background.
        threshold: probability, of softmax(cosine / temperature), under which a pixel becomes background; 0 turns
            it off.

    Either of them adds a class called background as index 0, unless the class list has one of its own.

    Raises:
        ProtocolError: if the threshold is no probability, or a word is empty.
    """

    words: tuple[str, ...] = ()
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ProtocolError(f"Expected a background threshold of 0 (off) or more, below 1; got {self.threshold}.")
        if not isinstance(self.words, tuple) or not all(isinstance(word, str) and word.strip() for word in self.words):
            raise ProtocolError(f"Expected background words as a tuple of text that is not empty; got {self.words!r}.")

    @property
    def is_on(self) -> bool:
        """Whether a class called background is needed."""
        return bool(self.words) or self.threshold > 0


@dataclass(frozen=True)
class Protocol:
    """Everything between an image and its label map that is a choice.

    Args:
        name: of the preset, or your own.
        short_side_px: short side of the model input, pixels.
        long_side_cap_px: longest long side, pixels; where it binds, the short side becomes shorter.
        rounding: how a fraction of a pixel is rounded, ``"down"`` or ``"nearest"``.
        window_px: side of a window, pixels; None encodes the whole input at once, and without ``scale`` resizes the
            patch grid straight to the image (with it, to the input first, as the training-free papers do).
        stride_px: step from window to window, pixels.
        readout: read-out of the encoder's last block.
        window_scores: what overlapping windows average, ``"cosine"`` or ``"softmax"`` (over classes, temperature 1).
        scale: None takes the argmax of the averaged scores; a number takes softmax(scale x score) over all words first.
        templates: name of the prompt templates.
        background: what becomes of the rest.
        min_area_share: classes with a smaller share of the area that is not background are dropped, 0 to 1.

    Synonyms: a class takes the best of its words, of their cosines at each patch without ``scale``, of their
    probabilities at each pixel with it.

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
        _check_one_of("rounding", self.rounding, ("down", "nearest"))
        _check_one_of("window_scores", self.window_scores, ("cosine", "softmax"))
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise ProtocolError(f"Expected a finite scale above 0, or None; got {self.scale}.")
        if self.scale is not None and self.window_scores != "cosine":
            raise ProtocolError("A scale is applied to averaged cosines; set window_scores to 'cosine'.")
        if not 0 <= self.min_area_share < 1:
            raise ProtocolError(f"Expected min_area_share of 0 or more, below 1; got {self.min_area_share}.")

    def to_json(self) -> dict[str, Any]:
        """Plain values for a report; ``Protocol.from_json`` reads them back."""
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
    sides = {
        "short_side_px": protocol.short_side_px,
        "long_side_cap_px": protocol.long_side_cap_px,
        "stride_px": protocol.stride_px,
        "window_px": 1 if protocol.window_px is None else protocol.window_px,
    }
    for name, side in sides.items():
        if not isinstance(side, int) or side < 1:
            raise ProtocolError(f"Expected {name} as a whole number of pixels, at least 1; got {side!r}.")
    if protocol.window_px is not None and protocol.stride_px > protocol.window_px:
        raise ProtocolError(
            f"Expected a stride of at most the window's side {protocol.window_px}; got {protocol.stride_px}, "
            "which would leave pixels uncovered."
        )


def _check_one_of(field_name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ProtocolError(f"Expected {field_name} to be one of {', '.join(known)}; got {value!r}.")
