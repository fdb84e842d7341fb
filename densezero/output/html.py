"""The beginning of every HTML page: it loads nothing from elsewhere, and runs the script that stands in it alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from densezero.features.choices import MARK

GENERATOR: Final = f'<meta name="generator" content="{MARK}">'
"""Stands in every page, so that a later run knows its own."""
BESIDE_THE_PAGE: Final = "'self' file:"
"""Pictures come from the place of the page: the same disk, or the same server."""


def begin_page(heading: str, style: str, script: str = "", *, pictures: str = "data:") -> str:
    """Write the head of a page, up to ``<body>``.

    Args:
        heading: title of the page; it is escaped.
        style: CSS.
        script: the one script that may run; the page holds it later, in ``script_tag``. Empty allows none.
        pictures: where pictures may come from: within the page, or ``BESIDE_THE_PAGE``.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    scripts = f"; script-src 'sha256-{digest}'" if script else ""
    return "\n".join(
        (
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta charset="utf-8">{GENERATOR}',
            '<meta name="viewport" content="width=device-width">',
            '<meta http-equiv="Content-Security-Policy" '
            f"content=\"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'{scripts}\">",
            f"<title>{escape(heading)}</title><style>{style}</style></head><body>",
        )
    )


def script_tag(script: str) -> str:
    """Write the script that ``begin_page`` allows."""
    return f"<script>{script}</script>"


def data_tag(name: str, data: Any) -> str:
    """Write data for a script as JSON. No text in it can end the tag."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{escape(name)}">{text}</script>'


def pairs_table(values: Mapping[str, Any]) -> str:
    """Write a table of names and values. Nested values get a name like ``protocol.stride_px``; texts are escaped."""
    rows = [f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in _flatten(values)]
    return f"<table>{''.join(rows)}</table>"


def _flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Give the name and text of every value in nested mappings."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{above}{name}.")
        elif isinstance(value, (list, tuple, Mapping)):
            yield f"{above}{name}", ", ".join(map(str, value)) or "none"
        else:
            yield f"{above}{name}", "none" if value is None else str(value)


def data_address(content: bytes, kind: str) -> str:
    """Write the bytes of a file as an address within the page; ``kind`` is its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
