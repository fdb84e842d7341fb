"""What a run looks like in a terminal: one line that moves on, errors above it, a sentence at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from densezero.jobs.progress import Listener, Progress

if TYPE_CHECKING:
    from densezero.jobs.run import RunSummary

SOME_FAILED, INTERRUPTED = 1, 130  # exit statuses
LINES_WITHOUT_TERMINAL = 20  # a log gets about so many progress lines, whatever the number of images


class Shower(Listener):
    """Writes a run's progress to standard error."""

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty()
        self._open_line = False

    def note(self, text: str) -> None:
        """Print a note on a line of its own."""
        self._say(f"note: {text}")

    def embedding(self, done: int, total: int) -> None:
        """Tell how far the text bank is, where it takes more than one batch."""
        if done < total or self._open_line:
            self._move(f"text {done}/{total} words")

    def fitting(self, done: int, total: int) -> None:
        """Tell how far the images are that a common basis is fitted to."""
        self._move(f"basis {done}/{total} images")

    def checking(self, done: int, total: int) -> None:
        """Tell how many pairs of a data set are checked."""
        self._move(f"checked {done}/{total} pairs")

    def image(self, progress: Progress, miou: float | None = None) -> None:
        """Tell of an image that failed, how far the run is, and the mIoU so far."""
        if progress.error is not None:
            self._say(f"failed: {progress.error}")
        ended = progress.skipped + progress.worked
        line = f"{ended}/{progress.total} images  {progress.rate:.2f}/s  {_clock(progress.seconds_left)} left"
        line += "" if miou is None else f"  mIoU {miou:.2f}"
        step = max(1, progress.total // LINES_WITHOUT_TERMINAL)
        if self._moving:
            self._move(line)
        elif ended % step == 0 or ended == progress.total:
            self._say(line)

    def summarise(self, summary: RunSummary) -> None:
        """Print what was written and where, and end the command with the exit status that says how it went.

        Raises:
            typer.Exit: unless everything is done.
        """
        if summary.stopped is not None:
            self._say(f"stopped: {summary.stopped}")
        parts = [f"{summary.done} written"]
        parts += [f"{summary.skipped} there already"] if summary.skipped else []
        parts += [f"{summary.failed} failed"] if summary.failed else []
        self.end_line()
        typer.echo(f"{', '.join(parts)}: {summary.out}")
        if summary.interrupted:
            raise typer.Exit(INTERRUPTED)
        if summary.failed or summary.stopped:
            raise typer.Exit(SOME_FAILED)

    def _say(self, text: str) -> None:
        self.end_line()
        typer.echo(text, err=True)

    def _move(self, text: str) -> None:
        if self._moving:
            typer.echo(f"\r\x1b[K{text}", err=True, nl=False)
            self._open_line = True

    def end_line(self) -> None:
        """End the line that moves, if one is open."""
        if self._open_line:
            typer.echo("", err=True)
            self._open_line = False


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
