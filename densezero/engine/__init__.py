"""The core: protocols, windows, scores, labels, and the Segmenter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezero.lazy import lazy_names

if TYPE_CHECKING:
    from densezero.engine.presets import DEFAULT_PROTOCOL, PROTOCOLS, find_protocol
    from densezero.engine.protocol import Protocol
    from densezero.engine.scoring import dense_scores
    from densezero.engine.segmenter import Segmenter
    from densezero.images.windows import Window, window_boxes
    from densezero.output.segmentation import Provenance
    from densezero.vocabulary.background import Background
    from densezero.vocabulary.text_bank import cosine

__all__ = [
    "DEFAULT_PROTOCOL",
    "PROTOCOLS",
    "Background",
    "Protocol",
    "Provenance",
    "Segmenter",
    "Window",
    "cosine",
    "dense_scores",
    "find_protocol",
    "window_boxes",
]

# Protocols are read by the command line, which loads no torch until there is work.
__getattr__ = lazy_names(
    __name__,
    {
        "DEFAULT_PROTOCOL": "densezero.engine.presets",
        "PROTOCOLS": "densezero.engine.presets",
        "Background": "densezero.vocabulary.background",
        "Protocol": "densezero.engine.protocol",
        "Provenance": "densezero.output.segmentation",
        "Segmenter": "densezero.engine.segmenter",
        "Window": "densezero.images.windows",
        "cosine": "densezero.vocabulary.text_bank",
        "dense_scores": "densezero.engine.scoring",
        "find_protocol": "densezero.engine.presets",
        "window_boxes": "densezero.images.windows",
    },
)
