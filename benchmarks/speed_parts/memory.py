"""Peak memory, each in a process of its own: one photograph, a large one with many classes, and thousands of images."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from photographs import photograph
from PIL import Image
from speed_parts.request import Request, Table, segmenter_with
from transcription import plain_labels, read_plain_tower

import densezero
from densezero.jobs.segment import segment_images
from densezero.jobs.settings import SegmentSettings

CASES = (  # tower, picture (H, W), classes
    ("densezero", (512, 683), 150),
    ("transcription", (512, 683), 150),
    ("densezero", (1024, 2048), 847),
)
FEW_LINKS, LINK_HW, SHORT_SIDE_PX = 100, (48, 64), 56


@dataclass(frozen=True)
class Child:
    """What one process does.

    Args:
        what: ``densezero`` and ``transcription`` segment one picture with a model; ``folder`` segments a folder with
            nano.
        place: of the model, or the folder.
        hw: of the picture.
        classes: number of them.
        dtype: numeric type of densezero.
    """

    what: str
    place: str
    hw: tuple[int, int] = (0, 0)
    classes: int = 0
    dtype: str = "float32"


def measure_memory(request: Request) -> Iterator[Table]:
    """Measure every case for every size and numeric type, then the folders."""
    rows = [row for size in request.sizes for row in _size_rows(request, size)]
    yield Table("peak memory of a process, tips-slide, text tower not loaded", rows)
    counts = sorted({min(FEW_LINKS, request.links), request.links} - {0})
    links = [{"images": count, "peak GB": round(_peak_of_links(request, count), 3)} for count in counts]
    if links:
        yield Table(f"peak memory of a run over links to one image of {LINK_HW[1]} x {LINK_HW[0]}, nano", links)


def _size_rows(request: Request, size: str) -> Iterator[dict[str, Any]]:
    request.vectors(size, 1)  # written before a process reads them
    for what, hw, classes in CASES:
        for dtype in request.dtypes if what == "densezero" else ("float32",):
            peak = _peak_gb(request, Child(what, str(request.model(size)), hw, classes, dtype))
            yield {
                "model": f"random {size}/14",
                "by": what,
                "dtype": dtype,
                "picture": f"{hw[1]} x {hw[0]}",
                "classes": classes,
                "peak GB": round(peak, 3),
            }


def run_child(text: str) -> None:
    """Do what a process was started for, and print its peak memory in GB."""
    child = Child(**json.loads(text))
    if child.what == "folder":
        _segment_folder(Path(child.place))
    else:
        _segment_picture(child)
    print(_own_peak_gb())


def _segment_picture(child: Child) -> None:
    folder, (height, width) = Path(child.place), child.hw
    vectors = torch.from_numpy(np.load(folder / "vectors.npy")[: child.classes])
    rgb = photograph(0, (height, width))
    if child.what == "transcription":
        plain_labels(read_plain_tower(folder), rgb, vectors)
        return
    encoder = densezero.load_encoder(str(folder), device="cpu", dtype=child.dtype)
    segmenter_with(encoder, vectors, "tips-slide").segment(rgb)


def _segment_folder(folder: Path) -> None:
    out = folder.with_name(f"{folder.name}-masks")
    settings = SegmentSettings(
        (folder,), out, vocabulary="voc21", model="nano", short_side_px=SHORT_SIDE_PX, templates="plain", device="cpu",
        dtype="float32", overwrite=True,
    )  # fmt: skip
    summary = segment_images(settings)
    assert summary.failed == 0, "every link is a good image"


def _peak_of_links(request: Request, count: int) -> float:
    folder = request.work / f"links{count}"
    folder.mkdir(exist_ok=True)
    file = request.work / "linked.jpg"
    Image.fromarray(photograph(0, LINK_HW)).save(file)
    for index in range(count):
        link = folder / f"{index:06}.jpg"
        if not link.exists():
            os.link(file, link)
    return _peak_gb(request, Child("folder", str(folder)))


def _peak_gb(request: Request, child: Child) -> float:
    command = [sys.executable, str(Path(__file__).parent.parent / "speed.py"), "--child", json.dumps(asdict(child))]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=request.work)
    return float(done.stdout.split()[-1])


def _own_peak_gb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # the other counter begins at what the process that started this one had
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
