import io
import struct

import numpy as np
import PIL
import pytest
from PIL import Image, ImageOps

from .draw import BLUE, GREEN, RED, WHITE, draw_scene, encode, orient, png, tiff

LOSSLESS = [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]
LOSSLESS += [("TIFF", {"compression": name}) for name in ("tiff_lzw", "tiff_deflate", "packbits")]
LOSSY = [("JPEG", {"quality": 95}), ("JPEG", {"quality": 95, "progressive": True}), ("WEBP", {"quality": 95})]
LOSSY += [("TIFF", {"compression": "jpeg"}), ("MPO", {"quality": 95})]

pytestmark = pytest.mark.filterwarnings("ignore::densezero.errors.DenseZeroWarning")


@pytest.mark.parametrize(("file_format", "options"), LOSSLESS)
def test_lossless_formats_keep_every_pixel(read, file_format, options):
    rgb = read(encode(draw_scene(), file_format, **options))
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert np.array_equal(rgb, draw_scene())


@pytest.mark.parametrize("strip_px", [1, 36, 100, 36 * 23, 36 * 24, 1 << 18])
def test_pixels_do_not_depend_on_the_strips_in_which_they_are_copied(read, monkeypatch, strip_px):
    monkeypatch.setattr("densezero.images.colours._STRIP_PX", strip_px)
    assert np.array_equal(read(encode(draw_scene(), "PNG")), draw_scene())


@pytest.mark.parametrize(("file_format", "options"), LOSSY)
def test_lossy_formats_stay_near_the_picture(read, file_format, options):
    rgb = read(encode(draw_scene(), file_format, **options))
    assert np.abs(rgb.astype(int) - draw_scene()).mean() < 6


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_the_content_decides_whatever_the_name_says(read, file_format):
    assert read(encode(draw_scene(), file_format), name="notes.txt").shape == (24, 36, 3)


def test_a_grey_jpeg_has_three_equal_channels(read):
    rgb = read(encode(draw_scene(), "JPEG", mode="L"))
    assert rgb.shape == (24, 36, 3)
    assert np.array_equal(rgb[..., 0], rgb[..., 1])
    assert np.array_equal(rgb[..., 0], rgb[..., 2])


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_a_cmyk_picture_shows_its_colours(read, file_format):
    # Pillow writes CMYK into JPEG inverted and with the Adobe marker, like Photoshop
    rgb = read(encode(draw_scene(), file_format, mode="CMYK"))
    assert np.abs(rgb.astype(int) - draw_scene()).mean() < 6


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "raw"])
def test_a_ycbcr_tiff_shows_its_colours(read, compression):
    if compression == "raw" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip("Pillow before 13 cannot read it")
    picture = encode(draw_scene(), "TIFF", mode="YCbCr", compression=compression)
    assert np.abs(read(picture).astype(int) - draw_scene()).max() <= 3


def test_a_palette_png_keeps_its_colours(read):
    picture = png((1, 3), 8, 3, [bytes([2, 0, 1])], (b"PLTE", bytes([*RED, *GREEN, *BLUE])))
    assert read(picture).tolist() == [[BLUE, RED, GREEN]]


@pytest.mark.parametrize(("depth", "row"), [(1, b"\x40"), (2, b"\x30"), (4, b"\x0f"), (8, b"\x00\xff")])
def test_a_grey_png_of_few_bits_reaches_from_black_to_white(read, depth, row):
    assert read(png((1, 2), depth, 0, [row])).tolist() == [[[0, 0, 0], WHITE]]


def test_sixteen_bit_grey_is_scaled_not_clipped(read):
    # 32768 x 255 / 65535 = 127.5 and a little; 128 x 257 = 32896 is 128; 300 is 1.17
    levels = [0, 300, 32768, 32896, 65535]
    expected = [[[value] * 3 for value in (0, 1, 128, 128, 255)]]
    assert read(png((1, 5), 16, 0, [struct.pack(">5H", *levels)])).tolist() == expected
    assert read(tiff((1, 5), 16, 1, struct.pack("<5H", *levels))).tolist() == expected
    assert read(tiff((1, 5), 16, 1, struct.pack(">5H", *levels), order=">")).tolist() == expected


