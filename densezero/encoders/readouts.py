"""The names of the read-outs: what a tower's last block may do in place of its own attention."""

from __future__ import annotations

from typing import NamedTuple

from densezero.errors import ModelError, did_you_mean

READOUTS: dict[str, str] = {
    "value": "each token keeps its own value in the last block, as if it attended to itself alone",
    "patch": "the ordinary tokens, the last block's attention as it was trained",
    "q-q": "tokens of the last block attend by the likeness of their queries",
    "k-k": "tokens of the last block attend by the likeness of their keys",
    "v-v": "tokens of the last block attend by the likeness of their values",
    "value-bare": "as value, without the last block's residual and MLP (MaskCLIP)",
    "q-q-bare": "as q-q, without the last block's residual and MLP (ClearCLIP)",
    "k-k-bare": "as k-k, without the last block's residual and MLP",
    "v-v-bare": "as v-v, without the last block's residual and MLP",
}
BARE = "-bare"


class Readout(NamedTuple):
    """What the last block does: ``mixing`` is a name without its suffix, ``bare`` drops the residual and the MLP."""

    mixing: str
    bare: bool


PATCH = Readout("patch", bare=False)


def find_readout(name: str, supported: tuple[str, ...], encoder: str) -> Readout:
    """Look a read-out up.

    Args:
        name: as the user gave it.
        supported: the names that the encoder can do.
        encoder: for the message.

    Raises:
        ModelError: if the encoder has no read-out of this name, with those that it has.

    Example:
        >>> find_readout("q-q-bare", tuple(READOUTS), "nano")
        Readout(mixing='q-q', bare=True)
    """
    if name not in supported:
        raise ModelError(f"Expected a read-out that {encoder} has; got {name!r}. {did_you_mean(name, list(supported))}")
    return Readout(name.removesuffix(BARE), name.endswith(BARE))
