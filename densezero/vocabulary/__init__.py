"""Class lists with synonyms and colours, and prompt templates. Importing this package does not load torch."""

from densezero.vocabulary.catalog import CATALOG, load_packaged
from densezero.vocabulary.classes import MAX_CLASSES, ClassList, describe_classes
from densezero.vocabulary.entries import ClassEntry
from densezero.vocabulary.parse import class_list_from, load_class_list, parse_inline
from densezero.vocabulary.templates import TEMPLATES, Templates, load_templates

__all__ = [
    "CATALOG",
    "MAX_CLASSES",
    "TEMPLATES",
    "ClassEntry",
    "ClassList",
    "Templates",
    "class_list_from",
    "describe_classes",
    "load_class_list",
    "load_packaged",
    "load_templates",
    "parse_inline",
]
