"""Class lists that people write: inline text, Python iterables, and files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from densezero.errors import VocabularyError, did_you_mean
from densezero.vocabulary.catalog import CATALOG, load_packaged
from densezero.vocabulary.classes import ClassList, Draft, kept_ids, refuse_too_many
from densezero.vocabulary.entries import ClassEntry, list_in_order
from densezero.vocabulary.parse_json import entries_from, parse_json, parse_yaml
from densezero.vocabulary.parse_table import Row, read_table
from densezero.vocabulary.textfile import read_text, split_lines

Made = TypeVar("Made")

INLINE_SEPARATOR = re.compile(r"\|")
FILE_SEPARATOR = re.compile(r"[|,;]")
"""Papers separate synonyms by ", ", "," or "; ". A class has its own line in a file, so all of them are allowed."""

INLINE_FORM = 'Write it as "sky, grass, boat=sailing ship|yacht".'
_WIDE_SIGNS = str.maketrans({"，": ",", "、": ",", "،": ",", "；": ";", "＝": "=", "｜": "|"})
"""Signs of other scripts that mean the same."""

LINE_FORM = 'Write one class on each line, as "boat=sailing ship|yacht" or "boat, sailing ship, yacht".'


def parse_inline(text: str) -> ClassList:
    """Read classes from one text such as ``"sky, grass, boat=sailing ship|yacht"``.

    Args:
        text: classes separated by commas, line breaks, or " . ". ``name=synonym|synonym`` adds synonyms to a name.
            Spaces around a word and a comma at the end of a line are ignored. Commas in brackets part nothing.

    Raises:
        VocabularyError: a class is empty or malformed, the whole text is the name of a packaged list or of a file, or
            ``ClassList`` refuses the classes.

    Example:
        >>> parse_inline("sky, boat=sailing ship|yacht").words
        (('sky',), ('boat', 'sailing ship', 'yacht'))
    """
    return draft_inline(text).to_list()


def draft_inline(text: str) -> Draft:
    """Read classes from one text, as ``parse_inline``; two of them may have a word in common.

    Raises:
        VocabularyError: as ``parse_inline``, apart from classes that clash.
    """
    _refuse_no_classes(text.strip())
    text = text.translate(_WIDE_SIGNS)
    if "," not in text and "\n" not in text:
        text = ",".join(re.split(r"\s\.(?:\s|$)", text.strip()))  # "sky . grass ." as open detectors take it
    chunks: list[str] = []
    for line in text.splitlines():
        chunks.extend(_split_outside_brackets(line.strip().removesuffix(",")) if line.strip() else [])
    refuse_too_many(len(chunks))
    entries: list[ClassEntry] = []
    for position, chunk in enumerate(chunks, start=1):
        if ";" in chunk:
            raise VocabularyError(f"position {position}: expected commas between classes, got {chunk!r}. {INLINE_FORM}")
        entries.append(_parse_class(_unquoted(chunk), INLINE_SEPARATOR, f"position {position}", INLINE_FORM))
    return Draft("inline", tuple(entries))


def _refuse_no_classes(text: str) -> None:
    """Refuse what stands for classes, and is none itself: the name of a list, a file, JSON."""
    if text in CATALOG:
        advice = f"Load it as the vocabulary {text!r}, or write class names here. {INLINE_FORM}"
        raise VocabularyError(f"{text!r} is the name of a packaged vocabulary, not a class. {advice}")
    if _is_file(text):
        raise VocabularyError(
            f"{text!r} is a file, not a class. Give it as a vocabulary (--vocabulary {text}). If it is a class too, "
            f'write "{text}={text}".'
        )
    if text[:1] in ("[", "{"):
        raise VocabularyError(f"Expected class names, got what looks like JSON: {text[:40]!r}. {INLINE_FORM}")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a sign that no name has
        return False


def _split_outside_brackets(line: str) -> list[str]:
    """Split at the commas that stand in no brackets: "bird (duck, goose), cat" has two classes."""
    chunks, depth = [""], 0
    for sign in line:
        depth += (sign in "([") - (sign in ")]" and depth > 0)
        if sign == "," and not depth:
            chunks.append("")
        else:
            chunks[-1] += sign
    if depth:
        raise VocabularyError(
            f"position {len(chunks)}: expected a closing bracket in {chunks[-1].strip()!r}. {INLINE_FORM}"
        )
    return chunks


def _unquoted(chunk: str) -> str:
    """A class without the quotation marks around it."""
    text = chunk.strip()
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`" and text.count(text[0]) == 2
    return text[1:-1] if is_quoted else chunk


def class_list_from(classes: str | ClassList | Iterable[str | Iterable[str] | ClassEntry]) -> ClassList:
    """Make a class list from what a caller has.

    Args:
        classes: a ``ClassList``, which is returned unchanged; the name of a packaged list; inline text, as for
            ``parse_inline``; or an iterable of classes. Each item of an iterable is a name, a ``ClassEntry``, or an
            iterable of a name and its synonyms. A set is refused, because its order is arbitrary.

    Raises:
        VocabularyError: the classes or an item are none of these, or ``ClassList`` refuses them.

    Example:
        >>> class_list_from(["sky", ["boat", "sailing ship"]]).words
        (('sky',), ('boat', 'sailing ship'))
        >>> len(class_list_from("ade20k"))
        150
    """
    if isinstance(classes, ClassList):
        return classes
    if isinstance(classes, str):
        return load_packaged(classes) if classes in CATALOG else parse_inline(classes)
    items = list_in_order(classes, "a ClassList, class names, the name of a packaged list, or inline text")
    refuse_too_many(len(items))
    return ClassList("list", entries_from(items))


def load_class_list(source: str | Path) -> ClassList:
    """Load a packaged class list by name, or a user's file.

    Args:
        source: a key of ``CATALOG``, or a path. A ``.json`` or ``.yaml`` file may have any shape that ``parse_json``
            reads. Every other file is text with one class on each line, or a table.

    Raises:
        VocabularyError: there is no such list or file, or its content is not valid. The message names file and line.
    """
    if isinstance(source, str) and source in CATALOG:
        return load_packaged(source)
    path = Path(source)
    return _with_file_name(path, read_draft(path).to_list)


def read_draft(path: Path) -> Draft:
    """Read a user's file, as ``load_class_list``; two of its classes may have the same name, or share a word.

    Raises:
        VocabularyError: as ``load_class_list``, apart from classes that clash.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        message = (
            f"Expected the name of a packaged vocabulary or a file of class names, got {str(path)!r}: no such file."
        )
        raise VocabularyError(f"{message} {did_you_mean(str(path), list(CATALOG))}") from None
    if not text.strip():
        raise VocabularyError(f"{path}: expected class names, got an empty file. {LINE_FORM}")
    return _with_file_name(path, lambda: _parse_file(text, path))


