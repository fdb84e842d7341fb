"""Pixels that no class describes: the class called background, its words, and the class called unknown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from densezero.errors import ProtocolError, VocabularyError
from densezero.vocabulary.classes import BACKGROUND, ClassList
from densezero.vocabulary.entries import ClassEntry, fold_word
from densezero.vocabulary.lexicon import refuse_stuff
from densezero.vocabulary.parse import parse_inline

if TYPE_CHECKING:
    from densezero.encoders.base import DenseEncoder

AUTO: Final = "auto"
AUTO_ANYWAY: Final = "auto-anyway"
"""In place of words: the model chooses them, the second time also for a list that this harms."""

UNKNOWN: Final = "unknown"
_BLACK, _GREY = (0, 0, 0), (128, 128, 128)


@dataclass(frozen=True)
class Background:
    """What happens to pixels that no class describes. By default every pixel gets a class of the list.

    Words or a threshold add a class called background as class 0, unless the class list has one of its own. ``unknown``
    adds a class called unknown as the last one. A probability is softmax(cosine / temperature) over the classes that
    have words, or softmax(scale x cosine) over the words in a protocol with a scale.

    Args:
        words: words that are prompted for the class called background; or ``"auto"``: the Segmenter chooses them. It
            refuses lists that name stuff such as sky and wall, except with ``"auto-anyway"``.
        threshold: a pixel becomes background if its best class has a lower probability. 0 turns it off.
        unknown: a pixel becomes unknown if its best class has a lower probability. 0 turns it off. It cannot be
            combined with a threshold.

    Raises:
        ProtocolError: if a threshold is not a probability, both are given, or a word is empty.
    """

    words: tuple[str, ...] | str = ()
    threshold: float = 0.0
    unknown: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("a background threshold", self.threshold), ("an unknown threshold", self.unknown)):
            if not isinstance(value, int | float) or not 0 <= value < 1:
                raise ProtocolError(f"Expected {name} of 0 (off) or more, below 1; got {value!r}.")
        if self.threshold and self.unknown:
            raise ProtocolError(
                f"Expected a background threshold or an unknown threshold; got both, {self.threshold:g} and "
                f"{self.unknown:g}. Each says what an uncertain pixel becomes. Set one of them to 0."
            )
        if self.words not in (AUTO, AUTO_ANYWAY) and (
            not isinstance(self.words, tuple) or not all(isinstance(word, str) and word.strip() for word in self.words)
        ):
            raise ProtocolError(
                f'Expected background words as a tuple of non-empty text, or "auto"; got {self.words!r}.'
            )

    @property
    def is_on(self) -> bool:
        """Whether a class called background is needed."""
        return bool(self.words) or self.threshold > 0

    @property
    def least_confidence(self) -> float:
        """The probability under which a pixel becomes background or unknown; 0 if that is off."""
        return self.threshold or self.unknown

    def changed(
        self, words: str | None = None, threshold: float | None = None, unknown: float | None = None
    ) -> Background:
        """Replace the settings that are given; None keeps one. Words are text for ``read_background_words``."""
        return Background(
            self.words if words is None else read_background_words(words),
            self.threshold if threshold is None else threshold,
            self.unknown if unknown is None else unknown,
        )

    def describe_choice(self, chosen: Background) -> str:
        """List the words that were chosen for ``"auto"``, in one line; empty if the words were given."""
        if self.words == chosen.words:
            return ""
        return f"background: {len(chosen.words)} words chosen: {', '.join(chosen.words)}"

    def to_json(self) -> dict[str, Any]:
        """Give plain values. Without ``unknown`` they are those of versions that had none."""
        values = asdict(self)
        return values if self.unknown else {name: value for name, value in values.items() if name != "unknown"}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Background:
        """Read what ``to_json`` gave; raise TypeError, KeyError or ProtocolError for anything else."""
        words = values["words"]
        if not isinstance(words, str | list | tuple):
            raise TypeError("expected words")
        return cls(**{**values, "words": words if isinstance(words, str) else tuple(words)})


def read_background_words(text: str) -> tuple[str, ...] | str:
    """Read background words as a user writes them: ``"wall, floor"``, or ``"auto"`` or ``"auto-anyway"``.

    Raises:
        VocabularyError: if there are no words, or one is given twice.

    Example:
        >>> read_background_words("wall, floor=tiles|carpet"), read_background_words("auto")
        (('wall', 'floor', 'tiles', 'carpet'), 'auto')
    """
    if (folded := fold_word(text)) in (AUTO, AUTO_ANYWAY):
        return folded
    try:
        return tuple(word for words in parse_inline(text).words for word in words)
    except VocabularyError as error:
        raise VocabularyError(f'Expected background words as "wall, floor", or auto; got {text!r}. {error}') from None


class PromptedClasses(NamedTuple):
    """Classes in label order, and the words to prompt for each. A class by threshold alone has no words."""

    classes: ClassList
    words: tuple[tuple[str, ...], ...]


def with_background(classes: ClassList, background: Background) -> PromptedClasses:
    """Give a class list the background and the class for unknown pixels that a protocol asks for.

    A list with a class called background keeps it. That class is prompted with the protocol's words, or with its own
    where the protocol has none. A list without one gets background as class 0. Unknown is the last class.

    Args:
        classes: the user's list.
        background: what was asked for. A Segmenter has chosen the words already, if they were ``"auto"``.

    Raises:
        VocabularyError: if a background word is also a word of another class, a class is called unknown already, or the
            words are not chosen.
    """
    if isinstance(background.words, str):
        raise VocabularyError(
            f'Expected background words beside text embeddings of your own; got "{background.words}", for which the '
            "encoder must read the words of all classes."
        )
    own, prompted = classes.background_index, classes.words
    if background.is_on and own is None:
        entry = ClassEntry(BACKGROUND, background.words, _BLACK)
        classes, prompted = _add_class(classes, entry, 0), (background.words, *prompted)
    elif background.words and own is not None:
        entries = list(classes.entries)
        entries[own] = replace(entries[own], words=background.words)
        classes = replace(classes, entries=tuple(entries))
        prompted = classes.words
    if background.unknown:
        _refuse_own_unknown(classes)
        is_grey_free = all(entry.colour != _GREY for entry in classes.entries)
        entry = ClassEntry(UNKNOWN, colour=_GREY if is_grey_free else None)
        classes, prompted = _add_class(classes, entry, len(classes)), (*prompted, ())
    return PromptedClasses(classes, prompted)


def check_background(classes: ClassList, background: Background, *, has_scale: bool) -> None:
    """Refuse what can be refused before a model is loaded.

    Args:
        classes: the user's list.
        background: what was asked for.
        has_scale: whether probabilities are over words; the Segmenter knows how many there are.

    Raises:
        VocabularyError: as ``with_background``; or if ``"auto"`` would harm the list.
        ProtocolError: as ``refuse_idle_threshold``.
    """
    if not isinstance(background.words, str):
        words = with_background(classes, background).words
        if not has_scale:
            refuse_idle_threshold(sum(map(bool, words)), background)
        return
    if background.words == AUTO:
        refuse_stuff(classes)
    if background.unknown:
        _refuse_own_unknown(classes)


def refuse_idle_threshold(count: int, background: Background) -> None:
    """Refuse a threshold that no pixel can be below: the best of N has a probability of at least 1 / N.

    Args:
        count: number N of probabilities of a pixel: one for each class that has words or examples, or with a scale one
            for each of these.
        background: its thresholds.

    Raises:
        ProtocolError: with the least threshold that has an effect.
    """
    threshold = background.least_confidence
    if not threshold or threshold > 1 / count:
        return
    name = "unknown" if background.unknown else "background"
    option = "--unknown" if background.unknown else "--background-threshold"
    raise ProtocolError(
        f"Expected {option} above {1 / count:.3g}; got {threshold:g}. The highest probability of a pixel is always at "
        f"least 1 / {count} here, so no pixel would become {name}. Choose a value with --show-confidence, or name more "
        "classes."
    )


def refuse_unknown_temperature(encoder: DenseEncoder, scale: float | None, what: str) -> None:
    """Refuse probabilities of an encoder that does not say its temperature, unless the protocol has a scale.

    Args:
        encoder: gives the cosines.
        scale: of the protocol.
        what: what needs probabilities, for the message.

    Raises:
        ProtocolError: if they cannot be computed.
    """
    if scale is None and encoder.temperature is None:
        raise ProtocolError(
            f"{what} needs the encoder's temperature, which is not known for {encoder.name}. Use background words, or "
            "a protocol with a scale."
        )


def _refuse_own_unknown(classes: ClassList) -> None:
    if any(fold_word(name) == UNKNOWN for name in classes.names):
        raise VocabularyError(
            "Expected no class called unknown in the list, because --unknown adds one. Rename it, or leave out "
            "--unknown."
        )


def _add_class(classes: ClassList, entry: ClassEntry, index: int) -> ClassList:
    """Add a class at an index. If the classes came with ids, it gets 0 as the first one, or an id above all others."""
    entries, ids = list(classes.entries), list(classes.ids or ())
    entries.insert(index, entry)
    if ids:
        ids.insert(index, max(ids) + 1 if index or 0 in ids else 0)
    return replace(classes, entries=tuple(entries), ids=tuple(ids) or None)
