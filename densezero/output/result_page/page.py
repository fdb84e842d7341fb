"""Writes the page of a result folder. The data are in the page; pictures are files beside it, named by relative links.

The page works where it lies (``file://``), and on a server. It asks for nothing but these pictures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from densezero.output.html import BESIDE_THE_PAGE, begin_page, data_tag, pairs_table, script_tag
from densezero.vocabulary.classes import ClassList

_BODY = """
<noscript><p>This page draws with JavaScript, which is switched off.</p></noscript>
<div id="tools">
<div class="bar"><input id="search" type="search" placeholder="Name" aria-label="Part of the name">
<span id="class-tools"><select id="class" aria-label="Class"></select>
<span id="share-tools"><input id="least" type="number" min="0" max="100" step="any" aria-label="Least share, percent">
to <input id="most" type="number" min="0" max="100" step="any" aria-label="Largest share, percent"> %</span></span>
<label>Sort <select id="sort"></select></label>
<button id="direction" aria-label="Direction of the order"></button>
<label>Show <select id="view"></select></label>
<label id="failed-tools"><input type="checkbox" id="failed"> <span id="failed-count"></span></label>
<button id="reset">Reset</button><span id="count" role="status"></span></div></div>
<p id="hint"></p>
<div id="grid"></div>
<dialog id="viewer" aria-label="Image">
<div class="bar"><button id="previous" title="left arrow">Previous</button>
<button id="next" title="right arrow">Next</button>
<span id="views"></span><button id="close" title="Escape">Close</button></div>
<h2 id="viewer-name" dir="auto"></h2>
<div id="viewer-body"><div id="stage"></div><div id="facts"></div></div>
</dialog>
"""


@dataclass(frozen=True)
class View:
    """One kind of picture that each image may have, such as ``overlay``.

    Args:
        name: shown.
        in_thumbnail: whether thumbnails hold it. Views of thumbnails come first.
        crops: whether a file of this view holds more than the picture, such as a legend beside it.
    """

    name: str
    in_thumbnail: bool = True
    crops: bool = False


@dataclass(frozen=True)
class PageImage:
    """One image of the page.

    Args:
        name: shown.
        files: for each view its path from the page, with ``/``; None if there is none.
        hw: height and width, pixels; None if the image failed.
        thumbnail: path of the thumbnail from the page; None if there is none.
        thumbnail_views: for each view of thumbnails whether this one holds it.
        crop_hw: height and width of the picture in a file that holds more.
        pixels: pixels of each class that occurs, by class index.
        confidence: mean confidence, 0 to 1.
        error: why it failed.
        source: where the photograph was read, if it is not there now.
    """

    name: str
    files: tuple[str | None, ...]
    hw: tuple[int, int] | None = None
    thumbnail: str | None = None
    thumbnail_views: tuple[bool, ...] = ()
    crop_hw: tuple[int, int] | None = None
    pixels: Mapping[int, int] | None = None
    confidence: float | None = None
    error: str | None = None
    source: str = ""


def make_result_page(
    title: str,
    views: Sequence[View],
    images: Sequence[PageImage],
    classes: ClassList | None,
    notes: Sequence[str],
    about: Mapping[str, Any],
) -> bytes:
    """Write the page.

    Args:
        title: its heading.
        views: the views of the images, at least one. The first one is shown, and the second one under the pointer.
        images: all images, in their order.
        classes: of the labels; None where the images have no classes.
        notes: sentences for the top of the page.
        about: settings, name to value, shown at the end.

    Returns:
        The bytes of the HTML file, UTF-8. Equal input gives equal bytes.
    """
    folder = files(__package__)
    style, *scripts = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "viewer.js")
    )
    script = "\n".join(scripts)
    data = {
        "views": [{"name": view.name, "in_thumbnail": view.in_thumbnail, "crops": view.crops} for view in views],
        "classes": [] if classes is None else _classes(classes),
        "images": [_image(image) for image in images],
    }
    parts = (
        begin_page(title, style, script, pictures=BESIDE_THE_PAGE),
        f"<h1>{escape(title)}</h1>",
        *(f'<p class="note">{escape(note)}</p>' for note in notes),
        '<details id="class-table"><summary>Classes</summary><div></div></details>' if classes else "",
        f"<details><summary>Settings</summary>{pairs_table(about)}</details>",
        _BODY,
        data_tag("data", data),
        script_tag(script),
        "</body></html>",
    )
    text = "\n".join(parts) + "\n"
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()  # names may be no UTF-8


def address_of(path: str) -> str:
    """Write a path as the address of a link. Each byte that has a meaning in addresses is escaped.

    Args:
        path: relative with ``/``, or absolute.

    Example:
        >>> address_of("a b/50%#1.jpg"), address_of("a:b.png")
        ('a%20b/50%25%231.jpg', './a:b.png')
    """
    address = quote(os.fsencode(path), safe="/:")
    return f"./{address}" if ":" in address.partition("/")[0] else address


def _classes(classes: ClassList) -> list[dict[str, str]]:
    pairs = zip(classes.names, classes.colours.tolist(), strict=True)
    return [{"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour)} for name, colour in pairs]


def _image(image: PageImage) -> dict[str, Any]:
    """The values of an image that are there; there may be very many images."""
    values = {
        "name": image.name,
        "hw": image.hw,
        "files": [None if file is None else address_of(file) for file in image.files],
        "thumbnail": image.thumbnail and address_of(image.thumbnail),
        "absent": [place for place, is_there in enumerate(image.thumbnail_views) if not is_there],
        "crop": image.crop_hw,
        "pixels": [value for pair in (image.pixels or {}).items() for value in pair],
        "confidence": image.confidence,
        "error": image.error,
        "source": image.source,
    }
    return {name: value for name, value in values.items() if value not in (None, [], "")}
