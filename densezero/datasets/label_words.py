"""The class list whose words stand for the labels of a data set."""

from __future__ import annotations

from densezero.datasets.base import Dataset
from densezero.datasets.papers import class_list_for
from densezero.errors import InputError
from densezero.vocabulary import ClassList, load_class_list


def words_for_labels(dataset: Dataset, protocol: str, vocabulary: str | None = None) -> ClassList:
    """Find the class list for the labels of a data set.

    Args:
        dataset: its labels.
        protocol: name of the preset, which may expect a list of its own.
        vocabulary: another list for the same labels, packaged or a file; None takes the one that the protocol expects.

    Raises:
        InputError: if the list has another number of classes than the data set.
        VocabularyError: if it cannot be read.
    """
    name = vocabulary or class_list_for(protocol, dataset.name)
    if name == dataset.name:
        return dataset.classes
    classes = load_class_list(name)
    if len(classes) != len(dataset.classes):
        raise InputError(
            f"{dataset.name} has {len(dataset.classes)} classes, and {name} names {len(classes)}. "
            "Give a list with one class for each label, in the order of the labels."
        )
    return classes


def refuse_added_class(dataset: Dataset, classes: ClassList) -> None:
    """Refuse a background that the data set does not have: no pixel of that class could be right.

    Raises:
        InputError: if there are more classes than the data set has.
    """
    if len(classes) != len(dataset.classes):
        raise InputError(
            f"{dataset.name} has {len(dataset.classes)} classes, and the protocol makes {len(classes)} of them by "
            "adding a background. Call the class for the rest `background` in the class list, or use the variant of "
            "the benchmark that has a background class."
        )
