"""The files of a figure: one, or numbered ones if its rows need several pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from densezero.atomic import write_bytes
from densezero.features.choices import is_page
from densezero.features.figure.layout import page_files


def write_pages(out: Path, contents: Sequence[bytes]) -> list[str]:
    """Write the files of a figure.

    Returns:
        What the user should hear: where the files are if they are several, and which pages of an earlier, longer figure
        stay beside the new ones.
    """
    files = page_files(out, len(contents))
    for file, content in zip(files, contents, strict=True):
        write_bytes(file, content)
    notes = [f"the figure has {len(files)} pages: {files[0]} to {files[-1].name}"] if len(files) > 1 else []
    if is_page(out):
        return notes
    numbered = re.compile(rf"{re.escape(out.stem)}-[0-9]+{re.escape(out.suffix)}")
    there = {file for file in out.parent.iterdir() if numbered.fullmatch(file.name) or file == out}
    if older := sorted(file.name for file in there - set(files)):
        notes.append(f"{', '.join(older)} in {out.parent} may be of an earlier figure; they stay")
    return notes
