"""The presets by name, and the functions that look them up. Constants of benchmarks are in ``datasets.papers``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from densezero.datasets.papers import BENCHMARK_OF, PAPERS
from densezero.engine.protocol import Grid, Pamr, Protocol, Refinement
from densezero.errors import ProtocolError, did_you_mean
from densezero.vocabulary.background import Background
from densezero.vocabulary.classes import ClassList

# Sources: tips-* the TIPSv2 notebook and paper (arXiv 2604.12012); ovss-* the papers' released configurations.
_SCLIP = Protocol(
    "ovss", short_side_px=336, long_side_cap_px=2048, rounding="nearest", window_px=224, stride_px=112,
    window_scores="cosine", scale=40, templates="imagenet80",
)  # fmt: skip
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("tips-simple", window_px=None, window_scores="cosine"),
        Protocol("tips-slide"),
        _SCLIP,
        replace(_SCLIP, name="ovss-naclip"),
        replace(_SCLIP, name="ovss-clearclip", short_side_px=448, window_px=448, stride_px=224, scale=50),
        replace(_SCLIP, name="ovss-proxyclip", window_px=336),
        replace(_SCLIP, name="pearl-grid", refine=Grid()),
    )
}
DEFAULT_PROTOCOL = "tips-slide"
LEAST_SIDE_PX = 32  # two patches, of a user's own short side
REFINEMENTS: dict[str, Refinement] = {"none": None, "grid": Grid(), "pamr": Pamr()}


def find_protocol(name: str, class_list: str | None = None) -> Protocol:
    """Look a preset up, with the constants that its paper uses for a benchmark.

    Args:
        name: of the preset.
        class_list: name of a packaged class list, for example ``voc21``. It selects the constants of its benchmark.
            None or another name gives the preset as it is.

    Raises:
        ProtocolError: if there is no such preset. The message gives the nearest name.
    """
    if name not in PROTOCOLS:
        raise ProtocolError(f"Expected the name of a protocol; got {name!r}. {did_you_mean(name, list(PROTOCOLS))}")
    benchmark = BENCHMARK_OF.get(class_list or "", class_list or "")
    constants = dict(PAPERS[name].constants.get(benchmark, {}))
    if (threshold := constants.pop("background_threshold", None)) is not None:
        constants["background"] = Background(threshold=threshold)
    return replace(PROTOCOLS[name], **constants)


def protocol_for(classes: ClassList, name: str) -> Protocol:
    """Look a preset up for a class list.

    Only a packaged list stands for its benchmark. A user's own file may have the same name and other classes.

    Raises:
        ProtocolError: as ``find_protocol``.
    """
    return find_protocol(name, classes.name if classes.is_packaged else None)


def find_refinement(method: str | None, protocol: Protocol) -> Refinement:
    """Look a refinement up for a preset: PAMR works at the image's size in ``ovss-naclip``, as in its paper.

    Args:
        method: ``"none"``, ``"grid"`` or ``"pamr"``; None keeps the protocol's own.
        protocol: a preset.

    Raises:
        ProtocolError: for an unknown refinement.
    """
    if method is None:
        return protocol.refine
    if method not in REFINEMENTS:
        raise ProtocolError(f"Expected a refinement out of {', '.join(REFINEMENTS)}; got {method!r}.")
    return Pamr(image_size=protocol.name == "ovss-naclip") if method == "pamr" else REFINEMENTS[method]


def with_changes(
    protocol: Protocol,
    short_side_px: int | None = None,
    background_words: str | None = None,
    background_threshold: float | None = None,
    unknown: float | None = None,
    refine: str | None = None,
) -> Protocol:
    """Change some settings of a protocol; its name then says that it was changed.

    Args:
        protocol: the protocol.
        short_side_px: short side of the model input; None keeps the protocol's.
        background_words: for a class called background, ``"wall, floor"`` or ``"auto"``; None keeps the protocol's.
        background_threshold: probability under which a pixel becomes background; None keeps the protocol's.
        unknown: probability under which a pixel becomes unknown; None keeps the protocol's.
        refine: name of a refinement; None keeps the protocol's.

    Raises:
        ProtocolError: for a short side below 32, or as ``find_refinement`` and ``Background``.
        VocabularyError: if the words cannot be read.
    """
    changes: dict[str, Any] = {}
    if short_side_px is not None:
        if short_side_px < LEAST_SIDE_PX:
            raise ProtocolError(f"Expected --short-side of at least {LEAST_SIDE_PX} pixels; got {short_side_px}.")
        changes["short_side_px"] = short_side_px
    if (given := (background_words, background_threshold, unknown)) != (None, None, None):
        changes["background"] = protocol.background.changed(*given)
    if (chosen := find_refinement(refine, protocol)) != protocol.refine:
        changes["refine"] = chosen
    return replace(protocol, name=f"{protocol.name} (changed)", **changes) if changes else protocol
