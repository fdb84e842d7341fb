"""Draws the gallery of README from the drawn scenes, with the embedded model. Run: python benchmarks/gallery.py."""

from pathlib import Path

from densezero.jobs.feature_settings import GridChoice, PcaSettings, SimilaritySettings
from densezero.jobs.pca import draw_pca
from densezero.jobs.similarity import draw_similarity

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SCENES = tuple(ASSETS / "scenes" / f"{name}.jpg" for name in ("lake", "village", "night"))
GRID, WIDTH_MM = GridChoice(side=56), 105.0


def main() -> None:
    """Write every picture of the gallery."""
    gallery = ASSETS / "gallery"
    draw_pca(
        PcaSettings(
            SCENES,
            gallery / "read-outs.png",
            models=("nano",),
            readouts=("patch", "value", "k-k-bare"),
            align=True,
            grid=GRID,
            width_mm=WIDTH_MM,
            dtype="float32",
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
            width_mm=WIDTH_MM,
            dtype="float32",
        )
    )
    draw_similarity(
        SimilaritySettings(
            SCENES[0],
            gallery / "words.png",
            texts=("boat", "fish", "tree"),
            model="nano",
            grid=GRID,
            width_mm=WIDTH_MM,
            dtype="float32",
        )
    )


if __name__ == "__main__":
    main()
