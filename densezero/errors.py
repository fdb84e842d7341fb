"""The one exception tree: every error that a caller can cause or must handle.

A message says what was expected, what came, and what to do about it.
"""


class DenseZeroError(Exception):
    """Root of every error that densezero raises on purpose."""


class InputError(DenseZeroError):
    """An image, folder or file that was given cannot be used as it is."""


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
    """Say which known name is nearest to the given one, and list them all.

    Args:
        given: the name that was not found.
        known: every name that would have been accepted.

    Returns:
        A sentence such as ``Did you mean 'nano'? Known: nano, tipsv2-b14.``
    """
    import difflib

    nearest = difflib.get_close_matches(given.lower(), known, n=1, cutoff=0.4)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}Known: {', '.join(known)}."
