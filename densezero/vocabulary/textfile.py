"""Reads text files that people write: class lists and prompt templates."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from densezero.errors import VocabularyError

COMMENT = re.compile(r"(^|\s)#(\s.*)?$")
"""Only where a space follows the sign: "sign #5" is a name."""

_FIELD: Final = r'"?(?:name|id|index|\d+)"?\s*:\s*(?:\d+\s*,\s*)?'
_BEGINS: Final = re.compile(rf"""[\s\[{{-]*(?:{_FIELD})*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^"'\s:#][^:#]*))""")
"""A line of JSON or YAML that begins with a class: its name in double, single or no quotation marks."""


class NumberedLine(NamedTuple):
    """A line with content, and its number in the file, counted from 1."""

    number: int
    text: str


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        VocabularyError: the file cannot be read, or is not UTF-8. The message names the file and the line.
        FileNotFoundError: the file does not exist.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise VocabularyError(f"{path}: expected a text file, got a folder. Name a file in it.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise VocabularyError(f"{path}: the file cannot be read ({reason}). Check its name and permissions.") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        message = f"{path}, line {line}: expected UTF-8 text, got byte 0x{byte:02x}. Save the file as UTF-8."
        raise VocabularyError(message) from None


def split_lines(text: str, *, trailing_comments: bool) -> list[NumberedLine]:
    """Split a text into lines without surrounding spaces; skip blank lines and ``#`` comments.

    Args:
        text: the content of a file, with line ends of any system.
        trailing_comments: also remove a comment at the end of a line, after " # ".
    """
    lines: list[NumberedLine] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        content = COMMENT.sub("", line).strip() if trailing_comments else line.strip()
        if content and not content.startswith("#"):
            lines.append(NumberedLine(number, content))
    return lines


def find_lines(text: str, names: Sequence[str]) -> tuple[int, ...]:
    r"""Find the line of each class in JSON or YAML: a line that begins with its name, after an id or ``"name":``.

    Returns:
        The lines in the order of the names, from 1; empty if a name cannot be found, or all stand on one line.

    Example:
        >>> find_lines('{"classes": [\n {"name": "sky", "words": ["sky"]},\n {"name": "sea"}]}', ["sky", "sea"])
        (2, 3)
    """
    found: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if begins := _BEGINS.match(line):
            found[_unescape(begins[1]) if begins[1] is not None else (begins[2] or begins[3]).strip()].append(number)
    if any(len(found[name]) != count for name, count in Counter(names).items()):
        return ()
    places = {name: iter(lines) for name, lines in found.items()}
    lines = tuple(next(places[name]) for name in names)
    return lines if len(set(lines)) > 1 else ()


def _unescape(text: str) -> str:
    """Read what stands between the quotation marks of JSON."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
