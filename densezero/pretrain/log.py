"""The log of a run: a CSV file with a row every few steps."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from densezero.atomic import output_error, write_bytes
from densezero.errors import OutputError


class Log:
    """A CSV file that grows. Its columns are those of the first row.

    Args:
        file: the file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def keep_until(self, step: int) -> None:
        """Drop rows after a step, which a stopped run wrote after its last checkpoint.

        Raises:
            OutputError: if another kind of file has the log's name. That file stays as it is.
        """
        if not os.path.lexists(self.file):
            return
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines(keepends=True)
            steps = [int(line.split(",", 1)[0]) for line in lines[1:]]
        except (OSError, ValueError):
            steps = None
        if steps is None or (lines and not lines[0].startswith("step,")):
            raise OutputError(f"Expected the log of a run in {self.file}; it is another file. Move it away to go on.")
        kept = [line for line, number in zip(lines[1:], steps, strict=True) if number <= step]
        write_bytes(self.file, "".join([*lines[:1], *kept]).encode())

    def add(self, row: dict[str, float]) -> None:
        """Write a row; numbers have six digits.

        Raises:
            OutputError: if it cannot be written.
        """
        try:
            new = not self.file.exists() or not self.file.stat().st_size
            with self.file.open("a", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, list(row))
                if new:
                    writer.writeheader()
                writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
        except OSError as error:
            raise output_error(self.file, error) from None
