"""Prints a run in the terminal: a progress line, errors above it, and a summary at the end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from densezero.output.formats import NAMES, run_files_of
from densezero.progress import Listener, Moment, Progress

if TYPE_CHECKING:
    from densezero.jobs.run import RunSummary

SOME_FAILED, INTERRUPTED = 1, 130  # exit statuses
LINES_WITHOUT_TERMINAL = 20  # a log gets about this number of progress lines, however many images there are


class Shower(Listener):
    """Writes a run's progress to standard error.

    Args:
        quiet: only errors, and the sentence at the end.
        verbose: a line for every image.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._moving = sys.stderr.isatty() and not quiet
        self._open_line = False

    def note(self, text: str) -> None:
        """Print a note on a line of its own."""
        if not self._quiet:
            self._say(f"note: {text}")

    def understood(self, text: str) -> None:
        """Print what was understood of the request."""
        if not self._quiet:
            self._say(text)

    def result(self, text: str) -> None:
        """Print what was asked for on standard output."""
        self.end_line()
        typer.echo(text)

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

    def step(self, what: str, done: int, total: int, unit: str) -> None:
        """Tell how far another part of the work is."""
        self._move(f"{what} {done}/{total} {unit}")

    def training(self, moment: Moment) -> None:
        """Tell how far pretraining is."""
        line = f"step {moment.step}/{moment.steps}  loss {moment.loss:.3f}  {moment.seconds_a_step:.2f} s/step  "
        line += f"{_clock(moment.seconds_left)} left"
        if self._moving:
            self._move(line)
        elif not self._quiet:
            self._say(line)

    def image(self, progress: Progress, miou: float | None = None) -> None:
        """Tell of an image that failed, how far the run is, and the mIoU so far."""
        if progress.error is not None:
            self._say(f"failed: {progress.error}")
        elif self._verbose and not self._quiet:
            self._say(f"done: {progress.relative}")
        ended = progress.skipped + progress.worked
        line = f"{ended}/{progress.total} {progress.unit}  {progress.rate:.2f}/s  {_clock(progress.seconds_left)} left"
        line += "" if miou is None else f"  mIoU {miou:.2f}"
        step = max(1, progress.total // LINES_WITHOUT_TERMINAL)
        if self._moving:
            self._move(line)
        elif not self._quiet and (ended % step == 0 or ended == progress.total):
            self._say(line)

    def summarise(self, summary: RunSummary) -> None:
        """Print what was written and where, and end the command with the exit status that says how it went.

        Raises:
            typer.Exit: unless everything is done.
        """
        if summary.stopped is not None and not summary.interrupted:  # ``main`` reports an interrupt
            self._say(f"stopped: {summary.stopped}")
        parts = [f"{summary.done} to do" if summary.dry_run else f"{summary.done} written"]
        parts += [f"{summary.skipped} there already"] if summary.skipped else []
        parts += [f"{summary.failed} failed"] if summary.failed else []
        of_run = {file for name in NAMES for file in run_files_of(name)}
        tables = list(dict.fromkeys(file.split("/")[0] for file in summary.files if file in of_run))
        parts += [f"{' and '.join(filter(None, (', '.join(tables[:-1]), tables[-1])))} written"] if tables else []
        self.end_line()
        typer.echo(f"{'dry run, nothing written: ' if summary.dry_run else ''}{', '.join(parts)}: {summary.out}")
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


def show_json(content: Any) -> None:
    """Print JSON on standard output."""
    typer.echo(json.dumps(content, indent=1, default=str))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
