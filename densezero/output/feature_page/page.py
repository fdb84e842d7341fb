"""Writes the feature page: pictures of images by encoders, and features small enough to compare patches in a browser.

The page is one file. It loads nothing, and works where it lies (``file://``).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.features.low_rank import LowRank
from densezero.output.html import begin_page, data_address, data_tag, pairs_table, script_tag
from densezero.output.picture import encode_for_page

_BODY = """
<noscript><p>This page draws with JavaScript, which is switched off.</p></noscript>
<div class="bar" id="several"><button id="previous" title="left arrow">Previous</button>
<button id="next" title="right arrow">Next</button><span id="image-name"></span></div>
<div id="strip"></div>
<div class="bar"><label>Left <select id="left-choice"></select></label>
<label>Right <select id="right-choice"></select></label></div>
<div class="stack" id="viewer"><img id="left-picture" alt="" draggable="false">
<img id="right-picture" alt="" draggable="false"><div id="divider"></div>
<span class="tag" id="left-tag"></span><span class="tag" id="right-tag"></span></div>
<input id="slider" type="range" min="0" max="100" step="0.1" value="50" aria-label="Where left ends and right begins">
<p id="hint">Click a patch of the picture (or press Shift and an arrow key) to see what is like it in every
encoder. Drag to compare left and right.</p>
<div id="chosen" hidden><h2 id="query"></h2><div class="bar">
<label><input type="checkbox" id="beneath" checked> image under the maps</label>
<label><input type="checkbox" id="common"> one scale for all maps</label></div><div id="maps"></div></div>
"""


@dataclass(frozen=True)
class PageSource:
    """One encoder and read-out.

    Args:
        name: shown above its map.
        features: how its features are kept.
        error: largest difference between exact and kept cosines of a sample of patches.
    """

    name: str
    features: LowRank
    error: float


@dataclass(frozen=True)
class PageImage:
    """One image.

    Args:
        name: shown; it is escaped.
        pictures: (H, W, 3) uint8, the image first, then one for each further column.
        codes: (gh, gw, K) bytes for each source.
    """

    name: str
    pictures: Sequence[NDArray[np.uint8]]
    codes: Sequence[NDArray[np.uint8]]


def make_feature_page(
    title: str,
    columns: Sequence[str],
    sources: Sequence[PageSource],
    images: Sequence[PageImage],
    heat: NDArray[np.uint8],
    about: Mapping[str, str],
) -> str:
    """Write the page.

    Args:
        title: its heading.
        columns: names of the pictures of each image, the image itself first.
        sources: at least one.
        images: at least one.
        heat: (256, 3) uint8, colours of the maps.
        about: settings, name to value, shown at the end.

    Returns:
        The text of the HTML file. Equal input gives equal text.
    """
    folder = files(__package__)
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    data = {
        "columns": list(columns),
        "sources": [
            {"name": source.name, "low": source.features.low.tolist(), "step": source.features.step.tolist()}
            for source in sources
        ],
        "images": [_image(image) for image in images],
        "heat": _base64(heat),
    }
    errors = {
        f"cosines, {source.name}": f"from {len(source.features.low)} bytes a patch; largest error {source.error:.4f} "
        "in a sample of about 2,000 patches"
        for source in sources
    }
    parts = (
        begin_page(title, style, script),
        f"<h1>{escape(title)}</h1>",
        _BODY,
        f"<details><summary>Settings</summary>{pairs_table({**about, **errors})}</details>",
        data_tag("data", data),
        script_tag(script),
        "</body></html>",
    )
    return "\n".join(parts) + "\n"


def _image(image: PageImage) -> dict[str, Any]:
    height, width = image.pictures[0].shape[:2]
    return {
        "name": image.name,
        "width": width,
        "height": height,
        "pictures": [data_address(*encode_for_page(picture)) for picture in image.pictures],
        "grids": [
            {"rows": codes.shape[0], "columns": codes.shape[1], "codes": _base64(codes)} for codes in image.codes
        ],
    }


def _base64(content: NDArray[np.uint8]) -> str:
    return base64.b64encode(np.ascontiguousarray(content).tobytes()).decode("ascii")
