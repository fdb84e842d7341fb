"""Reads text files that people write: class lists and prompt templates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from densezero.errors import VocabularyError

COMMENT = re.compile(r"(^|\s)#(\s.*)?$")
"""Only where a space follows the sign: "sign #5" is a name."""


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
