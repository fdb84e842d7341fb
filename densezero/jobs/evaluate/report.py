"""Draws a report: IoU bars, the confusion matrix, and the best and worst images, which are segmented again."""

from __future__ import annotations

from pathlib import Path

from densezero.atomic import write_bytes
from densezero.errors import InputError, OutputError
from densezero.evaluation.figure import about, draw_class_bars, draw_confusion
from densezero.evaluation.gallery import draw_gallery, rank_images
from densezero.evaluation.page import make_page
from densezero.evaluation.report import Report, read_report, refuse_odd_counts
from densezero.jobs.evaluate.resegment import build_segmenter_again, find_dataset_again, segment_again
from densezero.jobs.evaluate.settings import ReportSettings
from densezero.jobs.places import refuse_foreign_files
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener

BARS, MATRIX, GALLERY = "classes.png", "confusion.png", "images.png"
_TITLES = {BARS: "IoU of each class", MATRIX: "Confusion", GALLERY: "Best and worst images"}
MOST_IMAGES = 50  # a picture has less than 65,536 rows of pixels
_PAGE_SUFFIXES = (".html", ".htm")


def draw_report(settings: ReportSettings, listener: Listener | None = None) -> tuple[Path, ...]:
    """Draw a report as one HTML page or as PNG files, and return the files that were written.

    Raises:
        DenseZeroError: if the report, its data set or its model cannot be read, if class list, templates or weights
            are not those of the report, or if the output cannot be written there.
    """
    listener = listener or Listener()
    _refuse_unusable_out(settings, listener)
    report = read_report(settings.report)
    refuse_odd_counts(report, settings.report)
    gallery = _draw_images(report, settings, listener)
    figures = {BARS: draw_class_bars(report), MATRIX: draw_confusion(report)}
    if gallery is not None:
        figures[GALLERY] = gallery
    if settings.out.suffix.lower() not in _PAGE_SUFFIXES:
        return tuple(_write(settings.out / name, png) for name, png in figures.items())
    page = make_page(report, {_TITLES[name]: png for name, png in figures.items()})
    return (_write(settings.out, page.encode("utf-8", "backslashreplace")),)


def _draw_images(report: Report, settings: ReportSettings, listener: Listener) -> bytes | None:
    """The gallery; None where it is not wanted, or no image has a score."""
    if settings.count > MOST_IMAGES:
        raise InputError(f"Expected at most {MOST_IMAGES} best and worst images in a figure; got {settings.count}.")
    ranked = rank_images(report.per_image, settings.count)
    if not ranked:
        return None
    dataset = find_dataset_again(report, settings)
    segmenter = build_segmenter_again(report, settings, dataset, listener)
    images = segment_again(ranked, dataset, segmenter, listener)
    return draw_gallery(images, dataset.classes.names, dataset.classes.colours, about(report), dataset.ignore)


def _write(file: Path, content: bytes) -> Path:
    write_bytes(file, content)
    return file


def _refuse_unusable_out(settings: ReportSettings, listener: Listener) -> None:
    out = settings.out
    is_page = out.suffix.lower() in _PAGE_SUFFIXES
    if out.suffix and not is_page and not out.is_dir():
        raise OutputError(f"Expected --out FILE.html, or a folder for PNG files; got {out}. A folder has no ending.")
    files = [out] if is_page else [out / name for name in _TITLES]
    refuse_unusable_outputs(out, files, [settings.report], is_folder=not is_page)
    refuse_foreign_files(files, listener, overwrite=settings.overwrite)
