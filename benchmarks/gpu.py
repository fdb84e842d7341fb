"""Times a CUDA device: the encoder, what follows it, and whole images. Run: python benchmarks/gpu.py --size L.

Weights are random, since they do not change how much is computed. Every time ends with a synchronisation, and is the
median of some rounds. The images are photographs of scikit-image and scikit-learn, 683 x 512 pixels.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import describe_machine
from photographs import photograph
from random_model import write_random_model
from speed_parts.request import vectors_near_features

import densezero
from densezero.engine import Segmenter, find_protocol
from densezero.engine.labelling import label_map

HW, IMAGES = (512, 683), 64
CLASSES = (21, 150, 847)
PRESETS = ("tips-slide", "tips-simple", "ovss")


def main() -> None:
    """Print a table for each numeric type."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="L", choices=("B", "L"))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps({**describe_machine(), "device": torch.cuda.get_device_name(), "size": options.size}))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / options.size
        write_random_model(folder, options.size)
        vectors = vectors_near_features(densezero.load_encoder(folder, "cpu", "float32"), max(CLASSES))
        for dtype in ("bfloat16", "float32"):
            encoder = densezero.load_encoder(folder, "cuda", dtype)
            print(f"\n{dtype}, {encoder.batch_pixels // 448**2} windows of 448 px at once")
            for preset in PRESETS:
                for classes in CLASSES:
                    names = [f"class {index}" for index in range(classes)]
                    segmenter = Segmenter(encoder, names, find_protocol(preset), text_embeddings=vectors[:classes])
                    print(f"{preset:<12} {classes:>4} classes  {describe(segmenter, options.repeats)}", flush=True)


def describe(segmenter: Segmenter, repeats: int) -> str:
    """Time the stages of an image, and many images together."""
    pictures = [photograph(index % 6, HW) for index in range(IMAGES)]
    prepared = [segmenter.prepare(picture) for picture in pictures]
    scored = segmenter.score(prepared)
    encode = median_ms(lambda: segmenter.score(prepared), repeats) / IMAGES
    label = median_ms(lambda: [label_map(one.scores, one.image_hw, segmenter.rule) for one in scored], repeats) / IMAGES
    copied = median_ms(lambda: [segmenter.label(one) for one in scored], repeats) / IMAGES
    began = time.perf_counter()
    count = sum(1 for _ in segmenter.segment_many(pictures))
    rate = count / (time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() / 1e9
    return (
        f"encode and score {encode:6.2f} ms  label {label:5.2f} ms ({100 * label / encode:.1f} %)  with copy and check "
        f"{copied:5.2f} ms  segment_many {rate:6.1f} images/s  peak {peak:.1f} GB"
    )


@torch.inference_mode()
def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Time some calls, each until the device has finished."""
    times = []
    for _ in range(repeats + 1):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[1:])


if __name__ == "__main__":
    main()
