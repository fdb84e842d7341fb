"""Opens the data that the settings name: the source of samples, its tokenizer, and what pictures of masks show."""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_bytes
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.errors import DenseZeroError, InputError
from densezero.pretrain.concepts import EDITIONS
from densezero.pretrain.data.base import Source
from densezero.pretrain.data.folder import FolderSource
from densezero.pretrain.data.scenes import SceneSource
from densezero.pretrain.data.shards import ShardSource
from densezero.pretrain.settings import DataSettings
from densezero.pretrain.wordpieces import train_tokenizer, train_wordpieces

_MOST_CAPTIONS = 20_000  # that a tokenizer is trained on
_PICTURES = 3  # more do not fit on one page


def open_source(data: DataSettings, work: Path) -> Source:
    """Open the images and captions; drawn scenes are drawn into the work folder.

    Raises:
        InputError: if there is nothing that can be used.
    """
    if data.kind == "scenes":
        return SceneSource(work / "scenes", data.scenes, data.concepts)
    if not data.place:
        raise InputError(f"Expected data.place for data of kind {data.kind!r}; it is empty.")
    if data.kind == "folder":
        return FolderSource(Path(data.place))
    files = [Path(name) for name in sorted(glob.glob(data.place))]  # noqa: PTH207 - the pattern may be absolute
    if not files:
        raise InputError(f"Expected shards in data.place, for example shards/*.tar; nothing matches {data.place!r}.")
    return ShardSource(files)


def write_tokenizer(data: DataSettings, source: Source, work: Path, *, keep: bool) -> Path:
    """Copy the given tokenizer into the work folder, or train one there.

    Args:
        data: says where it is, or how many pieces it gets.
        source: of the captions.
        work: the work folder.
        keep: keep one that lies there, because a checkpoint was made with it.

    Raises:
        ModelError: if the given one is missing.
    """
    file = work / "tokenizer.model"
    if file.exists() and keep:
        return file
    if data.tokenizer:
        Tokenizer(Path(data.tokenizer))  # refuses what is none
        write_bytes(file, Path(data.tokenizer).read_bytes())
    elif data.kind == "scenes":
        train_wordpieces(file, concepts=EDITIONS[data.concepts])
    else:
        train_tokenizer(file, _captions(source), data.vocab_size)
    return file


def _captions(source: Source) -> list[str]:
    """Texts of samples spread evenly over the source; samples that cannot be read are left out."""
    rng = np.random.default_rng(0)
    lines: list[str] = []
    for index in np.linspace(0, len(source) - 1, min(len(source), _MOST_CAPTIONS)).astype(int):
        try:
            sample = source.read(int(index), rng)
        except DenseZeroError:
            continue
        lines += [text for text in (sample.alt, sample.short, sample.long) if text]
    return lines


def picture_images(source: Source) -> list[NDArray[np.uint8]]:
    """The first three images that can be read, (H, W, 3) each."""
    images: list[NDArray[np.uint8]] = []
    for index in range(min(len(source), 4 * _PICTURES)):
        try:
            images.append(source.read(index, np.random.default_rng(0)).rgb)
        except DenseZeroError:
            continue
        if len(images) == _PICTURES:
            break
    return images


def picture_words(data: DataSettings) -> list[str]:
    """Class names of pictures of masks.

    Raises:
        InputError: if a name comes twice.
    """
    if data.words:
        words = [word.strip() for word in data.words.split(",") if word.strip()]
        if len(set(words)) < len(words):
            raise InputError(f"Expected every name in data.words once; got {data.words!r}.")
        return words
    return [concept.name for concept in EDITIONS[data.concepts]] if data.kind == "scenes" else []
