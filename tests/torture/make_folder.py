"""Makes a folder of everything that a picture folder may hold, and says what must become of each file.

    python -m tests.torture.make_folder FOLDER [--part 10] [--large]

``--part 10`` makes a tenth, with every kind in it; ``--large`` adds three gigabytes of zeros named .tif.
"""

from __future__ import annotations

import argparse
import io
import os
import socket
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, features

DONE, FAILED, PASSED_OVER = "done", "failed", "passed over"
OTHERS = dict.fromkeys(("a.heix", "b.jp2x", "c.pdf", "d.txt", "e.xmp", "f", "g.mp4"), PASSED_OVER)
OTHERS |= {".hidden.png": "hidden", ".folder/a.png": "hidden"}


class Made(NamedTuple):
    """A file: its name as bytes below the folder, what must become of it, and a part of the reason."""

    name: bytes
    fate: str
    reason: str = ""


def scene(number: int, hw: tuple[int, int] = (24, 32)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (*hw, 3)).astype(np.uint8))


def encoded(image: Image.Image, form: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def sound(number: int) -> Iterator[tuple[str, bytes]]:
    """Pictures of every format and mode, with every EXIF turn, of odd sizes."""
    image = scene(number)
    deep = Image.fromarray(np.random.default_rng(number).integers(0, 65536, (24, 32)).astype(np.uint16))
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        yield f"turn{turn}.jpg", encoded(image, "JPEG", exif=exif)
        yield f"turn{turn}.png", encoded(image, "PNG", exif=exif)
    yield "grey.jpg", encoded(image.convert("L"), "JPEG")
    yield "cmyk.jpeg", encoded(image.convert("CMYK"), "JPEG")
    yield "progressive.jpe", encoded(image, "JPEG", progressive=True)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield f"{mode}.png", encoded(image.convert(mode), "PNG")
    yield "deep.png", encoded(deep, "PNG")
    yield "key.png", encoded(image.convert("P"), "PNG", transparency=0)
    yield "lossy.webp", encoded(image, "WEBP")
    yield "lossless.webp", encoded(image.convert("RGBA"), "WEBP", lossless=True)
    yield "moving.webp", encoded(image, "WEBP", save_all=True, append_images=[scene(number + 1)])
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits"):
        yield f"{compression}.tif", encoded(image, "TIFF", compression=compression)
    yield "deep.tiff", encoded(deep, "TIFF")
    yield "pages.tif", encoded(image, "TIFF", save_all=True, append_images=[scene(number + 1)])
    yield "cmyk.tif", encoded(image.convert("CMYK"), "TIFF")
    yield "plain.bmp", encoded(image, "BMP")
    yield "palette.bmp", encoded(image.convert("P"), "BMP")
    yield "moving.gif", encoded(image.convert("P"), "GIF", save_all=True, append_images=[scene(3).convert("P")])
    if features.check("avif"):
        yield "a.avif", encoded(image, "AVIF")
    for hw in ((1, 1), (1, 40), (40, 1), (3, 3), (17, 400)):
        yield f"{hw[0]}x{hw[1]}.png", encoded(scene(number, hw), "PNG")
    yield "wrong ending.jpg", encoded(image, "PNG")
    yield "text.png", encoded(image, "PNG")[:33] + _chunk(b"tEXt", b"a\0b", 7) + encoded(image, "PNG")[33:]


def hostile_names() -> list[bytes]:
    """Names that trouble shells, spreadsheets, file systems and encodings."""
    return [
        b"-leading dash.png", b"two  spaces.png", b"line\nend.png", "smile\U0001f600.png".encode(),
        "e\u0301.png".encode(), "\u00fc.png".encode(),
        b"=1+1.png", b"@sum.png", b"quote'\".png", b"a..dots..png", b"CON.png", b"no\xe9text.png",
        b"%20.png", b"$HOME.png", b"a;b&c.png", b"{}.png", b"star*.png", b"n" * 240 + b".png", b"tab\t.png", b"#1.png",
    ]  # fmt: skip


def broken(number: int) -> Iterator[tuple[str, bytes, str]]:
    """Files that are no sound picture, in twenty ways, and what must be said of them."""
    png, jpeg, tiff = (encoded(scene(number), form) for form in ("PNG", "JPEG", "TIFF"))
    gif, webp, bmp = (
        encoded(scene(number).convert("P"), "GIF"),
        encoded(scene(number), "WEBP"),
        encoded(scene(number), "BMP"),
    )
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8)
    yield "empty.jpg", b"", "empty (0 bytes)"
    yield "cut.jpg", jpeg[: len(jpeg) // 2], "cut short"
    yield "head.jpg", jpeg[:20], "cut short"
    yield "no end.jpg", jpeg[:-30], "cut short"
    yield "text.jpg", b"this is no picture", "none of these"
    yield "page.png", b"<!DOCTYPE html><html></html>", "HTML"
    yield "paper.png", b"%PDF-1.7 ...", "PDF"
    yield "zeros.png", b"\0" * 500, "zeros"
    yield "cut.png", png[: len(png) // 2], "cut short"
    yield "head.png", png[:33], "damaged"
    yield "bomb.png", png[:8] + _chunk(b"IHDR", header) + png[33:], "at most 200,000,000 pixels"
    yield "header sum.png", png[:29] + b"abcd" + png[33:], "damaged"
    yield "data.png", png[:60] + bytes(255 - byte for byte in png[60:90]) + png[90:], "damaged"
    yield "no data.png", png[:33] + _chunk(b"IEND", b""), "damaged"
    yield "cut.tif", tiff[: len(tiff) // 3], "cut short"
    yield "loop.tif", loop, "damaged"
    yield "head.tif", tiff[:8], "cut short"
    yield "cut.webp", webp[: len(webp) // 2], "cut short"
    yield "head.bmp", bmp[:20], "damaged"
    yield "head.gif", gif[:13], "damaged"


def make_folder(folder: Path, part: int = 1, large: bool = False) -> list[Made]:
    """Make the folder; 500 files and more, or a tenth of them.

    Args:
        folder: to make.
        part: 10 makes a tenth.
        large: also three gigabytes of zeros, as a file with a hole.

    Returns:
        What must become of each file.
    """
    made: list[Made] = []
    root = os.fsencode(folder)

    def put(name: bytes | str, content: bytes, fate: str, reason: str = "") -> None:
        name = name if isinstance(name, bytes) else os.fsencode(name)
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)
        made.append(Made(name, fate, reason))

    for number in range(1 if part > 1 else 9):
        for name, content in sound(number):
            put(f"sound{number}/{name}", content, DONE)
    for number in range(1 if part > 1 else 3):
        for name, content, reason in broken(number):
            put(f"broken{number}/{name}", content, FAILED, reason)
    for name in hostile_names():
        put(b"names/" + name, encoded(scene(1), "PNG"), DONE)
    for name, fate in OTHERS.items():
        put(f"others/{name}", b"something else", fate)
    if part == 1:
        put("large/wide.png", encoded(Image.new("RGB", (12_000, 9_000), (9, 90, 200)), "PNG"), DONE)
    _links(folder, made)
    if large:
        with (folder / "large" / "zeros.tif").open("wb") as file:
            file.truncate(3 << 30)
        made.append(Made(b"large/zeros.tif", FAILED, "zeros"))
    return made


def _links(folder: Path, made: list[Made]) -> None:
    """Links, loops, a pipe, a socket, and a file without permission."""
    place = folder / "links"
    place.mkdir()
    (place / "good.png").symlink_to("../sound0/RGB.png")
    (place / "gone.png").symlink_to("nowhere.png")
    (place / "self.png").symlink_to("self.png")
    (place / "up").symlink_to("..")
    os.mkfifo(place / "pipe.png")
    with socket.socket(socket.AF_UNIX) as door:
        here = Path.cwd()
        os.chdir(place)  # the path of a socket is short
        door.bind("door.png")
        os.chdir(here)
    made += [
        Made(b"links/good.png", DONE),
        Made(b"links/gone.png", FAILED, "does not exist"),
        Made(b"links/self.png", FAILED, "cannot be opened"),
        Made(b"links/pipe.png", FAILED, "device or pipe"),
        Made(b"links/door.png", FAILED, "device or pipe"),
    ]
    (place / "locked.png").write_bytes(encoded(scene(1), "PNG"))
    (place / "locked.png").chmod(0)
    if os.access(place / "locked.png", os.R_OK):  # the superuser may read everything
        (place / "locked.png").unlink()
    else:
        made.append(Made(b"links/locked.png", FAILED, "Permission denied"))


def _chunk(name: bytes, content: bytes, crc: int | None = None) -> bytes:
    sum_of = zlib.crc32(content, zlib.crc32(name)) if crc is None else crc
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", sum_of)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--large", action="store_true")
    asked = parser.parse_args()
    made = make_folder(asked.folder, asked.part, asked.large)
    for fate in sorted({one.fate for one in made}):
        print(f"{fate}: {sum(one.fate == fate for one in made)}")


if __name__ == "__main__":
    sys.exit(main())
