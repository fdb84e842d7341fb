"""The confusion counts of each image, written to a journal at once, so that a stopped evaluation can be continued."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from densezero.errors import OutputError
from densezero.evaluation.differences import explain_differences
from densezero.evaluation.image_counts import ImageCounts
from densezero.jobs.journal import Journal


class CountJournals:
    """The journals of the processes of a run, side by side; each process writes its own.

    Args:
        report: the report's path, beside which they lie.
        rank: of this process.
        request: what decides the numbers; counts of another request are refused.

    Raises:
        OutputError: if counts of another request lie there.
    """

    def __init__(self, report: Path, rank: int, request: dict[str, Any]) -> None:
        self.report, self._request = report, json.loads(json.dumps(request))
        self._own = _journal(report.with_name(f".{report.name}.{rank}.counts"))
        for journal in self._all():
            self._refuse_other(journal)

    def known(self) -> Iterator[ImageCounts]:
        """Read the counts of all processes, one image at a time; raise ``OutputError`` for a damaged journal."""
        for journal in self._all():
            for _, values in journal.lines():
                try:
                    yield ImageCounts.from_json(values)
                except ValueError as error:
                    raise OutputError(f"{journal.file} is damaged ({error}). {journal.way_out}") from None

    def open(self) -> None:
        """Begin this process's journal, or go on with it."""
        if self._own.header() is None:
            self._own.start({"request": self._request})
        else:
            self._own.go_on()

    def add(self, counts: ImageCounts) -> None:
        """Write one image's counts, and wait until the device holds them."""
        self._own.append(asdict(counts), durable=True)

    def remove_all(self) -> None:
        """Take the journals of all processes away, when the report is safe."""
        for journal in self._all():
            journal.remove()

    @staticmethod
    def files_of(report: Path) -> list[Path]:
        """The journals beside a report, of all processes."""
        name = re.compile(rf"\.{re.escape(report.name)}\.[0-9]+\.counts")
        files = sorted(report.parent.iterdir()) if report.parent.is_dir() else []
        return [file for file in files if name.fullmatch(file.name)]

    def _all(self) -> list[Journal]:
        return [_journal(file) for file in self.files_of(self.report)]

    def _refuse_other(self, journal: Journal) -> None:
        header = journal.header()
        there = {} if header is None else header.get("request")
        if isinstance(there, dict) and there == self._request:
            return
        reason = explain_differences(there, self._request) if isinstance(there, dict) else "it says not of which"
        raise OutputError(
            f"{journal.file} holds counts of another request that was not finished; {reason}. Finish that one, choose "
            "another --out, or delete the file."
        )


def _journal(file: Path) -> Journal:
    return Journal(file, "Choose another --out, or delete the file to count anew.")
