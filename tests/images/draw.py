"""Small pictures and files for the tests of this folder."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


def draw_scene(height=24, width=36):
    """Smooth and without symmetry, so that lossy formats keep it and any rotation shows."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y * 255 // height, x * 255 // width, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def encode(array, file_format, mode=None, **options):
    image = Image.fromarray(array)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, file_format, **options)
    return stream.getvalue()


def orient(value):
    exif = Image.Exif()
    exif[274] = value
    return exif


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(hw, depth, colour_type, rows, *extra):
    header = struct.pack(">IIBBBBB", hw[1], hw[0], depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def tiff(hw, bits, photometric, data, order="<", more=()):
    """One strip, one sample a pixel, nothing packed; more: (tag, type, count, value) that fit into four bytes."""
    tags = [(256, 4, 1, hw[1]), (257, 4, 1, hw[0]), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, photometric)]
    tags += [(277, 3, 1, 1), (278, 4, 1, hw[0]), (279, 4, 1, len(data)), *more]
    start = 8 + 2 + 12 * (len(tags) + 1) + 4
    directory = struct.pack(order + "H", len(tags) + 1)
    for tag, kind, count, value in sorted([*tags, (273, 4, 1, start)]):
        directory += struct.pack(order + "HHI", tag, kind, count) + struct.pack(
            order + ("H2x" if kind == 3 else "I"), value
        )
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + directory + bytes(4) + data


WHOLE = {
    "jpeg": encode(draw_scene(), "JPEG"),
    "progressive jpeg": encode(draw_scene(), "JPEG", progressive=True),
    "cmyk jpeg": encode(draw_scene(), "JPEG", mode="CMYK"),
    "png": encode(draw_scene(), "PNG"),
    "palette png": encode(draw_scene(), "PNG", mode="P"),
    "webp": encode(draw_scene(), "WEBP"),
    "gif": encode(draw_scene(), "GIF"),
    "bmp": encode(draw_scene(), "BMP"),
    "tiff": encode(draw_scene(), "TIFF"),
}
