"""The log of a run: a CSV file with a row every few steps."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from densezero.atomic import output_error, write_atomically


class Log:
    """A CSV file that grows. Its columns are those of the first row.

    Args:
        file: the file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def keep_until(self, step: int) -> None:
        """Drop rows after a step, which a stopped run wrote after its last checkpoint."""
        if not self.file.exists():
            return
        with self.file.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        kept = [row for row in rows if (row.get("step") or "").isdecimal() and int(row["step"]) <= step]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["step"])
        writer.writeheader()
        writer.writerows({name: value for name, value in row.items() if name is not None} for row in kept)
        write_atomically(self.file, lambda out: out.write(text.getvalue().encode()), durable=True)
        if not kept:
            self.file.unlink()

    def add(self, row: dict[str, float]) -> None:
        """Write a row; numbers have six digits.

        Raises:
            OutputError: if it cannot be written.
        """
        try:
            new = not self.file.exists()
            with self.file.open("a", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, list(row))
                if new:
                    writer.writeheader()
                writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
        except OSError as error:
            raise output_error(self.file, error) from None
