"""The presets by name, and the functions that look them up. What papers set for each benchmark is in ``papers``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from densezero.engine.papers import BENCHMARK_OF, PAPERS
from densezero.engine.protocol import Background, Protocol
from densezero.errors import ProtocolError, did_you_mean
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
    )
}
DEFAULT_PROTOCOL = "tips-slide"


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
    return replace(PROTOCOLS[name], **PAPERS[name].constants.get(benchmark, {}))


def class_list_for(name: str, dataset: str) -> str:
    """Name the packaged class list that a protocol expects for a benchmark.

    Args:
        name: of the preset; any other name stands for a protocol without a list of its own.
        dataset: our name of the benchmark, for example ``voc21``.

    Returns:
        The paper's list; where it has none, the benchmark's own list, which has the name of the data set.

    Example:
        >>> class_list_for("ovss", "voc21"), class_list_for("tips-slide", "voc21")
        ('ovss-voc21', 'voc21')
    """
    return PAPERS[name].class_lists.get(dataset, dataset) if name in PAPERS else dataset


def protocol_for(classes: ClassList, name: str) -> Protocol:
    """Look a preset up for a class list.

    Only a packaged list stands for its benchmark. A user's own file may have the same name and other classes.

    Raises:
        ProtocolError: as ``find_protocol``.
    """
    return find_protocol(name, classes.name if classes.is_packaged else None)


def with_changes(
    protocol: Protocol,
    short_side_px: int | None = None,
    background_words: tuple[str, ...] = (),
    background_threshold: float | None = None,
) -> Protocol:
    """Change some settings of a protocol; its name then says that it was changed.

    Args:
        protocol: the protocol.
        short_side_px: short side of the model input; None keeps the protocol's.
        background_words: words for a class called background; none keep the protocol's.
        background_threshold: probability under which a pixel becomes background; None keeps the protocol's.
    """
    changes: dict[str, Any] = {}
    if short_side_px is not None:
        changes["short_side_px"] = short_side_px
    if background_words or background_threshold is not None:
        old = protocol.background
        threshold = old.threshold if background_threshold is None else background_threshold
        changes["background"] = Background(background_words or old.words, threshold)
    return replace(protocol, name=f"{protocol.name} (changed)", **changes) if changes else protocol