def test_every_sixteen_bit_level_is_rounded_to_the_nearest(read):
    levels = np.arange(65536, dtype=">u2").reshape(256, 256)
    rgb = read(png((256, 256), 16, 0, [row.tobytes() for row in levels]))
    assert np.array_equal(rgb[..., 1], np.round(levels.astype(np.float64) / 257))


def test_a_tiff_whose_zero_is_white_is_not_shown_as_its_negative(read):
    assert read(tiff((1, 2), 8, 0, bytes([0, 255]))).tolist() == [[WHITE, [0, 0, 0]]]
    assert read(tiff((1, 2), 16, 0, struct.pack("<2H", 0, 65535))).tolist() == [[WHITE, [0, 0, 0]]]


def test_a_twelve_bit_tiff_reaches_white(read):
    assert read(tiff((1, 2), 12, 1, bytes([0xFF, 0xF8, 0x00]))).tolist() == [[WHITE, [128] * 3]]


def test_sixteen_bit_colour_is_scaled(read):
    assert read(png((1, 1), 16, 2, [struct.pack(">3H", 65535, 32768, 0)])).tolist() == [[[255, 128, 0]]]


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_laid_over_white(read, file_format):
    rgba = np.zeros((8, 8, 4), dtype=np.uint8)
    rgba[:4] = [*RED, 255]
    rgba[4:, 4:] = [*RED, 128]  # the left lower quarter is black and transparent
    options = {"lossless": True} if file_format == "WEBP" else {}
    rgb = read(encode(rgba, file_format, **options))
    assert rgb[0, 0].tolist() == RED
    assert rgb[7, 0].tolist() == WHITE
    assert rgb[7, 7].tolist() == [255, 127, 127]  # (0 x 128 + 255 x 127) / 255


def test_grey_with_alpha_is_laid_over_white(read):
    assert read(png((1, 3), 8, 4, [bytes([0, 255, 0, 0, 100, 128])])).tolist() == [[[0] * 3, WHITE, [177] * 3]]
    assert read(png((1, 2), 16, 4, [struct.pack(">4H", 32768, 65535, 0, 0)])).tolist() == [[[128] * 3, WHITE]]


def test_a_palette_with_transparency_is_laid_over_white(read):
    colours = (b"PLTE", bytes([0, 0, 0, 10, 20, 30, *BLUE]))
    picture = png((1, 3), 8, 3, [bytes([0, 1, 2])], colours, (b"tRNS", bytes([0, 128])))
    assert read(picture).tolist() == [[WHITE, [132, 137, 142], BLUE]]


@pytest.mark.parametrize(
    ("depth", "colour_type", "row", "key", "expected"),
    [
        (1, 0, b"\x40", (0,), [WHITE, WHITE]),
        (8, 0, bytes([7, 8]), (7,), [WHITE, [8] * 3]),
        (16, 0, struct.pack(">2H", 257, 514), (257,), [WHITE, [2] * 3]),
        (8, 2, bytes([1, 2, 3, 4, 5, 6]), (1, 2, 3), [WHITE, [4, 5, 6]]),
        (16, 2, struct.pack(">6H", 256, 520, 800, 1028, 1285, 1542), (256, 520, 800), [WHITE, [4, 5, 6]]),
    ],
)
def test_the_one_transparent_colour_of_a_png_becomes_white(read, depth, colour_type, row, key, expected):
    key_chunk = (b"tRNS", struct.pack(f">{len(key)}H", *key))
    assert read(png((1, 2), depth, colour_type, [row], key_chunk)).tolist() == [expected]


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_read(read, file_format):
    frames = [Image.new("RGB", (6, 4), name) for name in ("red", "lime", "blue")]
    stream = io.BytesIO()
    options = {"lossless": True} if file_format == "WEBP" else {}
    frames[0].save(stream, file_format, save_all=True, append_images=frames[1:], **options)
    assert read(stream.getvalue()).tolist() == [[RED] * 6] * 4


