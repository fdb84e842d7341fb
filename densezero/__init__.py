"""Zero-shot dense prediction: segmentation masks from image-text encoders and class names, with no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezero.lazy import lazy_names

if TYPE_CHECKING:
    from densezero.encoders.catalog import load_encoder
    from densezero.engine.presets import find_protocol
    from densezero.engine.protocol import Protocol
    from densezero.engine.segmenter import Segmenter
    from densezero.errors import DenseZeroError
    from densezero.examples.example import Example
    from densezero.heads.load import load_head
    from densezero.images.find import find_images
    from densezero.images.read import read_rgb
    from densezero.jobs.results import load_results
    from densezero.output.segmentation import Segmentation
    from densezero.vocabulary.background import Background
    from densezero.vocabulary.classes import ClassList
    from densezero.vocabulary.parse import load_class_list
    from densezero.vocabulary.templates import load_templates

__version__ = "0.2.0"

__all__ = [
    "Background",
    "ClassList",
    "DenseZeroError",
    "Example",
    "Protocol",
    "Segmentation",
    "Segmenter",
    "find_images",
    "find_protocol",
    "load_class_list",
    "load_encoder",
    "load_head",
    "load_results",
    "load_templates",
    "read_rgb",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Background": "densezero.vocabulary.background",
        "ClassList": "densezero.vocabulary.classes",
        "DenseZeroError": "densezero.errors",
        "Example": "densezero.examples.example",
        "Protocol": "densezero.engine.protocol",
        "Segmentation": "densezero.output.segmentation",
        "Segmenter": "densezero.engine.segmenter",
        "find_images": "densezero.images.find",
        "find_protocol": "densezero.engine.presets",
        "load_class_list": "densezero.vocabulary.parse",
        "load_encoder": "densezero.encoders.catalog",
        "load_head": "densezero.heads.load",
        "load_results": "densezero.jobs.results",
        "load_templates": "densezero.vocabulary.templates",
        "read_rgb": "densezero.images.read",
    },
)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
