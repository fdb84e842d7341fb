"""Class lists that people write: inline text, Python lists, and files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from densezero.errors import VocabularyError, did_you_mean
from densezero.vocabulary.catalog import CATALOG, load_packaged
from densezero.vocabulary.classes import ClassList, refuse_clashes, refuse_too_many
from densezero.vocabulary.entries import ClassEntry
from densezero.vocabulary.parse_json import entries_from, parse_json
from densezero.vocabulary.textfile import read_text, split_lines

INLINE_SEPARATOR = re.compile(r"\|")
FILE_SEPARATOR = re.compile(r"[|,;]")
"""The papers part synonyms by ", ", "," or "; "; a class has a line of its own there, so all of them are free."""

INLINE_FORM = 'Write it as "sky, grass, boat=sailing ship|yacht".'
LINE_FORM = 'Write one class a line, as "boat=sailing ship|yacht" or "boat, sailing ship, yacht".'


def parse_inline(text: str) -> ClassList:
    """Read classes from one text such as ``"sky, grass, boat=sailing ship|yacht"``.

    Args:
        text: classes parted by commas or line breaks; ``name=synonym|synonym`` prompts the synonyms beside the name.
            Spaces around a word and a comma at the end of a line are ignored.

    Raises:
        VocabularyError: a class is empty or malformed, or the list is refused by ``ClassList``.

    Example:
        >>> parse_inline("sky, boat=sailing ship|yacht").words
        (('sky',), ('boat', 'sailing ship', 'yacht'))
    """
    if text.strip() in CATALOG:
        advice = f"Load it as the vocabulary {text.strip()!r}, or write class names here. {INLINE_FORM}"
        raise VocabularyError(f"{text.strip()!r} is the name of a packaged vocabulary, not a class. {advice}")
    chunks: list[str] = []
    for line in text.splitlines():
        chunks.extend(line.strip().removesuffix(",").split(",") if line.strip() else [])
    refuse_too_many(len(chunks))
    entries: list[ClassEntry] = []
    for position, chunk in enumerate(chunks, start=1):
        if ";" in chunk:
            raise VocabularyError(f"position {position}: expected commas between classes, got {chunk!r}. {INLINE_FORM}")
        entries.append(_parse_class(chunk, INLINE_SEPARATOR, f"position {position}", INLINE_FORM))
    return ClassList("inline", tuple(entries))


def class_list_from(classes: str | ClassList | Sequence[str | Sequence[str] | ClassEntry]) -> ClassList:
    """Make a class list of what a caller has at hand.

    Args:
        classes: a ready list (given back as it is), inline text, or a sequence in which each item is a name, a
            sequence of a name and its synonyms, or a ``ClassEntry``.

    Raises:
        VocabularyError: an item is none of these, or the list is refused by ``ClassList``.

    Example:
        >>> class_list_from(["sky", ["boat", "sailing ship"]]).words
        (('sky',), ('boat', 'sailing ship'))
    """
    if isinstance(classes, ClassList):
        return classes
    if isinstance(classes, str):
        return parse_inline(classes)
    if not isinstance(classes, Sequence):
        raise VocabularyError(f"Expected a list of class names, inline text or a ClassList, got {classes!r}.")
    refuse_too_many(len(classes))
    return ClassList("list", entries_from(classes))


def load_class_list(source: str | Path) -> ClassList:
    """Load a packaged class list by name, or a file of the user's.

    Args:
        source: a key of ``CATALOG``, or a path. A ``.json`` file may have any shape of ``parse_json``; every other
            file is text, one class a line.

    Raises:
        VocabularyError: there is no such list or file, or its content is refused; the message names file and line.
    """
    if isinstance(source, str) and source in CATALOG:
        return load_packaged(source)
    path = Path(source)
    try:
        text = read_text(path)
    except FileNotFoundError:
        message = f"Expected a packaged vocabulary or a file of class names, got {str(source)!r}: no such file."
        raise VocabularyError(f"{message} {did_you_mean(str(source), list(CATALOG))}") from None
    if not text.strip():
        raise VocabularyError(f"{path}: expected class names, got an empty file. {LINE_FORM}")
    parse = parse_json if path.suffix.lower() == ".json" else parse_lines
    return _naming_file(path, lambda: parse(text, path.stem))


def parse_lines(text: str, name: str) -> ClassList:
    """Read a text with one class a line; blank lines and ``#`` comments are skipped.

    Args:
        text: lines of ``name=synonym|synonym``, or of words parted by ``,`` or ``;`` or ``|``, the first the name.
        name: what the list is called.

    Raises:
        VocabularyError: a class is malformed, or the list is refused; the message names the line.
    """
    lines = split_lines(text, trailing_comments=True)
    if not lines:
        raise VocabularyError(f"expected class names, got only blank lines and comments. {LINE_FORM}")
    refuse_too_many(len(lines))
    entries = tuple(_parse_class(line.text, FILE_SEPARATOR, f"line {line.number}", LINE_FORM) for line in lines)
    refuse_clashes(entries, lambda index: f"line {lines[index].number}")
    return ClassList(name, entries)


def _parse_class(text: str, separator: re.Pattern[str], place: str, form: str) -> ClassEntry:
    """Read ``name=synonym|synonym`` or ``name|synonym``."""
    name, equals, rest = text.partition("=")
    words = [name, *separator.split(rest)] if equals else separator.split(text)
    words = [" ".join(word.split()) for word in words]
    if len(words) > 1 and not words[-1] and not equals:  # some published files end a line with their separator
        words.pop()
    if "=" in rest or not all(words):
        raise VocabularyError(f"{place}: expected a class, got {text.strip()!r}. {form}")
    try:
        return ClassEntry.from_words(words)
    except VocabularyError as error:
        raise VocabularyError(f"{place}: {error}") from None


def _naming_file(path: Path, parse: Callable[[], ClassList]) -> ClassList:
    try:
        return parse()
    except VocabularyError as error:
        separator = ", " if str(error).startswith("line ") else ": "
        raise VocabularyError(f"{path}{separator}{error}") from None
