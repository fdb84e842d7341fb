"""The settings of ``depth`` and ``normals``, with their defaults. Importing this does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.errors import ModelError, did_you_mean
from densezero.heads.names import DEFAULT_SIDE_PX, RATIO, TASKS
from densezero.jobs.heads.rules import check_input
from densezero.jobs.settings import FolderSettings


@dataclass(frozen=True)
class MapSettings(FolderSettings):
    """One request for depth or normals.

    Args:
        task: ``"depth"`` or ``"normals"``.
        also: other tasks, from the same pass of the encoder.
        save: formats to write, out of ``MAP_FORMATS``; a task is written in those that it has.
        model: a model's name, or a path. Its heads are taken, and its encoder.
        heads: files or folders of heads, in place of the model's own.
        preset: ``"ratio"`` or ``"official"``, as in ``PRESETS``.
        side_px: short side of the model input, rounded to a multiple of the patch.
        focal_px: focal length for point clouds, pixels; None assumes one.

    Raises:
        InputError: for an unknown preset, a side below 1, or another side than the official one with that preset.
        ModelError: for an unknown task, or one that is asked for twice.
    """

    task: str = "depth"
    also: tuple[str, ...] = ()
    save: tuple[str, ...] = ("png", "npz")
    model: str = DEFAULT_MODEL
    heads: tuple[Path, ...] = ()
    preset: str = RATIO
    side_px: int = DEFAULT_SIDE_PX
    focal_px: float | None = None

    def __post_init__(self) -> None:
        check_input(self.preset, self.side_px)
        for name in self.also:
            if name not in TASKS:
                raise ModelError(f"Expected the task of a head in --also; got {name!r}. {did_you_mean(name, [*TASKS])}")
        if len({*self.tasks}) < len(self.tasks):
            raise ModelError(f"Expected each task once; got {', '.join(self.tasks)}. Leave one out of --also.")

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, the command's own first."""
        return (self.task, *self.also)
