"""Drawn training scenes as a source. They are drawn once to disk; their captions are written anew at each reading."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically, write_bytes
from densezero.errors import InputError
from densezero.pretrain.captions import SceneContent, alt_text, long_text, short_text, visible_content
from densezero.pretrain.data.base import Sample, Skipped
from densezero.pretrain.held_out import training_scene
from densezero.pretrain.pool import POOL_PX, TRAINING_STREAM
from densezero.pretrain.scenes import PlacedThing

_PIXELS: Final = "rgb.u8"
_CONTENTS: Final = "contents.json"
_DONE: Final = "done.json"  # is written last, so a drawing that was stopped starts again


class SceneSource:
    """Scenes of 224 px without held-out combinations. The first use of a folder draws them, on all cores.

    Args:
        folder: is created if it does not exist.
        count: number of scenes.

    Raises:
        InputError: the folder has another number of scenes.
    """

    def __init__(self, folder: Path, count: int) -> None:
        if count < 1:
            raise InputError(f"expected at least one scene, got {count}")
        self.skipped = Skipped()
        stored = _stored_count(folder)
        if stored is None:
            _draw_all(folder, count)
        elif stored != count:
            raise InputError(
                f"{folder}: expected {count} drawn scenes, but it has {stored}; give {stored} or another folder, or "
                "delete this one"
            )
        self._rgb = np.memmap(folder / _PIXELS, np.uint8, "r", shape=(count, POOL_PX, POOL_PX, 3))
        self._contents = [_from_json(content) for content in json.loads((folder / _CONTENTS).read_text())]

    def __len__(self) -> int:
        return len(self._contents)

    def read(self, index: int, rng: np.random.Generator) -> Sample:
        """Read a scene, and write its three captions."""
        content = self._contents[index]
        rgb = np.array(self._rgb[index])
        return Sample(rgb, alt_text(content, rng), short_text(content, rng), long_text(content, rng))

    def describe(self) -> dict[str, Any]:
        """Describe the source for the record of a training run."""
        return {"source": "scenes", "samples": len(self), "side_px": POOL_PX, "stream": TRAINING_STREAM}


def _stored_count(folder: Path) -> int | None:
    """Give the number of scenes in a folder; None if they were never drawn to the end."""
    marker = folder / _DONE
    return int(json.loads(marker.read_text())["count"]) if marker.exists() else None


def _draw_all(folder: Path, count: int) -> None:
    contents: list[SceneContent] = []

    def draw(file: BinaryIO) -> None:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
            try:
                for rgb, content in workers.map(_draw_one, range(count), chunksize=8):
                    file.write(rgb.tobytes())
                    contents.append(content)
            except BaseException:
                workers.shutdown(wait=False, cancel_futures=True)
                raise

    write_atomically(folder / _PIXELS, draw, durable=True)
    write_bytes(folder / _CONTENTS, json.dumps(contents).encode())
    write_bytes(folder / _DONE, json.dumps({"count": count}).encode())


def _draw_one(index: int) -> tuple[NDArray[np.uint8], SceneContent]:
    scene = training_scene(TRAINING_STREAM, index, (POOL_PX, POOL_PX))
    return scene.rgb, visible_content(scene)


def _from_json(content: list[Any]) -> SceneContent:
    """Turn the lists of a JSON file into the tuples that were written."""
    things, stuff = content
    placed = (PlacedThing(*thing) for thing in things)
    return SceneContent(tuple(t._replace(centre=(t.centre[0], t.centre[1])) for t in placed), tuple(stuff))