def _parse_file(text: str, path: Path) -> Draft:
    suffix = path.suffix.lower()
    if suffix == ".json" or text.lstrip()[:1] in ("{", "["):
        return parse_json(text, path.stem)
    if suffix in (".yaml", ".yml"):
        return parse_yaml(text, path.stem)
    return parse_lines(text, path.stem, is_csv=suffix in (".csv", ".tsv"))


def parse_lines(text: str, name: str, *, is_csv: bool = False) -> Draft:
    """Read a text with one class on each line, or a table. Blank lines and ``#`` comments are skipped.

    Args:
        text: lines of ``name=synonym|synonym``, or of a name and synonyms separated by ``,`` or ``;`` or ``|``; or a
            table with a heading, a column of ids, or both.
        name: name of the list.
        is_csv: whether the file's name says that it is a table.

    Raises:
        VocabularyError: a class is malformed. The message names the line.
    """
    lines = split_lines(text, trailing_comments=True)
    if not lines:
        raise VocabularyError(f"expected class names, got only blank lines and comments. {LINE_FORM}")
    refuse_too_many(len(lines))
    rows = read_table(lines, is_csv=is_csv) or [Row(line.number, None, line.text) for line in lines]
    entries = tuple(_parse_class(row.text, FILE_SEPARATOR, f"line {row.number}", LINE_FORM) for row in rows)
    lines_of_classes = tuple(row.number for row in rows)
    return Draft(name, entries, ids=kept_ids([row.id for row in rows]), lines=lines_of_classes)


def _parse_class(text: str, separator: re.Pattern[str], place: str, form: str) -> ClassEntry:
    """Read ``name=synonym|synonym`` or ``name|synonym``."""
    name, equals, rest = text.partition("=")
    words = [name, *separator.split(rest)] if equals else separator.split(text)
    words = [" ".join(word.split()) for word in words]
    if len(words) > 1 and not words[-1] and not equals:  # some published files end their lines with the separator
        words.pop()
    if "=" in rest or not all(words):
        raise VocabularyError(f"{place}: expected a class, got {text.strip()!r}. {form}")
    try:
        return ClassEntry.from_words(words)
    except VocabularyError as error:
        raise VocabularyError(f"{place}: {error}") from None


def _with_file_name(path: Path, parse: Callable[[], Made]) -> Made:
    try:
        return parse()
    except VocabularyError as error:
        separator = ", " if str(error).startswith("line ") else ": "
        raise VocabularyError(f"{path}{separator}{error}") from None
