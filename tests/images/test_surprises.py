"""Files that surprise: chunks that hold no pixels, dark and infra-red bands, other endings, lists and addresses."""

import io
import struct
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from densezero.errors import DenseZeroWarning, InputError
from densezero.images import describe_passed_over, find_images, find_listed, read_rgb
from densezero.images import read as reading
from densezero.images.formats import describe_content
from densezero.images.sizes import read_hw

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    monkeypatch.setattr(reading, "_told", set())


def png(**how):
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "PNG", **how)
    return file.getvalue()


def chunk(name, content, *, crc=True):
    sum_of = zlib.crc32(content, zlib.crc32(name)) if crc else 7
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", sum_of)


def with_chunk(extra, place, content=None):
    """A PNG with a chunk after its header, before its end, or after its end."""
    content = png() if content is None else content
    at = {"header": 33, "end": len(content) - 12, "after": len(content)}[place]
    return content[:at] + extra + content[at:]


HUGE = zlib.compress(b"x" * 3_000_000)


@pytest.mark.parametrize("place", ["header", "end", "after"])
@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"Comment\0\0" + HUGE),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + HUGE),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + HUGE),
        chunk(b"tEXt", b"Comment\0hello", crc=False),
        chunk(b"tIME", b"\0" * 7, crc=False),
        chunk(b"iCCP", b"profile\0\0" + HUGE),
        chunk(b"iCCP", b"broken"),
        chunk(b"eXIf", b"broken", crc=False),
        chunk(b"zTXt", b"Raw profile type exif\0\0broken"),
        chunk(b"prVt", b"anything", crc=False),
    ],
)
def test_chunks_that_hold_no_pixels_never_decide(tmp_path, extra, place):
    (tmp_path / "a.png").write_bytes(with_chunk(extra, place))
    assert np.array_equal(read_rgb(tmp_path / "a.png"), RGB)
    assert read_hw(tmp_path / "a.png") == (20, 30)


