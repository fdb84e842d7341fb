"""Writes the table and the figure of the ablation: ``python benchmarks/pretrain/table.py --models DIR --figure FILE``.

The table is made of ``results/*.json`` alone. The figure needs the trained models, ``DIR/UNIT-0/model``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from run import RESULTS, draw
from units import ABOUT, SIDE_PX, UNITS

import densezero
from densezero.engine import PROTOCOLS, Segmenter
from densezero.features import encode_grid, fit_pca, to_rgb, upsample
from densezero.features.choices import FigureStyle
from densezero.features.figure.colours import to_bytes
from densezero.features.figure.layout import Section, plan_figure
from densezero.features.figure.panels import Panel, draw_figure
from densezero.output.pages import write_pages
from densezero.pretrain.concepts import CONCEPTS

KINDS = ("unseen, value", "unseen, patch", "held-out, value", "held-out, patch")
SCENES, WIDTH_MM = 5, 160
CHANCE = 100 / (2 * len(CONCEPTS) - 1)
"""mIoU in percent of labels drawn at random from equally frequent classes: p / (2 - p) with p = 1 / C."""


def read_results(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Give the measurements of each unit, by seed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json")):
        report = json.loads(file.read_text())
        found.setdefault(report["unit"], []).append(report)
    return {unit: found[unit] for unit in UNITS if unit in found}


def write_table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Write mIoU in percent: the mean of the seeds, and half of the distance between the best and the worst."""
    lines = [f"| unit | {' | '.join(KINDS)} | seeds |", f"|---|{'---:|' * (len(KINDS) + 1)}"]
    for unit, reports in results.items():
        cells = []
        for kind in KINDS:
            values = [report["miou"][kind] for report in reports]
            spread = f" ± {(max(values) - min(values)) / 2:.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}")
        lines.append(f"| {ABOUT[unit]} | {' | '.join(cells)} | {len(reports)} |")
    everything = [report for reports in results.values() for report in reports]
    any_report, devices = everything[0], sorted({report["machine"]["device"] for report in everything})
    phase = any_report["settings"]["phases"][0]
    lines += [
        "",
        f"{phase['steps']:,} steps of {phase['batch']} scenes of {phase['side_px']} px; "
        f"{any_report['scenes']} scenes of each kind; {', '.join(devices)}. Chance is {CHANCE:.1f} %.",
    ]
    return "\n".join(lines)


def draw_rows(models: Path, units: list[str]) -> list[bytes]:
    """Draw five unseen scenes with their labels, and below them for each unit its masks and its PCA maps, on pages."""
    scenes = [draw("unseen", index) for index in range(SCENES)]
    colours = np.array([concept.colour for concept in CONCEPTS], np.uint8)
    rows: dict[str, list[NDArray[np.uint8]]] = {
        "scene, labels": [*(scene.rgb for scene in scenes), *(colours[scene.labels] for scene in scenes)]
    }
    protocol = replace(PROTOCOLS["tips-simple"], name="ablation", short_side_px=SIDE_PX)
    for unit in units:
        encoder = densezero.load_encoder(str(models / f"{unit}-0" / "model"), device="cpu", dtype="float32")
        segmenter = Segmenter(encoder, [concept.name for concept in CONCEPTS], protocol)
        grids = [encode_grid(encoder, scene.rgb, "patch", 2 * SIDE_PX // encoder.patch_px) for scene in scenes]
        basis = fit_pca(grids)
        maps = [upsample(to_rgb(basis, grid), rgb=scene.rgb) for grid, scene in zip(grids, scenes, strict=True)]
        masks = [colours[segmenter.segment(scene.rgb).labels] for scene in scenes]
        rows[unit] = [*masks, *map(to_bytes, maps)]
    blank = ("",) * (2 * SCENES - 1)
    plan = plan_figure([Section((name, *blank), (1.0,)) for name in rows], FigureStyle(WIDTH_MM, font_pt=8, dpi=100))
    return draw_figure(plan, [[[Panel(picture) for picture in pictures]] for pictures in rows.values()], "png")


def main() -> None:
    """Print the table, and write the figure where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--figure", type=Path)
    chosen = parser.parse_args()
    results = read_results(chosen.results)
    print(write_table(results))
    if chosen.figure:
        there = [unit for unit in results if (chosen.models / f"{unit}-0" / "model").exists()]
        write_pages(chosen.figure, draw_rows(chosen.models, there))


if __name__ == "__main__":
    main()