def test_a_transparent_gif_is_laid_over_white(read):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    stream = io.BytesIO()
    image.save(stream, "GIF", transparency=0)
    assert read(stream.getvalue()).tolist() == [[WHITE, BLUE]]


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_each_orientation_is_turned_upright(read, file_format, value):
    lossless = {"lossless": True} if file_format == "WEBP" else {}
    turned = {"tiffinfo": {274: value}} if file_format == "TIFF" else {"exif": orient(value)}
    plain = np.asarray(Image.open(io.BytesIO(encode(draw_scene(), file_format, **lossless))).convert("RGB"))
    stored = Image.fromarray(plain)
    stored.getexif()[274] = value
    expected = np.asarray(ImageOps.exif_transpose(stored))
    rgb = read(encode(draw_scene(), file_format, **lossless, **turned))
    assert np.array_equal(rgb, expected)
    assert rgb.flags.c_contiguous


@pytest.mark.parametrize(
    ("value", "upright"),
    [
        (1, [["a", "b", "c"], ["d", "e", "f"]]),
        (2, [["c", "b", "a"], ["f", "e", "d"]]),
        (3, [["f", "e", "d"], ["c", "b", "a"]]),
        (4, [["d", "e", "f"], ["a", "b", "c"]]),
        (5, [["a", "d"], ["b", "e"], ["c", "f"]]),
        (6, [["d", "a"], ["e", "b"], ["f", "c"]]),
        (7, [["f", "c"], ["e", "b"], ["d", "a"]]),
        (8, [["c", "f"], ["b", "e"], ["a", "d"]]),
    ],
)
def test_orientations_turn_six_pixels_as_the_standard_draws_them(read, value, upright):
    stored = np.array([[[ord(letter)] * 3 for letter in row] for row in ("abc", "def")], dtype=np.uint8)
    rgb = read(encode(stored, "PNG", exif=orient(value)))
    assert [[chr(pixel[0]) for pixel in row] for row in rgb.tolist()] == upright


@pytest.mark.parametrize("block", [b"Exif\0\0garbage all the way", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"E"])
def test_a_broken_exif_block_leaves_a_sound_picture_as_stored(read, block):
    sound = encode(draw_scene(), "JPEG")
    broken = sound[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + sound[2:]
    assert np.array_equal(read(broken), read(sound))


@pytest.mark.parametrize("mistake", [SyntaxError, struct.error, ValueError])
def test_an_exif_block_that_makes_pillow_raise_is_passed_over(read, monkeypatch, mistake):
    def fail(self):
        raise mistake  # older Pillows do, where the block is no TIFF structure

    monkeypatch.setattr(Image.Image, "getexif", fail)
    assert np.array_equal(read(encode(draw_scene(), "BMP")), draw_scene())


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_passed_over(read, value):
    assert np.array_equal(read(encode(draw_scene(), "PNG", exif=orient(value))), draw_scene())


def encode_lab():
    stream = io.BytesIO()
    Image.new("LAB", (2, 2)).save(stream, "TIFF")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        (tiff((1, 1), 32, 1, struct.pack("<f", 0.5), more=[(339, 3, 1, 3)]), "floating-point"),
        (tiff((1, 1), 32, 1, struct.pack("<I", 5)), "32-bit"),
        (tiff((1, 1), 16, 1, struct.pack("<h", -5), more=[(339, 3, 1, 2)]), "signed"),
        (encode_lab(), "Lab"),
    ],
    ids=["float", "32-bit", "signed", "lab"],
)
def test_pixels_without_an_agreed_black_and_white_are_refused(refuse, picture, kind):
    message = refuse(picture)
    assert kind in message
    assert "8 bits" in message
