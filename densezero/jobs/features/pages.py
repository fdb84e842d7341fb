"""The files of a figure: one, or numbered ones if its rows need several pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from densezero.features.figure.layout import page_files
from densezero.jobs.progress import Listener
from densezero.output.atomic import write_bytes


def write_pages(out: Path, contents: Sequence[bytes], listener: Listener) -> None:
    """Write the files of a figure, and say where they are if they are several.

    The listener also hears of pages of an earlier, longer figure that stay beside the new ones.
    """
    files = page_files(out, len(contents))
    for file, content in zip(files, contents, strict=True):
        write_bytes(file, content)
    if len(files) > 1:
        listener.note(f"the figure has {len(files)} pages: {files[0]} to {files[-1].name}")
    numbered = re.compile(rf"{re.escape(out.stem)}-[0-9]+{re.escape(out.suffix)}")
    there = {file for file in out.parent.iterdir() if numbered.fullmatch(file.name) or file == out}
    if older := sorted(file.name for file in there - set(files)):
        listener.note(f"{', '.join(older)} in {out.parent} may be of an earlier figure; they stay")
