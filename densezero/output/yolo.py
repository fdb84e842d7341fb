"""YOLO: a text file for each image, with a line for each object, as Ultralytics reads it for segmentation."""

from collections.abc import Iterable

from densezero.output.cut_outlines import CutRegion


def encode_yolo(regions: Iterable[CutRegion], hw: tuple[int, int]) -> bytes:
    """Encode the regions of a label map as lines ``class x1 y1 x2 y2 ...``.

    Ultralytics cuts coordinates down to whole pixels and fills the border too, so the rings lie a little inside
    their regions. Then the pixels that it fills are those of the region.

    Args:
        regions: of the label map, each as one ring with an inset of ``INSET_PX``.
        hw: height and width of the image, pixels.

    Returns:
        ASCII text with a line for each connected region, its holes cut open. Coordinates are shares of the width and of
        the height, 0 to 1. An image without a class has no line.
    """
    lines = []
    for region in regions:
        shares = (region.ring / (hw[1], hw[0])).ravel().tolist()
        lines.append(f"{region.label}{' %.8f' * len(shares)}\n" % tuple(shares))
    return "".join(lines).encode()
