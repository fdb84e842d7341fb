"""Draws the pictures of the documentation from the drawn scenes, with ``nano``. Run: python benchmarks/gallery.py."""

from pathlib import Path

import numpy as np
from PIL import Image

import densezero
from densezero.features import encode_grid, fit_pca, to_rgb, upsample
from densezero.features.choices import FigureStyle, GridChoice
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import PcaSettings, SimilaritySettings
from densezero.jobs.features.similarity import draw_similarity

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SCENES = tuple(ASSETS / "scenes" / f"{name}.jpg" for name in ("lake", "village", "night"))
GRID, WIDTH_MM = GridChoice(side=56), 105.0
WORDS = "sky, mountain, sea=water, road, sun, boat=sailing ship, fish, tree, flower"
PANEL_HEIGHT_PX, GAP_PX = 300, 8


def main() -> None:
    """Write every picture of the gallery."""
    draw_first_look(ASSETS / "first-look.png")
    gallery = ASSETS / "gallery"
    draw_pca(
        PcaSettings(
            SCENES,
            gallery / "read-outs.png",
            models=("nano",),
            readouts=("patch", "value", "k-k-bare"),
            align=True,
            grid=GRID,
            style=FigureStyle(WIDTH_MM),
            dtype="float32",
            overwrite=True,
        )
    )
    draw_pca(
        PcaSettings(
            SCENES,
            gallery / "looks.png",
            models=("nano",),
            shows=("pca", "first", "kmeans"),
            upsampler="guided",
            grid=GRID,
            style=FigureStyle(WIDTH_MM),
            dtype="float32",
            overwrite=True,
        )
    )
    draw_similarity(
        SimilaritySettings(
            SCENES[:2],
            gallery / "words.png",
            texts=("boat", "fish", "tree"),
            model="nano",
            grid=GRID,
            style=FigureStyle(WIDTH_MM),
            dtype="float32",
            overwrite=True,
        )
    )


def draw_first_look(file: Path) -> None:
    """Draw a scene, its masks and its feature colours side by side."""
    encoder = densezero.load_encoder("nano", dtype="float32")
    result = densezero.Segmenter(encoder, WORDS).segment(SCENES[0])
    rgb = densezero.read_rgb(SCENES[0])  # (H, W, 3)
    grid = encode_grid(encoder, rgb, readout="patch", grid_side=GRID.side)  # (gh, gw, D)
    colours = upsample(to_rgb(fit_pca([grid]), grid), "guided", rgb=rgb)  # (H, W, 3) in [0, 1]
    panels = [Image.fromarray(rgb), result.overlay(), Image.fromarray(np.uint8(np.rint(255 * colours)))]
    scaled = [
        panel.resize((round(panel.width * PANEL_HEIGHT_PX / panel.height), PANEL_HEIGHT_PX), Image.Resampling.LANCZOS)
        for panel in panels
    ]
    sheet = Image.new("RGB", (sum(one.width for one in scaled) + 2 * GAP_PX, PANEL_HEIGHT_PX), "white")
    left = 0
    for panel in scaled:
        sheet.paste(panel, (left, 0))
        left += panel.width + GAP_PX
    sheet.save(file)


if __name__ == "__main__":
    main()
