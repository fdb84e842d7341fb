"""``densezero depth`` and ``densezero normals``: maps by trained heads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from densezero.cli import options
from densezero.cli.head_options import Preset
from densezero.cli.show import Shower
from densezero.encoders.catalog import HEAD_MODELS
from densezero.heads.names import DEFAULT_SIDE_PX, DEPTH, NORMALS, SEGMENTATION
from densezero.jobs.heads.settings import MapSettings

Save = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME,...",
        autocompletion=options.starting_with(("png", "npz", "picture", "ply")),
        help="What to write. Depth: png (16-bit, millimetres), npz (float32, metres), picture (colours with a scale), "
        "ply (coloured point cloud). Normals: png (colours), npz (float32). Segmentation: png (labels), picture "
        f"(overlay). [default: {','.join(MapSettings.save)}]",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME", autocompletion=options.starting_with(HEAD_MODELS),
        rich_help_panel=options.MODEL,
        help=f"A model with heads: {', '.join(name.removesuffix('-dpt') for name in HEAD_MODELS)}; or the folder or "
        "model.safetensors of one. Another TIPSv2 model with --head.",
    ),
]  # fmt: skip
Heads = Annotated[
    list[Path] | None,
    typer.Option(
        "--head", metavar="FILE", parser=options.path, rich_help_panel=options.MODEL,
        help="File or folder of a head, in place of the model's own: tips_v2_*_dpt.zip, .npz or model.safetensors (may "
        "be repeated, for several tasks).",
    ),
]  # fmt: skip
Side = Annotated[
    int,
    typer.Option(
        metavar="PX", rich_help_panel=options.MODEL,
        help="Short side of the model input, rounded to whole patches. Larger gives finer maps and takes longer. The "
        f"heads were trained at {DEFAULT_SIDE_PX}.",
    ),
]  # fmt: skip


def _also(*tasks: str) -> Any:
    return typer.Option(
        "--also",
        metavar="TASK,...",
        autocompletion=options.starting_with(tasks),
        help=f"Also predict {' or '.join(tasks)}, from the same pass of the encoder.",
    )


def depth(
    out: options.OutFolder,
    inputs: options.Inputs = None,
    also: Annotated[list[str] | None, _also(NORMALS, SEGMENTATION)] = None,
    save: Save = None,
    focal: Annotated[
        float | None,
        typer.Option(
            metavar="PX",
            help="Focal length of the camera in pixels, for ply. [0.81 of the long side, an assumption; the file "
            "states it]",
        ),
    ] = MapSettings.focal_px,
    model: Model = MapSettings.model,
    head: Heads = None,
    preset: Preset = MapSettings.preset,
    side: Side = MapSettings.side_px,
    device: options.Device = MapSettings.device,
    dtype: options.Dtype = MapSettings.dtype,
    images: options.Images = MapSettings.images,
    like: options.Like = None,  # noqa: ARG001 - its callback has set the defaults
    overwrite: options.Overwrite = MapSettings.overwrite,
    keep_suffix: options.KeepSuffix = MapSettings.keep_suffix,
    dry_run: options.DryRun = MapSettings.dry_run,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Predict the depth of images in metres, by the trained head of a TIPSv2 model.

    Example: densezero depth photos --save png,npz,picture --out depth
    """
    settings = MapSettings(
        options.as_inputs(inputs), out, device, dtype, overwrite, images, keep_suffix, dry_run, DEPTH,
        options.split_names(also), options.split_names(save, MapSettings.save), model, tuple(head or ()), preset, side,
        focal,
    )  # fmt: skip
    _run(settings, Shower(quiet=quiet, verbose=verbose))


def normals(
    out: options.OutFolder,
    inputs: options.Inputs = None,
    also: Annotated[list[str] | None, _also(DEPTH, SEGMENTATION)] = None,
    save: Save = None,
    model: Model = MapSettings.model,
    head: Heads = None,
    preset: Preset = MapSettings.preset,
    side: Side = MapSettings.side_px,
    device: options.Device = MapSettings.device,
    dtype: options.Dtype = MapSettings.dtype,
    images: options.Images = MapSettings.images,
    like: options.Like = None,  # noqa: ARG001 - its callback has set the defaults
    overwrite: options.Overwrite = MapSettings.overwrite,
    keep_suffix: options.KeepSuffix = MapSettings.keep_suffix,
    dry_run: options.DryRun = MapSettings.dry_run,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Predict the surface normals of images, by the trained head of a TIPSv2 model.

    x points right; y and z are as the head gives them. PNG: red, green and blue are x, y and z, from [-1, 1] to
    [0, 255].

    Example: densezero normals photos --out normals
    """
    settings = MapSettings(
        options.as_inputs(inputs), out, device, dtype, overwrite, images, keep_suffix, dry_run, NORMALS,
        options.split_names(also), options.split_names(save, MapSettings.save), model, tuple(head or ()), preset, side,
    )  # fmt: skip
    _run(settings, Shower(quiet=quiet, verbose=verbose))


def _run(settings: MapSettings, shower: Shower) -> None:
    from densezero.jobs.heads.maps import predict_maps

    shower.summarise(predict_maps(settings, shower))
