"""Mutated bytes for everything that reads a user's file: each either works or says in a sentence why not.

    python -m tests.torture.fuzz --minutes 30

Seeds are the project's own files: pictures of every format, class lists in every notation, templates, the JSON files of
runs, reports, journals, weights and bases. Only errors of ours may come out, within a few seconds and without a crash.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from densezero import load_results
from densezero.encoders.catalog import load_encoder
from densezero.errors import DenseZeroError
from densezero.evaluation.image_counts import ImageCounts, PairState
from densezero.evaluation.report import read_report
from densezero.features import load_basis
from densezero.features.clusters import load_clusters
from densezero.images import read_rgb
from densezero.images.label_maps import read_label_map
from densezero.images.sizes import read_hw
from densezero.jobs.evaluate.counts import CountJournals
from densezero.jobs.manifest import read_earlier
from densezero.jobs.places import OutputFolder
from densezero.output.coco import CocoImage, coco_pieces, read_coco, write_coco
from densezero.vocabulary import load_class_list, load_templates, parse_inline
from tests.evaluation.reports import make_report

LIMIT_S = 20
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"\0",
    b"\xff",
    b"\n",
    b"=",
    b"|",
    b"#",
]

Target = tuple[str, Callable[[Path], object], list[bytes]]


def mutate(content: bytes, chance: np.random.Generator) -> bytes:
    """Change a few places: flip bits, cut, repeat, insert, overwrite, or exchange numbers."""
    data = bytearray(content)
    for _ in range(int(chance.integers(1, 6))):
        place = int(chance.integers(0, len(data) + 1))
        length = int(chance.integers(1, 1 + max(1, len(data) // 8)))
        kind = int(chance.integers(0, 7))
        if kind == 0 and data:
            data[place % len(data)] ^= 1 << int(chance.integers(0, 8))
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length]
        elif kind == 3:
            data[place:place] = TOKENS[int(chance.integers(0, len(TOKENS)))]
        elif kind == 4:
            data[place : place + 4] = chance.bytes(4)
        elif kind == 5:
            data[place : place + 4] = (2 ** int(chance.integers(0, 32))).to_bytes(5, "big")[1:]
        else:
            del data[place:]
    return bytes(data)


def picture_seeds() -> list[bytes]:
    rgb = np.random.default_rng(0).integers(0, 256, (9, 13, 3)).astype(np.uint8)
    image = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x0112] = 6
    forms = [
        ("JPEG", image, {"exif": exif}), ("JPEG", image.convert("CMYK"), {}), ("JPEG", image, {"progressive": True}),
        ("PNG", image, {"exif": exif}), ("PNG", image.convert("P"), {"transparency": 3}),
        ("PNG", Image.fromarray(rgb[..., 0].astype(np.uint16) * 200), {}), ("PNG", image.convert("1"), {}),
        ("WEBP", image, {"lossless": True}), ("TIFF", image, {"compression": "tiff_lzw"}),
        ("TIFF", image.convert("RGBA"), {}), ("TIFF", image, {"compression": "jpeg"}), ("BMP", image, {}),
        ("GIF", image.convert("P"), {"save_all": True, "append_images": [image.convert("P")]}), ("AVIF", image, {}),
    ]  # fmt: skip
    seeds = []
    for form, picture, how in forms:
        file = io.BytesIO()
        picture.save(file, form, **how)
        seeds.append(file.getvalue())
    return seeds


def json_seeds() -> tuple[list[bytes], list[bytes], list[bytes], list[bytes]]:
    entry = {"relative": "a.png", "status": "done", "source": "/a.png", "stamp": "1", "sha256": "ab", "hw": [2, 3],
             "outputs": ["labels/a.png"], "pixels": {"0": 6}, "pieces": 1, "seconds": 0.1, "error": None}  # fmt: skip
    run = {"version": 2, "files": ["areas.csv"], "request": {"hash_version": 2, "classes": ["sky"]}, "images": [entry]}
    journal = [
        {"request": run["request"], "journal": 2},
        {"files": ["areas.csv"]},
        {**entry, "pieces": [[0, "06", 6, [0]]]},
    ]
    counts = ImageCounts.from_matrix(
        "a", PairState(("1", "2"), ("a", "b")), np.eye(3, dtype=np.int64), 0, {"read": 0.1}
    )
    counted = [{"request": {"model": "nano"}, "journal": 2}, asdict(counts)]
    lines = [b"\n".join(json.dumps(line).encode() for line in of) + b"\n" for of in (journal, counted)]
    return [json.dumps(run, indent=1).encode()], [lines[0]], [lines[1]], [make_report().to_bytes()]


LISTS = [
    b"sky\ngrass # green\nboat=sailing ship|yacht\n", b"id,name\n0,sky\n1,grass\n", b"name;synonyms\nboat;ship\nsky;\n",
    b"Idx\tRatio\tName\n1\t0.1\twall\n2\t0.2\tbuilding, edifice\n", b"0: sky\n1: sea\n",
]  # fmt: skip
JSON_LISTS = [
    b'["sky", ["boat", "ship"]]', b'{"0": "sky", "1": "grass"}', b'{"id2label": {"0": "sky"}}',
    b'{"categories": [{"id": 3, "name": "sky"}, {"id": 7, "name": "sea"}]}', b'{"sky": [], "boat": ["ship"]}',
]  # fmt: skip
YAML_LISTS = [b"names:\n  0: sky\n  1: grass\nnc: 2\n", b"- sky\n- [boat, ship]\n", b"names: [sky, grass]\n"]


def weight_seeds(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """A basis, and a small archive of arrays."""
    from densezero.features.choices import GridChoice
    from densezero.jobs.features.pca import draw_pca
    from densezero.jobs.features.settings import PcaSettings
    from tests.jobs.photos import write_scenes

    pictures = write_scenes(folder / "scenes", ["a.png", "b.png"])
    out = folder / "pca"
    draw_pca(PcaSettings((pictures,), out, models=("nano",), shows=("pca", "kmeans"), grid=GridChoice(8)))
    fitted = [(out / "fitted" / f"nano.{kind}.safetensors").read_bytes() for kind in ("basis", "clusters")]
    archive = io.BytesIO()
    np.savez(archive, **{"a": np.zeros((2, 3), np.float32), "b": np.arange(4)})
    return fitted, [archive.getvalue()]


def read_folder(path: Path) -> None:
    """A run.json or a journal, where a run looks for it."""
    read_earlier(OutputFolder(path.parent))
    if path.name == "run.json":
        (path.parent / "classes.json").write_bytes(b'{"name": "a", "classes": [{"name": "sky"}]}')
        load_results(path.parent)


def read_counts(path: Path) -> None:
    """The counts of a process beside their report."""
    list(CountJournals(path.parent / "r.json", 0, {"model": "nano"}).known())


def read_inline(path: Path) -> None:
    """Class names on the command line."""
    parse_inline(path.read_bytes().decode("utf-8", "surrogateescape"))


def targets(folder: Path) -> list[Target]:
    """Everything that reads a file: its name, what reads it, and whole files to begin with."""
    from densezero.vocabulary import ClassList

    runs, journals, counts, reports = json_seeds()
    fitted, archives = weight_seeds(folder)
    label = io.BytesIO()
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(label, "PNG")
    classes = ClassList.from_json('{"name": "a", "classes": [{"name": "sky"}, {"name": "sea"}]}')
    pieces = coco_pieces(np.array([[0, 1], [1, 1]], np.uint8), 2)
    write_coco(folder / "seed.json", lambda: [CocoImage("a.png", (2, 2), pieces)], classes)
    pictures = picture_seeds()
    return [
        ("picture.bin", read_rgb, pictures),
        ("header.bin", read_hw, pictures),
        ("label.png", read_label_map, [label.getvalue(), *pictures[3:7]]),
        ("list.txt", load_class_list, LISTS),
        ("list.csv", load_class_list, LISTS),
        ("list.json", load_class_list, JSON_LISTS),
        ("list.yaml", load_class_list, YAML_LISTS),
        ("inline.bin", read_inline, [b"sky, bird (duck, goose), boat=ship|yacht"]),
        ("templates.txt", load_templates, [b"a photo of a {}.\n{} in the scene\n"]),
        ("run.json", read_folder, runs),
        (".run.journal", read_folder, journals),
        (".r.json.0.counts", read_counts, counts),
        ("coco.json", lambda path: list(read_coco(path)), [(folder / "seed.json").read_bytes()]),
        ("r.json", read_report, reports),
        ("basis.safetensors", load_basis, fitted[:1]),
        ("clusters.safetensors", load_clusters, fitted[1:]),
        ("a_vision.npz", load_encoder, archives),
    ]  # fmt: skip


class TooLong(BaseException):
    """A case that does not end."""


def try_case(target: Target, seed: int, folder: Path) -> str:
    """Give one mutated file to what reads it; say how that ended.

    Raises:
        AssertionError: if anything but an error of ours comes out.
    """
    name, read, seeds = target
    chance = np.random.default_rng(seed)
    content = mutate(seeds[int(chance.integers(0, len(seeds)))], chance)
    place = folder / "case"
    place.mkdir(exist_ok=True)
    file = place / name
    file.write_bytes(content)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(file)
        return "read"
    except DenseZeroError as error:
        assert str(error).strip(), "an error without words"
        return "refused"
    except (Exception, TooLong) as error:
        kept = Path(tempfile.gettempdir()) / f"densezero-fuzz-{name}-{seed}"
        kept.write_bytes(content)
        raise AssertionError(f"{name}, seed {seed}, kept as {kept}: {type(error).__name__}: {error}") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for left in place.iterdir():
            left.unlink()


def stop(number: int, frame: object) -> None:
    raise TooLong(f"more than {LIMIT_S} s")


def fuzz(folder: Path, cases: int, minutes: float, seed: int) -> tuple[Counter[str], list[str]]:
    """Try so many cases, or for so long; give how they ended, and what was found."""
    signal.signal(signal.SIGALRM, stop)
    chosen = targets(folder)
    ends, found = Counter[str](), []
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    for number in range(cases or sys.maxsize):
        if time.monotonic() > end:
            break
        target = chosen[number % len(chosen)]
        try:
            ends[f"{target[0]} {try_case(target, seed + number, folder)}"] += 1
        except AssertionError as error:
            found.append(str(error))
            print(error, flush=True)
    return ends, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="densezero-fuzz-") as folder:
        ends, found = fuzz(Path(folder), 0, asked.minutes, asked.seed)
    for name, count in sorted(ends.items()):
        print(f"{count:>8}  {name}")
    print(f"{sum(ends.values())} cases ended well, {len(found)} did not")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
