"""The class list of a run, beside its results: what each label index means."""

import json
from pathlib import Path

from densezero.output.atomic import write_atomically
from densezero.output.labels import ignore_value
from densezero.vocabulary.classes import ClassList


def write_classes_json(path: Path, classes: ClassList) -> None:
    """Write the meaning of the label indices as JSON.

    Keys: ``name`` and ``sha256`` of the class list, ``background_index`` (null without one), ``ignore`` (the label that
    means no class), ``shared_words`` (words that two classes may both have) and ``classes``, a list of ``{index, name,
    words, colour}`` in the order of the index. ``ClassList.from_json`` reads the file.

    Args:
        path: the file to write or to replace.
        classes: the class list of the run.

    Raises:
        OutputError: the file cannot be written.
    """
    meaning = {
        "name": classes.name,
        "sha256": classes.sha256,
        "background_index": classes.background_index,
        "ignore": ignore_value(len(classes)),
        "shared_words": list(classes.shared_words),
        "classes": [
            {"index": index, "name": name, "words": list(words), "colour": [int(part) for part in colour]}
            for index, (name, words, colour) in enumerate(
                zip(classes.names, classes.words, classes.colours, strict=True)
            )
        ],
    }
    text = json.dumps(meaning, ensure_ascii=False, indent=1) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))
