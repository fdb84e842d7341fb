"""A folder of photographs from files to files, against windows through the bare encoder in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import torch
from photographs import photograph
from PIL import Image
from speed_parts.request import Request, Table
from timing import seconds_of

from densezero.engine import find_protocol
from densezero.images import plan_resize, to_pixels, window_boxes
from densezero.jobs.segment import segment_images
from densezero.jobs.settings import SegmentSettings
from densezero.progress import Listener, Progress

HW, PROTOCOL, CHUNKS, BARE = (512, 683), "tips-slide", 4, 3


class Clock(Listener):
    """Keeps how long the images have taken, loading of the model left out."""

    seconds = 0.0

    def image(self, progress: Progress, miou: float | None = None) -> None:  # noqa: ARG002 - the base class's own
        """Keep the time since the first image was begun."""
        assert progress.error is None, progress.error
        self.seconds = progress.seconds


def measure_folder(request: Request) -> Iterator[Table]:
    """Measure every size in every numeric type; the folder is cut in four, with bare windows around each part."""
    parts = _write_photographs(request.work / "folder", request.images)
    rows = [_row(request, size, dtype, parts) for size in request.sizes for dtype in request.dtypes]
    yield Table(f"folder of {request.images} photographs of {HW[1]} x {HW[0]}, 150 classes, {PROTOCOL}", rows)


def _row(request: Request, size: str, dtype: str, parts: list[Path]) -> dict[str, object]:
    windows = _windows()
    encoder = request.encoder(size, dtype)
    encoder.encode_dense(windows)
    _segment(request, size, dtype, next(parts[0].iterdir()))  # embeds the words, which are then kept
    bare, spent, images = [seconds_of(lambda: encoder.encode_dense(windows)) for _ in range(BARE)], 0.0, 0
    for part in parts:
        spent += _segment(request, size, dtype, part)
        images += sum(1 for _ in part.iterdir())
        bare += [seconds_of(lambda: encoder.encode_dense(windows)) for _ in range(BARE)]
    bare_rate, rate = len(windows) / statistics.median(bare), len(windows) * images / spent
    return {
        "model": f"random {size}/14",
        "dtype": dtype,
        "images/s": round(images / spent, 3),
        "windows/s": round(rate, 2),
        "bare windows/s": round(bare_rate, 2),
        "share of the bare rate %": round(100 * rate / bare_rate, 1),
        "bare seconds": bare,
    }


def _windows() -> torch.Tensor:
    """The windows of a photograph as the protocol cuts them: (N, 3, 448, 448)."""
    protocol = find_protocol(PROTOCOL)
    plan = plan_resize(HW, protocol.short_side_px)
    pixels = torch.from_numpy(to_pixels(photograph(0, HW), plan))
    assert protocol.window_px is not None
    boxes = window_boxes(*plan.input_hw, protocol.window_px, protocol.stride_px)
    return torch.cat([pixels[:, :, box.top : box.bottom, box.left : box.right] for box in boxes])


def _segment(request: Request, size: str, dtype: str, source: Path) -> float:
    """Segment a folder or a file anew, and give the seconds that its images took."""
    clock = Clock()
    settings = SegmentSettings(
        (source,),
        request.work / "masks" / source.stem,
        vocabulary="ade20k",
        model=str(request.model(size)),
        protocol=PROTOCOL,
        templates="plain",
        device="cpu",
        dtype=dtype,
        overwrite=True,
    )
    segment_images(settings, clock)
    return clock.seconds


def _write_photographs(folder: Path, count: int) -> list[Path]:
    parts = [folder / f"part{number}" for number in range(min(CHUNKS, count))]
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(photograph(index, HW)).save(parts[index % len(parts)] / f"{index:05}.jpg", quality=90)
    return parts
