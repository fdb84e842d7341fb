"""What differs between a measurement and the protocol it names, as footnotes of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from densezero.datasets import DEFAULT_SPLIT, OFFICIAL_IMAGES, describe_part
from densezero.datasets.papers import class_list_for
from densezero.encoders.catalog import MODELS
from densezero.engine.presets import PROTOCOLS, find_protocol
from densezero.engine.protocol import Protocol
from densezero.errors import ProtocolError
from densezero.evaluation.differences import list_differences
from densezero.evaluation.published import COLUMNS, PublishedRow
from densezero.evaluation.report import Report
from densezero.vocabulary import TEMPLATES, load_packaged


def encoder_of(report: Report) -> str:
    """Give the catalog's name of the encoder, also if the weights were given as a folder or as a pair of files."""
    name = str(report.request.get("encoder", report.model))
    return next((entry.name for entry in MODELS.values() if entry.pair == name), name)


def readout_of(report: Report) -> str:
    """Give the read-out of the encoder's last block; older reports have that of the protocol."""
    protocol = report.request.get("protocol")
    usual = PROTOCOLS[report.protocol].readout if report.protocol in PROTOCOLS else Protocol.readout
    return str(protocol.get("readout", usual)) if isinstance(protocol, dict) else usual


def other_refinement(report: Report) -> str:
    """Name the refinement if it is not the protocol's: ``"grid"``, ``"pamr"`` or ``"not refined"``; else empty."""
    usual = PROTOCOLS[report.protocol].refine if report.protocol in PROTOCOLS else None
    protocol = report.request.get("protocol")
    refine = protocol.get("refine") if isinstance(protocol, dict) else None  # older reports have none
    method = str(refine.get("method")) if isinstance(refine, dict) else None
    return "" if method == (usual and usual.method) else method or "not refined"


def protocol_title(report: Report) -> str:
    """Give the protocol for a heading, with a refinement that is not its own: ``tips-slide, grid``."""
    other = other_refinement(report)
    return f"{report.protocol}, {other}" if other else report.protocol


def list_deviations(report: Report, has_published: bool = False) -> list[str]:
    """List what differs from the protocol of the papers: images, split, words, templates, settings, numeric type.

    Args:
        report: the report.
        has_published: whether the number stands beside a published one of the same encoder.
    """
    request, notes = report.request, [part] if (part := describe_images(report)) else []
    if (split := request.get("split", DEFAULT_SPLIT)) != DEFAULT_SPLIT:
        notes.append(f"split {split}")
    expected = class_list_for(report.protocol, report.dataset)
    if report.dataset in COLUMNS and not _is_packaged(request, "class_list", expected):
        notes.append(f"class list {request.get('class_list')}{_changed(request, 'class_list', expected)}")
    usual = _usual_templates(report)
    if usual is not None and not _is_packaged(request, "templates", usual):
        notes.append(f"templates {request.get('templates')}{_changed(request, 'templates', usual)}")
    notes += _setting_differences(report)
    if (dtype := request.get("dtype", "float32")) != "float32":
        notes.append(f"computed in {dtype}")
    if report.scores["miou"] is None:
        notes.append("no pixel is scored")
    if has_published and report.model not in MODELS:
        notes.append("the name of the file or folder is the only evidence for the weights")
    return notes


def describe_images(report: Report) -> str:
    """Say that the images are not the whole split; empty if they are."""
    split = report.request.get("split", DEFAULT_SPLIT)
    if (report.dataset, split) in OFFICIAL_IMAGES:
        part = describe_part(report.dataset, split, report.images)
        return f"{part} images of {report.dataset}" if part else ""
    return f"a part of {report.title}" if report.request.get("selection") else ""


UNSTATED_WORDS: Final = "the paper does not state its class names, templates or background rule here"
UNSTATED_RESOLUTION: Final = "the paper does not state its resolution"


def unstated_words(row: PublishedRow, dataset: str) -> tuple[str, ...]:
    """Give the footnote of a published number whose words are not known."""
    return (UNSTATED_WORDS,) if row.protocol.startswith("tips-") and dataset != "ade20k" else ()


def _usual_templates(report: Report) -> str | None:
    """Give the name of the protocol's templates; None if the report does not say it."""
    protocol = report.request.get("protocol")
    name = protocol.get("templates") if isinstance(protocol, dict) else None
    return name if isinstance(name, str) and name in TEMPLATES else None


def _setting_differences(report: Report) -> list[str]:
    """List the settings that differ from the preset of the same name; the label has read-out and refinement."""
    if report.protocol not in PROTOCOLS:
        return []
    try:
        used = Protocol.from_json(report.request.get("protocol", {}))
    except ProtocolError:
        return []  # older reports keep less
    usual = replace(find_protocol(report.protocol, report.dataset), readout=used.readout, refine=used.refine)
    return list_differences(usual.to_json(), used.to_json(), words=("usually", "here"))


def _is_packaged(request: Mapping[str, Any], kind: str, name: str) -> bool:
    """Whether the words are the packaged ones of that name. Without a hash, the name decides."""
    packaged = load_packaged(name).sha256 if kind == "class_list" else TEMPLATES[name].sha256
    return bool(request.get(kind) == name and request.get(f"{kind}_sha256", packaged) == packaged)


def _changed(request: Mapping[str, Any], kind: str, name: str) -> str:
    """Say that a file has the name of a packaged list, but other words."""
    return " with other words" if request.get(kind) == name else ""
