import importlib.util
import os
import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from densezero.errors import InputError
from densezero.images import MAX_PIXELS, read_rgb

from .draw import WHOLE, chunk, draw_scene, encode, png, tiff

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.jpg: expected .* it does not exist"):
        read_rgb(tmp_path / "gone.jpg")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="this is a folder"):
        read_rgb(tmp_path)


def test_an_empty_file_is_refused(refuse):
    assert "empty (0 bytes)" in refuse(b"", name="empty.jpg")


def test_a_pipe_is_refused_at_once(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system makes no pipes")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="device or pipe"):
        read_rgb(tmp_path / "pipe.jpg")


def test_a_file_without_permission_is_refused(tmp_path, monkeypatch):
    (tmp_path / "locked.png").write_bytes(encode(draw_scene(), "PNG"))

    def refuse_open(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse_open)
    with pytest.raises(InputError, match=r"locked\.png: .*Permission denied.*permissions"):
        read_rgb(tmp_path / "locked.png")


def test_a_path_that_no_file_can_have_is_refused():
    with pytest.raises(InputError, match="cannot be opened"):
        read_rgb(Path("a\0b.jpg"))


@pytest.mark.parametrize(
    "content", [b"x", b"Dear diary, this is no picture.\n" * 9, b"<svg/>", b"RIFF1234WAVEfmt ", bytes(99)]
)
def test_a_text_named_jpg_is_refused(refuse, content):
    message = refuse(content, name="diary.jpg")
    assert "JPEG, PNG, WebP, TIFF, BMP, GIF" in message
    assert "convert it" in message


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_refused_or_whole_and_never_grey(read, tmp_path, kind):
    whole = WHOLE[kind]
    expected = read(whole)
    refused = 0
    for end in [*range(1, len(whole), 1 + len(whole) // 60), *range(len(whole) - 30, len(whole))]:
        (tmp_path / "cut").write_bytes(whole[:end])
        try:
            assert np.array_equal(read_rgb(tmp_path / "cut"), expected), end
        except InputError as error:
            refused += 1
            assert "cut:" in str(error)
    assert refused > 50


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_half_a_file_says_that_it_is_cut_short(refuse, kind):
    message = refuse(WHOLE[kind][: len(WHOLE[kind]) * 3 // 4], name="half.jpg")
    assert "cut short" in message
    assert "copy it again" in message


def test_a_flipped_bit_in_png_pixels_is_noticed(refuse):
    damaged = bytearray(WHOLE["png"])
    damaged[damaged.index(b"IDAT") + 60] ^= 8
    assert "damaged" in refuse(bytes(damaged))


def test_random_damage_raises_input_error_and_nothing_else(tmp_path):
    draw = random.Random(5)
    path = tmp_path / "damaged"
    for whole in WHOLE.values():
        if whole[:2] in (b"II", b"MM"):
            continue  # libtiff writes its own complaints to standard error
        for _ in range(25):
            damaged = bytearray(whole)
            for _ in range(draw.choice((1, 2, 8))):
                damaged[draw.randrange(8, min(len(damaged), 200))] = draw.randrange(256)
            path.write_bytes(damaged)
            try:
                assert read_rgb(path).ndim == 3
            except InputError:
                continue


@pytest.mark.parametrize(
    "mistake", [struct.error, KeyError, MemoryError, RecursionError, AttributeError, ZeroDivisionError]
)
def test_whatever_a_decoder_raises_becomes_one_sentence(refuse, monkeypatch, mistake):
    def fail(self):
        raise mistake

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    assert mistake.__name__ in refuse(WHOLE["bmp"])


def header_of_png(hw):
    return png(hw, 1, 0, [b""])


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path):
    packer = zlib.compressobj(1)
    row = bytes(1 + 20_000 // 8)
    data = b"".join(packer.compress(row) for _ in range(20_000)) + packer.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"bomb\.png: .*20,000 × 20,000 = 400,000,000"):
            read_rgb(bomb)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_the_limit_itself_is_not_taken_for_a_bomb(refuse):
    # the files end after their header, so that neither is decoded: only the reason differs
    side = 20_000
    assert side * 10_000 == MAX_PIXELS
    assert "cut short" in refuse(header_of_png((10_000, side)))
    assert "at most 200,000,000 pixels" in refuse(header_of_png((10_001, side)))


def test_the_limit_of_pillow_itself_does_not_count(read, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read(WHOLE["png"]).shape == (24, 36, 3)


@pytest.mark.parametrize(
    "bomb",
    [
        b"GIF89a"
        + struct.pack("<HH", 65535, 65535)
        + b"\0\0\0,"
        + struct.pack("<HHHH", 0, 0, 65535, 65535)
        + b"\0\2\2L\1\0;",
        b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 30000, 30000, 1, 24, *[0] * 6),
        tiff((60_000, 60_000), 8, 1, b"\0"),
        b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"
        + (16382).to_bytes(3, "little") * 2
        + b"VP8L\x06\0\0\0\x2f"
        + b"\xfe\xbf\xff\x0f\0",
    ],
    ids=["gif", "bmp", "tiff", "webp"],
)
def test_a_bomb_of_any_format_is_refused(refuse, bomb):
    assert "pixels" in refuse(bomb)


def test_a_picture_without_pixels_is_refused(refuse):
    refuse(png((1, 0), 8, 0, [b""]))
    refuse(tiff((0, 1), 8, 1, b"\0"))


def test_zero_pixels_of_a_decoder_that_takes_them_are_refused(refuse, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "width", 0)
    assert "at least one pixel" in refuse(WHOLE["bmp"])


def test_photographs_are_read_as_pillow_shows_them():
    package = importlib.util.find_spec("sklearn")  # its photographs only: importing it takes seconds
    folder = Path(package.origin).parent / "datasets" / "images" if package else Path("absent")
    photographs = [*sorted(folder.glob("*.jpg")), *sorted(SAMPLES.rglob("*.jpg"))[:3]]
    if not photographs:
        pytest.skip("neither scikit-learn's photographs nor ../shared/samples are here")
    for path in photographs:
        with Image.open(path) as image:
            assert np.array_equal(read_rgb(path), np.asarray(image.convert("RGB"))), path.name
