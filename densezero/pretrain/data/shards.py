"""WebDataset shards as a source: tar files whose members ``0001.jpg`` and ``0001.txt`` are one sample."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from densezero.errors import InputError
from densezero.images import decode_rgb
from densezero.pretrain.data.base import Sample, Skipped, check_captions, names_hash

IMAGE_ENDINGS: Final = ("jpg", "jpeg", "png", "webp")
TEXT_ENDINGS: Final = ("txt", "short.txt", "long.txt")  # of alt, short and long
_TAR_BLOCK: Final = 512  # bytes


class Member(NamedTuple):
    """The place of a member in its shard: first byte and number of bytes."""

    offset: int
    size: int


class ShardSample(NamedTuple):
    """The members of one sample, by their endings in lower case."""

    shard: Path
    key: str
    members: dict[str, Member]

    @property
    def name(self) -> str:
        """The shard and the key, for messages."""
        return f"{self.shard}: {self.key}"


class ShardSource:
    """Samples of tar files in the layout of WebDataset. The package ``webdataset`` is not needed.

    A key is the path of a member up to the first dot of its last part. A sample has an image (jpg, jpeg, png or webp)
    and captions: ``txt`` for the alt text, ``short.txt``, ``long.txt``, or ``json`` with the keys alt or caption, short
    and long. The headers of all shards are read once. Then members are read by their place in the file, so an index
    gives the same sample at any time, and a training run can go on where it stopped. It is not a streaming reader: the
    shards must be uncompressed files on this machine.

    Samples without image or caption, and shards that are cut short or damaged, are counted in ``skipped``. Of such a
    shard, the whole members before the damage are used.

    Args:
        files: the shards, in order.

    Raises:
        InputError: a shard does not exist, or no shard has a usable sample.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        missing = [str(file) for file in self.files if not file.is_file()]
        if missing:
            raise InputError(f"expected {len(self.files)} shards, but these do not exist: {', '.join(missing[:5])}")
        self.skipped = Skipped()
        grouped = [sample for file in self.files for sample in _scan(file, self.skipped)]
        self._samples = [sample for sample in grouped if self._is_usable(sample)]
        if not self._samples:
            reasons = "; ".join(self.skipped.describe()) or "they are empty"
            raise InputError(
                f"expected images and captions with the same key in {len(self.files)} shards, such as 0001.jpg and "
                f"0001.txt, but there are none: {reasons}"
            )

    def __len__(self) -> int:
        return len(self._samples)

    def read(self, index: int, rng: np.random.Generator) -> Sample:
        """Read an image and its captions.

        Raises:
            InputError: a member cannot be read, or all texts are empty. The message names the shard and the key.
        """
        del rng
        sample = self._samples[index]
        ending = next(ending for ending in IMAGE_ENDINGS if ending in sample.members)
        rgb = decode_rgb(_read(sample, ending), f"{sample.name}.{ending}")
        alt, short, long = _read_texts(sample)
        return check_captions(Sample(rgb, alt, short, long), sample.name)

    def phrases(self, rng: np.random.Generator) -> list[str]:
        """Give none: these images have no labels."""
        del rng
        return []

    def describe(self) -> dict[str, Any]:
        """Describe the source for the record of a training run."""
        return {
            "source": "shards",
            "files": [str(file) for file in self.files],
            "samples": len(self),
            "names": names_hash(f"{sample.shard.name}/{sample.key}" for sample in self._samples),
            "skipped": self.skipped.describe(),
        }

    def _is_usable(self, sample: ShardSample) -> bool:
        """Whether a sample has an image and a caption; if not, count it."""
        if not any(ending in sample.members for ending in IMAGE_ENDINGS):
            self.skipped.add(sample.name, "sample without an image")
            return False
        if any(sample.members[ending].size for ending in TEXT_ENDINGS if ending in sample.members):
            return True
        try:
            usable = any(_read_texts(sample))  # of the json
        except InputError as error:
            self.skipped.add(str(error), "captions that cannot be read")
            return False
        if not usable:
            self.skipped.add(sample.name, "sample without a caption")
        return usable


def _scan(file: Path, skipped: Skipped) -> list[ShardSample]:
    """Read the headers of a shard, and group its members by their key."""
    samples: dict[str, ShardSample] = {}
    bytes_of_file = file.stat().st_size
    try:
        with tarfile.open(file, "r:") as shard:
            while (info := shard.next()) is not None:
                if info.offset_data + info.size > bytes_of_file:
                    skipped.add(f"{file}: {info.name}", "member that is cut short")
                elif info.isfile():
                    _add_member(samples, file, info, skipped)
            end = shard.offset
        # tarfile takes a damaged or missing header for the end of the archive; the true end is a block of zeros.
        whole = _read_bytes(file, Member(end, _TAR_BLOCK)) == bytes(_TAR_BLOCK)
    except (tarfile.TarError, OSError, EOFError, ValueError):
        whole = False
    if not whole:
        skipped.add(str(file), "rest of a shard that is cut short, damaged or compressed")
    return list(samples.values())


def _add_member(samples: dict[str, ShardSample], file: Path, info: tarfile.TarInfo, skipped: Skipped) -> None:
    folder, slash, base = info.name.removeprefix("./").rpartition("/")
    stem, _, ending = base.partition(".")
    if not stem or not ending:  # a hidden file, or a file without an ending
        skipped.add(f"{file}: {info.name}", "member without a key or an ending")
        return
    key = f"{folder}{slash}{stem}"
    members = samples.setdefault(key, ShardSample(file, key, {})).members
    if ending.lower() in members:
        skipped.add(f"{file}: {info.name}", "member with the name of an earlier one")
        return
    members[ending.lower()] = Member(info.offset_data, info.size)


def _read_texts(sample: ShardSample) -> list[str]:
    """Read alt, short and long; the texts of ``json`` fill in for missing ones."""
    texts = [_decode(_read(sample, e), f"{sample.name}.{e}") if e in sample.members else "" for e in TEXT_ENDINGS]
    if "json" not in sample.members or all(texts):
        return texts
    name = f"{sample.name}.json"
    try:
        found = json.loads(_decode(_read(sample, "json"), name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: expected JSON, but it cannot be read ({error}); write it again") from error
    if not isinstance(found, dict):
        raise InputError(f"{name}: expected a JSON object with captions, but it is a {type(found).__name__}")
    words = {
        key: text.encode("utf-8", "replace").decode().strip() for key, text in found.items() if isinstance(text, str)
    }
    others = (words.get("alt") or words.get("caption", ""), words.get("short", ""), words.get("long", ""))
    return [text or other for text, other in zip(texts, others, strict=True)]


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: expected a text in UTF-8, but it cannot be read ({error}); save it again") from error


def _read(sample: ShardSample, ending: str) -> bytes:
    member = sample.members[ending]
    try:
        content = _read_bytes(sample.shard, member)
    except OSError as error:
        raise InputError(f"{sample.name}.{ending}: expected a readable shard, but it is not ({error})") from error
    if len(content) < member.size:
        raise InputError(
            f"{sample.name}.{ending}: expected {member.size} bytes, but the shard ends after {len(content)}; it has "
            "changed since the start"
        )
    return content


def _read_bytes(file: Path, member: Member) -> bytes:
    with file.open("rb") as stream:
        stream.seek(member.offset)
        return stream.read(member.size)
