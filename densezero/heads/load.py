"""Loads heads: published ``.zip`` or ``.npz`` files, and files, folders and repositories of the hub's layout."""

from __future__ import annotations

from pathlib import Path

from densezero.encoders.catalog import HEAD_MODELS, MODELS, find_family, model_folder, path_exists
from densezero.encoders.device import plain_torch
from densezero.encoders.file_hash import file_sha256
from densezero.encoders.tips.checkpoint import TensorFile, open_tensors
from densezero.encoders.weights import facts_sha256
from densezero.errors import ModelError, did_you_mean
from densezero.heads.head import Head, require_task
from densezero.heads.hub_config import HubConfig, read_hub_config
from densezero.heads.layout import FLAX_HEADS, HeadSource, read_config, read_decoder
from densezero.heads.names import DEPTH, NORMALS, SEGMENTATION, TASKS

SAFETENSORS, CONFIG = "model.safetensors", "config.json"
FLAX_SUFFIXES = (".zip", ".npz")
USUAL_DEPTH_BINS = 256


@plain_torch(inference=False)
def load_head(name_file_or_folder: str | Path, task: str | None = None, revision: str | None = None) -> Head:
    """Load a trained head: a decoder of frozen TIPSv2 features.

    Args:
        name_file_or_folder: the name of a model with heads (``"tipsv2-b14"`` or its repository ``"tipsv2-b14-dpt"``); a
            published ``tips_v2_*_dpt.zip``, or the same as ``.npz``; a ``.safetensors`` file of the hub's layout; or a
            folder with one of these.
        task: ``"depth"``, ``"normals"`` or ``"segmentation"``; None if there is one head alone.
        revision: branch, tag or commit of a hub repository; None takes the main branch.

    Returns:
        The head, in float32, on the CPU. ``DensePredictor`` moves it to the device of the encoder.

    Raises:
        ModelError: for an unknown name or task, several heads without a task, or files that are missing, damaged or
            incomplete. A download can fail as for encoders.

    Example:
        >>> import densezero
        >>> densezero.load_head("tipsv2-b14", task="depth")  # doctest: +SKIP
        <Head tipsv2-b14-dpt: depth, for encoders of width 768>
    """
    if task is not None:
        require_task(task)
    name = str(name_file_or_folder)
    entry = HEAD_MODELS.get(name) or HEAD_MODELS.get(f"{name}-dpt")
    if entry is not None:
        return _load_hub(model_folder(entry, revision) / SAFETENSORS, task, entry.name, entry.name.removesuffix("-dpt"))
    if revision is not None:
        raise ModelError(f"Only hub repositories have revisions; got revision {revision!r} for {name}. Leave it out.")
    path = Path(name_file_or_folder)
    if not path_exists(path):
        raise ModelError(_unknown(name))
    return _load_folder(path, task) if path.is_dir() else _load_file(path, task)


def _unknown(name: str) -> str:
    known = [entry.removesuffix("-dpt") for entry in HEAD_MODELS]
    if name in MODELS or find_family(name):
        return f"{name} has no heads for depth, normals or segmentation. Models that have them: {', '.join(known)}."
    return (
        f"Expected the name of a model with heads, a file or a folder; got {name!r}, which is none of these. "
        f"{did_you_mean(name, known)}"
    )


def _load_file(file: Path, task: str | None) -> Head:
    if file.suffix in FLAX_SUFFIXES:
        return _load_flax(open_tensors(file), task)
    if file.suffix == ".safetensors":
        return _load_hub(file, task, file.resolve().parent.name if file.name == SAFETENSORS else file.stem)
    raise ModelError(f"Expected the file of a head, ending in .zip, .npz or .safetensors; got {file}.")


def _load_folder(folder: Path, task: str | None) -> Head:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise ModelError(f"{folder} cannot be opened ({error.strerror}). Check its permissions.") from None
    if SAFETENSORS in names:
        return _load_hub(folder / SAFETENSORS, task, folder.resolve().name)
    files = [folder / name for name in names if Path(name).suffix in FLAX_SUFFIXES and "_dpt" in name]
    opened = [open_tensors(file) for file in files]
    matching = [tensors for tensors in opened if task is None or _flax_task(tensors) == task]
    if len(matching) != 1:
        wanted = "one head" if task is None else f"one head for {task}"
        found = ", ".join(f"{tensors.file.name} ({_flax_task(tensors)})" for tensors in opened) or "none"
        advice = "State the task, or give the file itself" if opened else f"Put {SAFETENSORS} or a *_dpt.zip there"
        raise ModelError(f"Expected {folder} to hold {wanted}; found: {found}. {advice}.")
    return _load_flax(matching[0], task)


def _flax_task(tensors: TensorFile) -> str:
    tasks = [task for task, head in FLAX_HEADS.items() if f"{head}/bias" in tensors.shapes]
    if len(tasks) != 1:
        raise ModelError(
            f"{tensors.file} is not a published DPT head, or not complete: expected one of "
            f"{', '.join(FLAX_HEADS.values())}; it has {len(tasks) or 'none'} of them. Download the file again."
        )
    return tasks[0]


def _load_flax(tensors: TensorFile, task: str | None) -> Head:
    found = _flax_task(tensors)
    _require_found(task, [found], tensors.file)
    return _build(HeadSource(tensors, found, flax=True), HubConfig(depth_activation="identity"), tensors.file.stem)


def _load_hub(file: Path, task: str | None, name: str, encoder: str | None = None) -> Head:
    tensors, config = open_tensors(file), read_hub_config(file.with_name(CONFIG))
    tasks = [known for known in TASKS if f"{known}_decoder.head.bias" in tensors.shapes]
    if not tasks:
        found = _single_task(tensors, config)
        _require_found(task, [found], file)
        return _build(HeadSource(tensors, found, flax=False), config, name, encoder)
    if task is None and len(tasks) > 1:
        raise ModelError(f"{file} holds heads for {', '.join(tasks)}. State the task, as in load_head(..., {DEPTH!r}).")
    chosen = task or tasks[0]
    _require_found(chosen, tasks, file)
    return _build(HeadSource(tensors, chosen, flax=False, prefix=f"{chosen}_"), config, name, encoder)


def _single_task(tensors: TensorFile, config: HubConfig) -> str:
    """Find out what a file of one head is for: by config.json, else by the number of outputs."""
    shape = tensors.shapes.get("decoder.head.bias")
    if shape is None:
        raise ModelError(
            f"{tensors.file} holds no DPT head: expected decoder.head.bias, or the same with depth_, normals_ or "
            "segmentation_ before it. Give the file of a repository whose name ends in -dpt."
        )
    if config.task is not None:
        return config.task
    if shape == (3,):
        return NORMALS
    return DEPTH if shape == (USUAL_DEPTH_BINS,) else SEGMENTATION


def _require_found(task: str | None, found: list[str], file: Path) -> None:
    if task is not None and task not in found:
        raise ModelError(f"Expected a head for {task} in {file}; it holds one for {', '.join(found)}.")


def _build(source: HeadSource, config: HubConfig, name: str, encoder: str | None = None) -> Head:
    activation = config.depth_activation if source.task == DEPTH else "identity"
    sizes = read_config(source, activation)
    facts = {
        "file": file_sha256(source.tensors.file),
        "task": source.task,
        "activation": activation,
        "depths": [config.depths.nearest_m, config.depths.farthest_m],
        "blocks": config.blocks,
    }
    decoder = read_decoder(source, sizes)
    return Head(name, source.task, decoder, facts_sha256(facts), config.blocks, config.depths, encoder)
