"""What a trained head costs beside the encoder, and how fast its 3 x 3 convolutions are beside convolutions alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from speed_parts.request import Request, Table
from timing import Ways, interleave, medians
from torch import Tensor, nn

from densezero.encoders.tips import PUBLISHED_SIZES
from densezero.heads.dpt import DptConfig, DptDecoder
from densezero.heads.head import Head
from densezero.heads.predictor import DensePredictor

PICTURE_HW = (512, 683)
OUTPUTS = {"depth": 256, "normals": 3, "segmentation": 150}
CHANNELS = 256
ALONE = "3 x 3 convolution alone"


class ConvolutionTimer:
    """Adds up the time and the GFLOP of the 3 x 3 convolutions of a decoder while it runs.

    Args:
        decoder: in which they are.
    """

    def __init__(self, decoder: nn.Module) -> None:
        layers = (layer for layer in decoder.modules() if isinstance(layer, nn.Conv2d))
        self.layers = [layer for layer in layers if layer.kernel_size == (3, 3)]
        self.seconds: list[float] = []  # of each run
        self.gflop = 0.0
        self._began = 0.0
        for layer in self.layers:
            layer.register_forward_pre_hook(self._begin)
            layer.register_forward_hook(self._end)

    def run(self, work: Callable[[], object]) -> None:
        """Run the decoder once."""
        self.seconds.append(0.0)
        self.gflop = 0.0
        work()

    def _begin(self, *_: object) -> None:
        self._began = time.perf_counter()

    def _end(self, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.seconds[-1] += time.perf_counter() - self._began
        self.gflop += convolution_gflop(tuple(inputs[0].shape), tuple(output.shape))


def convolution_gflop(given: tuple[int, ...], made: tuple[int, ...]) -> float:
    """GFLOP of a 3 x 3 convolution, a multiplication and an addition being two.

    Args:
        given: (B, in, rows, columns) of its input.
        made: (B, out, rows', columns') of its output.
    """
    batch, outputs, rows, columns = made
    return 2e-9 * batch * rows * columns * outputs * given[1] * 9


def measure_head(request: Request) -> Iterator[Table]:
    """Measure every size: encoder and heads of one picture in float32."""
    for size in request.sizes:
        yield _measure(request, size)


def _measure(request: Request, size: str) -> Table:
    vision, encoder = PUBLISHED_SIZES[size].vision, request.encoder(size, "float32")
    heads = {task: _random_head(task, vision.width) for task in OUTPUTS}
    predictor = DensePredictor(encoder, list(heads.values()))
    input_hw = predictor.plan(PICTURE_HW).input_hw
    pixels = torch.rand(1, 3, *input_hw, generator=torch.Generator().manual_seed(0))
    (features,) = predictor.encode([(255 * pixels[0].permute(1, 2, 0)).byte().numpy()])
    blocks = sorted(features)
    timer = ConvolutionTimer(heads["depth"].decoder)
    ways: Ways = {"encoder": partial(encoder.encode_blocks, pixels, blocks)}
    for task, head in heads.items():
        work = partial(DensePredictor(encoder, head).decode, features, PICTURE_HW)
        ways[f"{task} head"] = partial(timer.run, work) if task == "depth" else work
    alone, gflop_alone = _convolutions_alone(input_hw, vision.patch_px)
    middle = medians(interleave({**ways, **alone}, request.repeats))
    inside_s = sorted(timer.seconds[1:])[len(timer.seconds[1:]) // 2]  # the first run was the warm-up
    best = min(alone, key=lambda name: middle[name])
    inside, roof = timer.gflop / inside_s, gflop_alone / middle[best]
    rows: list[dict[str, Any]] = [
        {"what": name, "s": round(middle[name], 3), "share of the encoder": round(middle[name] / middle["encoder"], 3)}
        for name in ways
    ]
    rows.append(
        {
            "what": f"{len(timer.layers)} 3 x 3 convolutions in the depth head",
            "s": round(inside_s, 3),
            "share of the encoder": round(inside_s / middle["encoder"], 3),
            "GFLOP": round(timer.gflop, 1),
            "GFLOP/s": round(inside, 1),
            "share of the convolution alone": round(inside / roof, 3),
        }
    )
    rows.append(
        {"what": best, "s": round(middle[best], 3), "GFLOP": round(gflop_alone, 1), "GFLOP/s": round(roof, 1),
         "share of the convolution alone": 1.0}
    )  # fmt: skip
    return Table(f"head: a picture of {PICTURE_HW[1]} x {PICTURE_HW[0]}, {size}/14, float32", rows)


def _random_head(task: str, width: int) -> Head:
    torch.manual_seed(0)
    widths = (width // 8, width // 4, width // 2, width)
    return Head(task, task, DptDecoder(DptConfig(width, widths, CHANNELS, OUTPUTS[task])), "0" * 64)


def _convolutions_alone(input_hw: tuple[int, int], patch_px: int) -> tuple[Ways, float]:
    """A 3 x 3 convolution of the finest fusion by itself, in both orders of memory, and its GFLOP."""
    rows, columns = (16 * -(-side // patch_px // 2) for side in input_hw)
    maps = torch.randn(1, CHANNELS, rows // 2, columns // 2)
    weight = torch.randn(CHANNELS, CHANNELS, 3, 3) / 48
    ways: Ways = {}
    for order, layout in (("channels first", torch.contiguous_format), ("channels last", torch.channels_last)):
        pair = (maps.contiguous(memory_format=layout), weight.contiguous(memory_format=layout))
        ways[f"{ALONE}, {order}"] = torch.inference_mode()(partial(F.conv2d, *pair, padding=1))
    return ways, convolution_gflop(tuple(maps.shape), (1, CHANNELS, *maps.shape[2:]))
