"""Writes ``classes.json``: the class name and words of each label index."""

import json

from densezero.output.labels import ignore_value
from densezero.vocabulary.classes import ClassList

CLASSES = "classes.json"


def encode_classes_json(classes: ClassList) -> bytes:
    """Encode the meaning of the label indices as JSON.

    Args:
        classes: the class list of the run.

    Returns:
        UTF-8 with the keys ``name`` and ``sha256`` of the class list, ``background_index`` (null without one),
        ``ignore`` (the label that means no class), ``shared_words`` (words that two classes may both have) and
        ``classes``, a list of ``{index, id, name, words, colour}`` in the order of the index; ``id`` is the number that
        the class came with, and absent where it came with none. ``ClassList.from_json`` reads it.
    """
    ids = [{"id": number} for number in classes.ids or ()] or [{}] * len(classes)
    meaning = {
        "name": classes.name,
        "sha256": classes.sha256,
        "background_index": classes.background_index,
        "ignore": ignore_value(len(classes)),
        "shared_words": list(classes.shared_words),
        "classes": [
            {"index": index, **came, "name": name, "words": list(words), "colour": [int(part) for part in colour]}
            for index, (came, name, words, colour) in enumerate(
                zip(ids, classes.names, classes.words, classes.colours, strict=True)
            )
        ],
    }
    return (json.dumps(meaning, ensure_ascii=False, indent=1) + "\n").encode()
