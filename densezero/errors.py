"""The one exception tree: every error that a caller can cause or must handle.

A message says what was expected, what came, and what to do about it.
"""

MAX_LISTED = 40  # a longer list of names hides the sentence it stands in


class DenseZeroError(Exception):
    """Root of every error that densezero raises on purpose."""


class DenseZeroWarning(UserWarning):
    """Something that a user should know, while the work goes on."""


class InputError(DenseZeroError):
    """An image, folder or file that was given cannot be used as it is."""


class UnknownImageError(InputError, KeyError):
    """A run has no image of this name. Like any mapping, results raise a ``KeyError``."""

    __str__ = Exception.__str__  # a KeyError would put the sentence into quotation marks


class VocabularyError(DenseZeroError):
    """Class names, synonyms or prompt templates that cannot be used."""


class ModelError(DenseZeroError):
    """An encoder that is unknown, incomplete, misshapen or out of reach."""


class ProtocolError(DenseZeroError):
    """A protocol that is unknown or whose settings contradict each other."""


class FeatureError(DenseZeroError):
    """Features that cannot become a picture: too few, all alike, or of another encoder than the stored basis."""


class OutputError(DenseZeroError):
    """Results that cannot be written where they were asked for."""


class DeviceFullError(OutputError):
    """The device or the quota is full: no later file of the run can be written either."""


def did_you_mean(given: str, known: list[str]) -> str:
    """Say which known names are nearest to the given one; list them all where they are few.

    Args:
        given: the name that was not found.
        known: every name that would have been accepted.

    Returns:
        A sentence such as ``Did you mean 'nano'? Known: nano, tipsv2-b14.``, or
        ``Did you mean 'ViT-B-16', 'ViT-B-32'? There are 144.``
    """
    import difflib

    few = len(known) <= MAX_LISTED
    lowered = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(given.lower(), list(lowered), n=1 if few else 4, cutoff=0.4)
    hint = f"Did you mean {', '.join(repr(lowered[name]) for name in nearest)}? " if nearest else ""
    return f"{hint}Known: {', '.join(known)}." if few else f"{hint}There are {len(known)}."
