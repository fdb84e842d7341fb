"""The names of the files that a run can write. Importing this loads no library."""

from typing import Final

IMAGE_FORMATS: Final = ("labels", "overlay", "polygons", "scores")
"""Files of each image."""

RUN_FORMATS: Final[dict[str, str]] = {"csv": "areas.csv", "csv-wide": "areas-wide.csv", "coco": "coco.json"}
"""Files of the whole run, and where they lie."""

ALIASES: Final[dict[str, str]] = {
    "areas": "csv", "table": "csv", "areas-wide": "csv-wide", "masks": "labels", "mask": "labels", "label": "labels",
    "png": "labels", "overlays": "overlay", "jpg": "overlay", "geojson": "polygons", "npz": "scores", "json": "coco",
}  # fmt: skip
"""What people call a format, for a hint."""
