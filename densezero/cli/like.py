"""``--like FILE``: the settings of an earlier run become the defaults of this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import typer

from densezero.errors import InputError

OPTION_OF: Final = {
    "short_side_px": "short_side", "models": "model", "readouts": "readout", "layers": "layer",
    "shows": "show", "upsampler": "upsample", "width_mm": "width", "side_px": "side", "window_side": "window",
    "font_pt": "font_size", "labels": "label", "hue_deg": "hue", "examples": "example",
    "min_area_px": "min_area", "heads": "head", "focal_px": "focal",
}  # fmt: skip
"""Fields of the settings whose option has another name."""

NOT_TAKEN: Final = frozenset(
    {"inputs", "out", "task", "overwrite", "dry_run", "device", "save_basis", "show_confidence"}
)
"""What belongs to one run alone."""


def take_over(context: typer.Context, file: Path | None) -> Path | None:
    """Make the settings in a file the defaults of the command that is being read.

    Raises:
        InputError: if it is no run.json and no report, or that of another command.
    """
    if file is None:
        return None
    settings = read_settings(file, str(context.info_name))
    if settings.get("background_words"):  # runs of earlier versions
        settings["background"] = ", ".join(settings["background_words"])
    known = {parameter.name for parameter in context.command.params}
    options = {OPTION_OF.get(name, name): value for name, value in settings.items() if name not in NOT_TAKEN}
    context.default_map = {name: value for name, value in options.items() if name in known and value not in (None, [])}
    return file


def read_settings(file: Path, command: str) -> dict[str, Any]:
    """The settings that a file keeps, by the names of their fields.

    Raises:
        InputError: if it keeps none, or those of another command.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8", errors="surrogateescape"))
        settings = _of_report(content) if "per_image" in content else dict(content["settings"])
        made_by = "evaluate" if "per_image" in content else _command_of(settings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"Expected --like as the run.json of an earlier run, or the report of `densezero evaluate`; {file} is none "
            f"({type(error).__name__}: {error})."
        ) from None
    if made_by != command:
        raise InputError(f"{file} was made by `densezero {made_by}`; its settings do not fit `densezero {command}`.")
    grid, style = settings.pop("grid", None) or {}, settings.pop("style", None) or {}
    return {**settings, **style, **{"grid" if name == "side" else name: value for name, value in grid.items()}}


def _command_of(settings: dict[str, Any]) -> str:
    if "task" in settings:
        return str(settings["task"])
    return "segment" if "classes" in settings else "pca" if "shows" in settings else "features"


def _of_report(content: dict[str, Any]) -> dict[str, Any]:
    """The settings of a report, from its request."""
    from densezero.vocabulary.catalog import CATALOG
    from densezero.vocabulary.templates import TEMPLATES

    request = content["request"]
    if content.get("kind") == "depth":
        names = ("dataset", "root", "model", "dtype", "preset", "eigen_crop")
        return {**{name: request[name] for name in names}, "head": request.get("head_file"), **request["selection"]}
    taken = {name: request[name] for name in ("dataset", "root", "split", "model", "dtype", "boundary")}
    if "head" in request:  # it has no words
        taken |= {name: request[name] for name in ("head", "preset", "name") if name in request}
        return {**taken, **dict(request["selection"])}
    words = {"templates": request["templates"]} if request["templates"] in TEMPLATES else {}
    words |= {"vocabulary": request["class_list"]} if request["class_list"] in CATALOG else {}
    words |= {"name": request["name"]} if "name" in request else {}
    protocol = request.get("protocol")
    if isinstance(protocol, dict) and (background := protocol.get("background", {}).get("words")):
        words |= {"background": ", ".join(background)}
    if isinstance(protocol, dict) and "readout" in protocol:
        words |= {"readout": protocol["readout"], "refine": (protocol.get("refine") or {"method": "none"})["method"]}
    return {**taken, **words, "protocol": str(content["protocol"]), **dict(request["selection"])}


def is_given(context: typer.Context, name: str) -> bool:
    """Whether an option was given on the command line, and does not come from ``--like``."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
