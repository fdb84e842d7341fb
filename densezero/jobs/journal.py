"""Journals: files to which lines of JSON are only appended, so that a kill or a power cut loses at most the last line.

Every job that can be resumed keeps one. A lock keeps other runs out of the output folder meanwhile.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

from densezero.atomic import output_error, write_atomically
from densezero.errors import OutputError

VERSION: Final = 2


class Journal:
    """A file of lines: a header that says what was asked for, then a line for each thing that happened.

    Args:
        file: where it lies; it need not be there.
        way_out: what to do where it cannot be used, as a message says it.
    """

    def __init__(self, file: Path, way_out: str = "Choose another --out, or begin anew with --overwrite.") -> None:
        self.file, self.way_out = file, way_out

    def header(self) -> dict[str, Any] | None:
        """Read the header, None without a journal. Raise ``OutputError`` if another version wrote the journal."""
        if not self.file.exists():
            return None
        values = next((values for _, values in self._whole_lines()), {})
        if values.get("journal") != VERSION:
            raise OutputError(
                f"{self.file} is no journal that this version of densezero can go on from. {self.way_out}"
            )
        return values

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read the lines after the header, each with the byte at which it begins, up to one that is unfinished."""
        whole = self._whole_lines()
        next(whole, None)
        return whole

    def start(self, header: dict[str, Any], lines: Iterable[dict[str, Any]] = ()) -> None:
        """Begin a journal, in place of one that is there.

        Args:
            header: what was asked for.
            lines: what is known already.

        Raises:
            OutputError: if the file cannot be written; the old journal then stays.
        """
        whole = chain([{**header, "journal": VERSION}], lines)
        write_atomically(self.file, lambda file: file.writelines(map(encode_line, whole)), durable=True)

    def go_on(self) -> None:
        """Cut off what a kill left of an unfinished line, so that the next one begins where the last one ends."""
        end = 0
        for start, _ in self._whole_lines():
            end = start
        with self._telling(), self.file.open("r+b") as file:
            file.seek(end)
            file.readline()
            file.truncate()

    def append(self, *lines: dict[str, Any], durable: bool = False) -> int:
        """Add lines at the end.

        Args:
            lines: to add.
            durable: wait until the device holds the journal.

        Returns:
            The byte at which the first one begins.

        Raises:
            OutputError: if the journal has gone or cannot be written; none of the lines is there then.
        """
        content = b"".join(map(encode_line, lines))
        with self._telling(), self.file.open("r+b", buffering=0) as file:
            start = file.seek(0, os.SEEK_END)
            try:
                if file.write(content) < len(content):
                    raise OSError(errno.ENOSPC, "only a part was written")
            except OSError:
                file.truncate(start)
                raise
            if durable:
                os.fsync(file.fileno())
        return start

    def read(self, starts: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Read the lines that begin at these bytes; raise ``OutputError`` if the journal was changed."""
        try:
            with self.file.open("rb") as file:
                for start in starts:
                    file.seek(start)
                    yield decode_line(file.readline())
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{self.file} cannot be read again ({type(error).__name__}: {error}); was it changed by another "
                "program? Run the same command again to go on."
            ) from None

    def remove(self) -> None:
        """Take the journal away, when all that it says is safe elsewhere."""
        with self._telling():
            self.file.unlink(missing_ok=True)

    def _whole_lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        start = 0
        try:
            with self.file.open("rb") as file:
                for line in file:
                    yield start, decode_line(line)
                    start += len(line)
        except ValueError:
            return
        except OSError as error:
            raise OutputError(f"{self.file} cannot be read ({error.strerror}). Check its permissions.") from None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn the operating system's reason into a sentence."""
        try:
            yield
        except OSError as error:
            raise output_error(self.file, error) from None


def encode_line(values: dict[str, Any]) -> bytes:
    """A line of a journal; a file name may hold bytes that are no text."""
    return (json.dumps(values, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape")


def decode_line(line: bytes) -> dict[str, Any]:
    """Read a line of a journal.

    Raises:
        ValueError: if it is not whole.
    """
    if not line.endswith(b"\n"):
        raise ValueError("a line was cut off")
    try:
        values = json.loads(line.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise ValueError("a line is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, got {type(values).__name__}")
    return values
