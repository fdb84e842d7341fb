"""What a report says of the request that it was made by: its words, its templates, its other fields."""

from __future__ import annotations

import json
from typing import Any, Final

from densezero.datasets import Dataset
from densezero.errors import InputError, VocabularyError
from densezero.evaluation.report import Report
from densezero.vocabulary import CATALOG, ClassList, Templates, load_class_list, load_templates

WAY_OUT: Final = "or --count 0 to draw the bars and the matrix alone."


def find_classes(report: Report, dataset: Dataset) -> ClassList:
    """The words of the report: those it holds; in an older one packaged under their name, or the data set's own."""
    if report.vocabulary:
        return ClassList.from_json(json.dumps(report.vocabulary))
    name = asked(report, "class_list")
    return load_class_list(name) if name in CATALOG and name != dataset.classes.name else dataset.classes


def find_templates(report: Report) -> Templates:
    """The templates of the report: those it holds; in an older one packaged under their name."""
    name = asked(report, "templates")
    if report.templates:
        return Templates(name, tuple(report.templates))
    try:
        return load_templates(name)
    except VocabularyError as error:
        raise InputError(
            f"The templates of the report are not packaged: {error} Ask for packaged ones, {WAY_OUT}"
        ) from None


def asked(report: Report, name: str) -> Any:
    """A field of the report's request.

    Raises:
        InputError: if the report does not have it.
    """
    if name not in report.request:
        raise InputError(
            f"The report does not say its {name}, so its images cannot be segmented again. Run the evaluation again, "
            f"{WAY_OUT}"
        )
    return report.request[name]
