"""Drawn training scenes as a source. They are drawn once to disk; their captions are written anew at each reading."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from densezero.atomic import write_atomically, write_bytes
from densezero.errors import InputError
from densezero.pretrain.captions import SceneContent, alt_text, long_text, region_phrase, short_text, visible_content
from densezero.pretrain.concepts import EDITIONS
from densezero.pretrain.data.base import Sample, Skipped
from densezero.pretrain.held_out import training_scene
from densezero.pretrain.scenes import PlacedThing, Scene

SIDE_PX: Final = 224
TRAINING_STREAM: Final = 1  # first number of all training seeds; scenes for evaluation have other first numbers

_PIXELS: Final = "rgb.u8"
_LABELS: Final = "labels.u8"
_CONTENTS: Final = "contents.json"
_DONE: Final = "done.json"  # is written last, so a drawing that was stopped starts again


@dataclass(frozen=True)
class _Drawn:
    """What a folder has: the number of scenes, and the name of their edition."""

    count: int
    concepts: str

    def __str__(self) -> str:
        return f"{self.count} drawn scenes with the concepts {self.concepts!r}"


class SceneSource:
    """Scenes of 224 px without held-out combinations. The first use of a folder draws them, on all cores.

    Args:
        folder: is created if it does not exist.
        count: number of scenes.
        concepts: what they can show: ``"first"`` for the 30 concepts of the first edition, ``"all"`` for all 44.

    Raises:
        InputError: the folder has another number of scenes, or scenes of other concepts.
    """

    def __init__(self, folder: Path, count: int, concepts: str = "first") -> None:
        if count < 1:
            raise InputError(f"expected at least one scene, got {count}")
        if concepts not in EDITIONS:
            raise InputError(f"expected the concepts {' or '.join(map(repr, EDITIONS))}, got {concepts!r}")
        self.skipped = Skipped()
        self._concepts = concepts
        stored, expected = _stored(folder), _Drawn(count, concepts)
        if stored is None:
            _draw_all(folder, expected)
        elif stored != expected:
            raise InputError(
                f"{folder}: expected {expected}, but it has {stored}; ask for those, give another folder, or delete "
                "this one"
            )
        shape = (count, SIDE_PX, SIDE_PX)
        self._rgb = np.memmap(folder / _PIXELS, np.uint8, "r", shape=(*shape, 3))
        self._labels = np.memmap(folder / _LABELS, np.uint8, "r", shape=shape)
        self._contents = [_from_json(content) for content in json.loads((folder / _CONTENTS).read_text())]

    def __len__(self) -> int:
        return len(self._contents)

    def read(self, index: int, rng: np.random.Generator) -> Sample:
        """Read a scene and its label map, and write its three captions."""
        content = self._contents[index]
        return Sample(
            rgb=np.array(self._rgb[index]),
            alt=alt_text(content, rng),
            short=short_text(content, rng),
            long=long_text(content, rng),
            labels=np.array(self._labels[index]),
        )

    def phrases(self, rng: np.random.Generator) -> list[str]:
        """Write a phrase for each concept."""
        return [region_phrase(index, rng) for index in range(len(EDITIONS[self._concepts]))]

    def describe(self) -> dict[str, Any]:
        """Describe the source for the record of a training run."""
        return {
            "source": "scenes",
            "samples": len(self),
            "side_px": SIDE_PX,
            "stream": TRAINING_STREAM,
            "concepts": self._concepts,
        }


def _stored(folder: Path) -> _Drawn | None:
    """Say what a folder has; None if it was never drawn to the end, or is of a version without label maps."""
    marker = folder / _DONE
    if not marker.exists() or not (folder / _LABELS).exists():
        return None
    return _Drawn(**json.loads(marker.read_text()))


def _draw_all(folder: Path, drawn: _Drawn) -> None:
    contents: list[SceneContent] = []

    def draw(rgb: BinaryIO, labels: BinaryIO) -> None:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
            try:
                draw_one = partial(_draw_one, concepts=drawn.concepts)
                for scene in workers.map(draw_one, range(drawn.count), chunksize=8):
                    rgb.write(scene.rgb.tobytes())
                    labels.write(scene.labels.tobytes())
                    contents.append(visible_content(scene))
            except BaseException:
                workers.shutdown(wait=False, cancel_futures=True)
                raise

    (folder / _DONE).unlink(missing_ok=True)  # of a version without label maps
    write_atomically(
        folder / _PIXELS,
        lambda rgb: write_atomically(folder / _LABELS, partial(draw, rgb), durable=True),
        durable=True,
    )
    write_bytes(folder / _CONTENTS, json.dumps(contents).encode())
    write_bytes(folder / _DONE, json.dumps(asdict(drawn)).encode())


def _draw_one(index: int, concepts: str) -> Scene:
    return training_scene(TRAINING_STREAM, index, (SIDE_PX, SIDE_PX), concepts=EDITIONS[concepts])


def _from_json(content: list[Any]) -> SceneContent:
    """Turn the lists of a JSON file into the tuples that were written."""
    things, stuff = content
    placed = (PlacedThing(*thing) for thing in things)
    return SceneContent(tuple(t._replace(centre=(t.centre[0], t.centre[1])) for t in placed), tuple(stuff))
