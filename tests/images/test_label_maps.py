"""Label PNG files give their indices, whatever Pillow would make of them."""

import io

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.images.label_maps import read_label_hw, read_label_map
from densezero.images.sizes import read_hw

from .draw import encode, orient, png

LABELS = np.arange(6, dtype=np.uint8).reshape(2, 3)


def palette_png(labels, **options):
    image = Image.fromarray(labels)
    paletted = Image.frombytes("P", image.size, image.tobytes())
    paletted.putpalette([level for index in range(256) for level in (255 - index, index // 2, 7)])
    stream = io.BytesIO()
    paletted.save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, name="label.png"):
        (tmp_path / name).write_bytes(content)
        return read_label_map(tmp_path / name)

    return write_and_read


@pytest.fixture
def refuse(tmp_path, read):
    def write_and_fail(content, name="label.png"):
        with pytest.raises(InputError) as caught:
            read(content, name)
        assert str(caught.value).startswith(f"{tmp_path / name}: expected")
        return str(caught.value)

    return write_and_fail


def test_a_palette_png_keeps_its_indices_and_not_its_colours(read):
    labels = read(palette_png(LABELS))
    assert labels.dtype == np.uint8
    assert labels.tolist() == LABELS.tolist()


def test_a_transparent_palette_entry_changes_no_index(read):
    assert read(palette_png(LABELS, transparency=3)).tolist() == LABELS.tolist()


def test_8_bit_grey_is_read_as_it_is(read):
    labels = read(encode(LABELS * 51, "PNG"))
    assert (labels.dtype, labels.tolist()) == (np.uint8, (LABELS * 51).tolist())


def test_16_bit_grey_is_neither_scaled_nor_cut(read):
    deep = LABELS.astype(np.uint16) * 13_000
    labels = read(encode(deep, "PNG"))
    assert (labels.dtype, labels.tolist()) == (np.uint16, deep.tolist())


@pytest.mark.parametrize(("depth", "row"), [(1, [0b01100000]), (2, [0b00011011]), (4, [0x01, 0x23])])
@pytest.mark.parametrize("colour_type", [0, 3])
def test_grey_and_palettes_of_few_bits_are_not_spread(read, depth, row, colour_type):
    expected = [[0, 1, 1, 0]] if depth == 1 else [[0, 1, 2, 3]]
    extra = [(b"PLTE", bytes(3 * 2**depth))] if colour_type == 3 else []
    labels = read(png((1, 4), depth, colour_type, [bytes(row)], *extra))
    assert (labels.dtype, labels.tolist()) == (np.uint8, expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_palette_saved_as_colours_is_refused_with_the_way_out(refuse, mode):
    coloured = np.array(Image.open(io.BytesIO(palette_png(LABELS))).convert(mode))
    message = refuse(encode(coloured, "PNG"))
    assert f"holds colours ({mode})" in message
    assert "as it was published" in message


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_grey_label_saved_as_colours_keeps_its_indices(read, tmp_path, mode):
    labels = read(encode(LABELS, "PNG", mode=mode))
    assert (labels.dtype, labels.tolist()) == (np.uint8, LABELS.tolist())
    assert labels.flags.c_contiguous
    assert read_label_hw(tmp_path / "label.png") == (2, 3)


@pytest.mark.parametrize("band", [0, 1, 2])
def test_one_pixel_that_is_not_grey_makes_it_colours(refuse, band):
    rgb = np.stack([LABELS] * 3, axis=2)
    rgb[1, 2, band] += 1
    assert "holds colours (RGB)" in refuse(encode(rgb, "PNG"))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_grey_label_with_a_transparent_pixel_is_refused(refuse, mode):
    values = np.array(Image.fromarray(LABELS).convert(mode))
    values[0, 1, -1] = 254
    assert f"transparent pixels ({mode})" in refuse(encode(values, "PNG"))


def test_deep_grey_with_transparency_is_refused_because_its_low_bits_would_be_lost(refuse):
    assert "colours" in refuse(png((1, 1), 16, 4, [bytes(4)]))


def test_a_16_bit_colour_png_is_refused(refuse):
    assert "colours" in refuse(png((1, 1), 16, 2, [bytes(6)]))


def test_a_jpeg_named_png_is_refused(refuse):
    assert "JPEG" in refuse(encode(LABELS, "JPEG"))


def test_text_named_png_is_refused(refuse):
    assert "no image" in refuse(b"labels")


def test_an_empty_file_is_refused(refuse):
    assert "empty (0 bytes)" in refuse(b"")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.png: expected .* it does not exist"):
        read_label_map(tmp_path / "gone.png")


def test_a_label_that_is_cut_short_is_refused(refuse):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)
    whole = encode(noise, "PNG")
    for end in (20, len(whole) // 2, len(whole) - 60):
        assert "cut short" in refuse(whole[:end])


def test_the_size_of_a_label_is_height_then_width(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 30), dtype=np.uint8)
    (tmp_path / "label.png").write_bytes(encode(noise, "PNG")[:200])  # the pixels are cut short, the header is whole
    assert read_label_hw(tmp_path / "label.png") == (20, 30)


def test_colours_are_seen_when_the_size_is_read(tmp_path):
    (tmp_path / "label.png").write_bytes(encode(np.stack([LABELS, LABELS, LABELS + 1], axis=2), "PNG"))
    with pytest.raises(InputError, match="holds colours"):
        read_label_hw(tmp_path / "label.png")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_size_of_an_image_is_that_of_the_upright_pixels(tmp_path, file_format, orientation):
    from densezero.images import read_rgb

    rgb = np.zeros((10, 20, 3), np.uint8)
    (tmp_path / "image").write_bytes(encode(rgb, file_format, exif=orient(orientation)))
    assert read_hw(tmp_path / "image") == read_rgb(tmp_path / "image").shape[:2]
    assert read_hw(tmp_path / "image") == ((20, 10) if orientation == 6 else (10, 20))


def test_the_size_of_text_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("no image at all")
    with pytest.raises(InputError, match=r"a\.jpg: expected an image"):
        read_hw(tmp_path / "a.jpg")
