"""Reading the small text files that people write: class lists and templates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from densezero.errors import VocabularyError

COMMENT = re.compile(r"(^|\s)#.*$")


class NumberedLine(NamedTuple):
    """A line that says something, and its number in the file, counted from 1."""

    number: int
    text: str


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        VocabularyError: it cannot be read, or is no UTF-8; the message names the file, and the line of the wrong byte.
        FileNotFoundError: there is no such file.
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
    """Give the lines that say something, trimmed, without blank lines and ``#`` comments.

    Args:
        text: the whole file; lines end as on any system.
        trailing_comments: also cut a comment that follows a space within a line.
    """
    lines: list[NumberedLine] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        said = COMMENT.sub("", line).strip() if trailing_comments else line.strip()
        if said and not said.startswith("#"):
            lines.append(NumberedLine(number, said))
    return lines
