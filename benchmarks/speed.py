"""Times densezero against others on the same random weights and photographs: ``python benchmarks/speed.py``.

Everything that is compared is timed in one run, in turns, after a warm-up; the numbers are medians. Others are a plain
transcription of the published protocol (``transcription.py``), transformers' and timm's TIPSv2 towers, and OpenVINO's
runtime, each where it is installed; beside them stands the fastest product of matrices of the network's own shapes. A
share of that roof above 1 says that the machine had other work in between: measure again, with more ``--repeats``.

Sections: ``encoder`` (windows alone, share of that roof), ``slide`` (a photograph against the transcription, with equal
labels and near ties), ``after`` (every stage of an image; what follows the encoder in percent of it), ``folder``
(images a second from files to files against bare windows), ``memory`` (peaks, each in a process of its own), ``head``
(trained heads beside the encoder, and their 3 x 3 convolutions beside a convolution alone).

Weights are random, since they do not change how much is computed. Text vectors may: where one class is far ahead, less
is left to decide. So they are patch features of other photographs with noise, which lie to features as words do to what
they name; the folder alone has the random text tower's own. Photographs are those of scikit-image and scikit-learn.

``benchmarks/README.md`` has the numbers, each with its command.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from machine import describe_machine
from speed_parts.after import measure_after
from speed_parts.encoder import measure_encoder
from speed_parts.folder import measure_folder
from speed_parts.head import measure_head
from speed_parts.memory import measure_memory, run_child
from speed_parts.request import Request, Table
from speed_parts.slide import measure_slide

SECTIONS: dict[str, Callable[[Request], Iterator[Table]]] = {
    "encoder": measure_encoder,
    "slide": measure_slide,
    "after": measure_after,
    "folder": measure_folder,
    "memory": measure_memory,
    "head": measure_head,
}
VERSIONS = ("transformers", "timm", "openvino")  # where they are installed


def main() -> None:
    """Run the sections, print their tables, and write the JSON where asked."""
    options = read_options()
    if options.child:
        run_child(options.child)
        return
    with tempfile.TemporaryDirectory() as name:
        work = options.work or Path(name)
        work.mkdir(parents=True, exist_ok=True)
        os.environ["DENSEZERO_CACHE"] = str(work / "cache")
        if options.threads:
            torch.set_num_threads(options.threads)
        request = Request(work, tuple(options.size), options.dtype, options.repeats, options.folder, options.links)
        about = {"machine": describe_run(), "repeats": options.repeats}
        print(json.dumps(about))
        results: dict[str, list[dict[str, Any]]] = {}
        for section in options.only:
            for table in SECTIONS[section](request):
                print(f"\n{table.title}\n{set_rows(table.rows)}", flush=True)
                results[table.title] = table.rows
                if options.out:  # so that a run that is stopped has what it has measured
                    options.out.write_text(json.dumps({**about, "results": results}, indent=1) + "\n")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_sections, default=list(SECTIONS), metavar=",".join(SECTIONS))
    parser.add_argument("--size", nargs="+", default=["B"], choices=("B", "L"))
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--threads", type=int, metavar="N", help="torch's threads; its own choice by default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=int, default=20, metavar="N", help="photographs of the folder")
    parser.add_argument("--links", type=int, default=1000, metavar="N", help="images of the longest run; 0 for none")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keeps models and pictures for the next time")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def describe_run() -> dict[str, Any]:
    """The machine, what it was busy with before, and the versions of what is compared."""
    found: dict[str, Any] = {**describe_machine(), "threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def set_rows(rows: list[dict[str, Any]]) -> str:
    """Set rows as a table; a value that is a list is for the JSON alone."""
    shown = [{key: value for key, value in row.items() if not isinstance(value, list)} for row in rows]
    columns = list(dict.fromkeys(key for row in shown for key in row))
    lines = [columns, *([_cell(row.get(column)) for column in columns] for row in shown)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _sections(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected sections out of {', '.join(SECTIONS)}; got {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    main()
