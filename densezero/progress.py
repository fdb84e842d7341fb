"""Progress of a run as values: how many images, how fast, how much time is left. ``cli/show.py`` prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Progress:
    """Where a run stands after an image.

    Args:
        relative: the image just ended.
        error: why it failed; None if its files are written.
        done: images written in this run.
        failed: images that failed in this run.
        skipped: images found written by an earlier run.
        total: all images of the run.
        seconds: time of this run's work so far.
        unit: what is counted.
    """

    relative: str
    error: str | None
    done: int
    failed: int
    skipped: int
    total: int
    seconds: float
    unit: str = "images"

    @property
    def worked(self) -> int:
        """Images that this run has worked on."""
        return self.done + self.failed

    @property
    def rate(self) -> float:
        """Images a second in this run."""
        return self.worked / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Time that the rest takes at this rate."""
        rest = self.total - self.skipped - self.worked
        return rest / self.rate if self.rate > 0 else 0.0


class Moment(NamedTuple):
    """How far pretraining is.

    Args:
        step: steps done.
        steps: of the whole run.
        loss: mean since the last moment.
        seconds_left: at the pace of this sitting.
        seconds_a_step: pace of this sitting.
    """

    step: int
    steps: int
    loss: float
    seconds_left: float
    seconds_a_step: float


class Listener:
    """Hears of a run. All methods may be left out."""

    def note(self, text: str) -> None:
        """Something the user should read once."""

    def understood(self, text: str) -> None:
        """What was understood of the request, such as the classes; said once, before the work."""

    def result(self, text: str) -> None:
        """Lines that the user asked for, at the end of the work."""

    def embedding(self, done: int, total: int) -> None:
        """Words embedded so far, while the text bank is made."""

    def fitting(self, done: int, total: int) -> None:
        """Images encoded so far, while a common basis is fitted."""

    def step(self, what: str, done: int, total: int, unit: str) -> None:
        """How far another part of the work is, such as the drawing of a film."""

    def training(self, moment: Moment) -> None:
        """Steps of pretraining so far."""

    def image(self, progress: Progress, miou: float | None = None) -> None:
        """An image has ended, well or not; in an evaluation with the mIoU so far, percent."""
