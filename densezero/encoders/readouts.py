"""The names of the read-outs: the ways to compute a tower's last block for dense features."""

from __future__ import annotations

from typing import NamedTuple

from densezero.errors import ModelError, did_you_mean

READOUTS: dict[str, str] = {
    "value": "in the last block each token keeps its own value, as if it attended only to itself",
    "patch": "the ordinary tokens; the last block attends as it was trained",
    "q-q": "in the last block tokens attend to tokens with similar queries",
    "k-k": "in the last block tokens attend to tokens with similar keys",
    "v-v": "in the last block tokens attend to tokens with similar values",
    "value-bare": "as value, without the last block's residual and MLP (MaskCLIP)",
    "q-q-bare": "as q-q, without the last block's residual and MLP (ClearCLIP)",
    "k-k-bare": "as k-k, without the last block's residual and MLP",
    "v-v-bare": "as v-v, without the last block's residual and MLP",
}
NO_RESIDUAL_SUFFIX = "-bare"


class Readout(NamedTuple):
    """How the last block computes: its attention (a name without suffix), and whether it drops residual and MLP."""

    attention: str
    no_residual: bool


PATCH = Readout("patch", no_residual=False)


def find_readout(name: str, supported: tuple[str, ...], encoder: str) -> Readout:
    """Look up a read-out by name.

    Args:
        name: as the user gave it.
        supported: the names that the encoder supports.
        encoder: the encoder's name, for the message.

    Raises:
        ModelError: if the encoder does not support the read-out, with those that it supports.

    Example:
        >>> find_readout("q-q-bare", tuple(READOUTS), "nano")
        Readout(attention='q-q', no_residual=True)
    """
    if name not in supported:
        raise ModelError(f"Expected a read-out that {encoder} has; got {name!r}. {did_you_mean(name, list(supported))}")
    return Readout(name.removesuffix(NO_RESIDUAL_SUFFIX), name.endswith(NO_RESIDUAL_SUFFIX))
