"""Which blocks of an encoder a head takes, and whether a head belongs to an encoder."""

from __future__ import annotations

from densezero.encoders.base import DenseEncoder
from densezero.encoders.catalog import MODELS, find_family
from densezero.errors import ModelError
from densezero.heads.dpt import LEVELS
from densezero.heads.head import Head


def head_blocks(encoder: DenseEncoder, head: Head) -> tuple[int, ...]:
    """The four blocks of an encoder, from 0, whose features a head takes, the shallowest first.

    Without numbers of its own, a head takes the ends of the four quarters of the blocks, as the published ones: 2, 5,
    8, 11 of 12 blocks; 5, 11, 17, 23 of 24; 6, 13, 20, 26 of 27; 9, 19, 29, 39 of 40.
    """
    if head.blocks is not None:
        return head.blocks
    return tuple(-(-encoder.depth * quarter // LEVELS) - 1 for quarter in range(1, LEVELS + 1))


def require_fit(encoder: DenseEncoder, head: Head) -> None:
    """Refuse a head that was not trained on an encoder, as far as sizes and names tell.

    Raises:
        ModelError: with what the head needs.
    """
    source = f"load_encoder({head.encoder!r})" if head.encoder else "the TIPSv2 encoder that the head was trained on"
    advice = f"Use {source}."
    if find_family(encoder.name):
        raise ModelError(f"{head.name} was trained on the features of TIPSv2; got {encoder.name}. {advice}")
    if encoder.depth < LEVELS:
        raise ModelError(
            f"{head.name} needs the features of {LEVELS} blocks; {encoder.name} gives those of {encoder.depth}. "
            f"{advice}"
        )
    if encoder.width != head.width:
        raise ModelError(
            f"{head.name} needs features of width {head.width}; {encoder.name} has width {encoder.width}. {advice}"
        )
    if max(head_blocks(encoder, head)) >= encoder.depth:
        raise ModelError(
            f"{head.name} needs the features of blocks {head.blocks}; {encoder.name} has {encoder.depth} blocks. "
            f"{advice}"
        )
    if head.encoder and encoder.name in MODELS and encoder.name != head.encoder:
        raise ModelError(f"{head.name} was trained on {head.encoder}; got {encoder.name} of the same size. {advice}")