def test_a_turn_that_a_chunk_tells_of_is_still_made(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = with_chunk(chunk(b"tEXt", b"Comment\0hello", crc=False), "header", png(exif=exif))
    (tmp_path / "a.png").write_bytes(content)
    assert np.array_equal(read_rgb(tmp_path / "a.png"), np.rot90(RGB, -1))


def test_transparency_survives_and_its_damage_counts(tmp_path):
    grey = Image.fromarray(RGB[..., 0])
    grey.save(tmp_path / "a.png", transparency=int(RGB[0, 0, 0]))
    expected = read_rgb(tmp_path / "a.png")
    assert expected[0, 0].tolist() == [255, 255, 255]
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(with_chunk(chunk(b"tEXt", b"a\0b", crc=False), "header", content))
    assert np.array_equal(read_rgb(tmp_path / "b.png"), expected)
    at = content.index(b"tRNS")
    (tmp_path / "c.png").write_bytes(content[: at + 6] + b"\xff\xff\xff\xff" + content[at + 10 :])
    with pytest.raises(InputError, match=r"c\.png"):
        read_rgb(tmp_path / "c.png")


@pytest.mark.parametrize("place", [b"IHDR", b"IDAT"])
def test_damage_where_the_pixels_are_is_damage(tmp_path, place):
    content = bytearray(png())
    content[content.index(place) + 12] ^= 255
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png.*damaged"):
        read_rgb(tmp_path / "a.png")


def test_a_file_of_many_parts_reads_as_if_they_were_one(tmp_path):
    info = PngImagePlugin.PngInfo()
    for index in range(20):
        info.add_text(f"key{index}", "text" * index)
    (tmp_path / "a.png").write_bytes(png(pnginfo=info))
    assert np.array_equal(read_rgb(tmp_path / "a.png"), RGB)


def test_levels_of_twelve_bits_in_a_file_of_sixteen_are_told_of_once(tmp_path):
    levels = np.linspace(0, 4095, 600).astype(np.uint16).reshape(20, 30)
    for name in ("a.png", "b.png"):
        Image.fromarray(levels).save(tmp_path / name)
    with pytest.warns(DenseZeroWarning, match=r"a\.png has levels up to 4,095 of 65,535 and comes out dark"):
        read_rgb(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_rgb(tmp_path / "b.png")
        Image.fromarray(levels * 16).save(tmp_path / "bright.png")
        read_rgb(tmp_path / "bright.png")


def save_tiff(path, alpha, extra):
    """Save with a fourth band; Pillow marks it as transparency (2)."""
    Image.fromarray(np.dstack([RGB, alpha])).save(path)
    entry = struct.pack("<HHIH", 338, 3, 1, 2)
    content = path.read_bytes()
    assert content.count(entry) == 1
    path.write_bytes(content.replace(entry, struct.pack("<HHIH", 338, 3, 1, extra)))


def test_a_fourth_band_that_is_marked_as_transparency_is_told_of(tmp_path):
    save_tiff(tmp_path / "a.tif", RGB[..., 1], 2)
    with pytest.warns(DenseZeroWarning, match=r"a\.tif .*laid over white.*ExtraSamples to 0"):
        read_rgb(tmp_path / "a.tif")
    save_tiff(tmp_path / "solid.tif", np.full((20, 30), 255, np.uint8), 2)
    assert np.array_equal(read_rgb(tmp_path / "solid.tif"), RGB)


def test_a_fourth_band_that_is_not_marked_is_left_out_and_told_of(tmp_path):
    save_tiff(tmp_path / "a.tif", RGB[..., 1], 0)
    with pytest.warns(DenseZeroWarning, match=r"not marked as transparency, such as infra-red; it is left out"):
        assert np.array_equal(read_rgb(tmp_path / "a.tif"), RGB)


def test_numbers_in_names_compare_as_numbers(tmp_path):
    names = ["1.png", "2.png", "10.png", "a2/1.png", "a10/1.png", "x1y9.png", "x1y10.png", "x01y9.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(image.relative) for image in find_images(tmp_path)]
    assert found[:3] == ["1.png", "2.png", "10.png"]
    assert found.index("a2/1.png") < found.index("a10/1.png")
    assert found.index("x1y9.png") < found.index("x1y10.png")
    assert sorted(found) == sorted(names)


def test_files_that_are_no_images_are_counted_by_their_ending(tmp_path):
    for name in ("a.jpg", "b.HEIX", "sub/c.txt", "sub/d.txt", "none", ".hidden", ".git/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    counts = Counter()
    find_images(tmp_path, counts)
    assert counts == {".heix": 1, ".txt": 2, "": 1}
    assert describe_passed_over(counts) == ("passed over 4 files that are no images: 2 .txt, 1 .heix, 1 without ending")
    assert describe_passed_over(Counter({".heic": 1})).endswith("1 .heic. To read HEIC: `pip install densezero[heic]`")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif_is_found_and_read(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.avif", quality=100, subsampling="4:4:4")
    assert [image.path.name for image in find_images(tmp_path)] == ["a.avif"]
    assert np.abs(read_rgb(tmp_path / "a.avif").astype(int) - RGB).mean() < 4
    assert read_hw(tmp_path / "a.avif") == (20, 30)


def test_heic_says_what_it_needs():
    assert describe_content(b"\0\0\0\x18ftypheic").startswith("HEIC, which needs `pip install densezero[heic]`")


def test_heic_is_found_and_read_upright(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")
    rows, columns = np.mgrid[:20, :30]
    smooth = np.stack([12 * rows, 8 * columns, 0 * rows], -1).astype(np.uint8)  # HEIC halves the resolution of colours
    heif.from_pillow(Image.fromarray(smooth)).save(tmp_path / "a.heic", quality=-1)
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    heif.from_pillow(Image.fromarray(smooth)).save(tmp_path / "b.HEIC", quality=-1, exif=turned.tobytes())
    (tmp_path / "c.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:-40])
    assert [image.path.name for image in find_images(tmp_path)] == ["a.heic", "b.HEIC", "c.heic"]
    assert np.abs(read_rgb(tmp_path / "a.heic").astype(int) - smooth).mean() < 4
    assert np.abs(read_rgb(tmp_path / "b.HEIC").astype(int) - np.rot90(smooth, -1)).mean() < 4
    assert (read_hw(tmp_path / "a.heic"), read_hw(tmp_path / "b.HEIC")) == ((20, 30), (30, 20))
    with pytest.raises(InputError, match="expected a whole HEIC image") as broken:
        read_rgb(tmp_path / "c.heic")
    assert "\n" not in str(broken.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"%PDF-1.4", "is PDF"), (b"\0" * 90, "zeros"), (b"<!DOCTYPE html>", "is HTML"), (b"hello", "none of these")],
)
def test_other_content_is_named(tmp_path, content, said):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_rgb(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://a.b/c.jpg", "is an address; download it first"),
        ("s3://bucket/key", "is an address"),
        ("photos/*.jpg", "write a pattern without quotation marks"),
        ("photos/[ab].jpg", "write a pattern without quotation marks"),
        ("nowhere", "it cannot be accessed"),
    ],
)
def test_addresses_and_patterns_are_told_from_files(given, said):
    with pytest.raises(InputError, match=said):
        find_images(given)


def test_a_list_keeps_its_order_and_paths_below_what_all_share(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x/b.jpg", "x/a.jpg", "x/y/c.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    found = find_listed(["x/y/c.jpg", "", str(tmp_path / "x" / "a.jpg"), "x/b.jpg", "./x/b.jpg"], "list.txt")
    assert [str(image.relative) for image in found] == ["y/c.jpg", "a.jpg", "b.jpg"]
    assert all(image.path.samefile(tmp_path / "x" / image.relative) for image in found)
    assert [str(image.relative) for image in find_listed(["x/a.jpg"], "-")] == ["a.jpg"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["a.jpg", "gone.jpg"], r"list, line 2: .*'gone\.jpg', no file"),
        (["sub"], "line 1: .*'sub', a folder"),
        (["", " "], "there is none"),
    ],
)
def test_a_list_that_names_what_is_no_file_is_refused_with_its_line(tmp_path, monkeypatch, lines, said):
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").touch()
    Path("sub").mkdir()
    with pytest.raises(InputError, match=said):
        find_listed(lines, "list")
