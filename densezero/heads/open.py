"""Opens the encoder and the heads that a command asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezero.encoders.base import DenseEncoder
from densezero.encoders.catalog import HEAD_MODELS, load_encoder
from densezero.errors import ModelError
from densezero.heads.head import Head
from densezero.heads.load import SAFETENSORS, load_head


def open_heads(model: str, tasks: Sequence[str], files: Sequence[Path] = ()) -> list[Head]:
    """Load the heads of a model, one for each task.

    Args:
        model: a name or path, as for ``--model``.
        tasks: of the heads.
        files: the heads' own files or folders, in place of those of the model.

    Raises:
        ModelError: if a task has no head, naming the models that have one; or if a file is used for no task.
    """
    if not files:
        return [load_head(model, task) for task in tasks]
    found: dict[str, Head] = {}
    for file in files:
        wanted = [task for task in tasks if task not in found]
        loaded, reasons = _load_all(file, wanted)
        if not loaded:
            raise ModelError(
                reasons or f"{file} is one head too many: {' and '.join(tasks)} have theirs. Leave it out."
            )
        found.update(loaded)
    if missing := [task for task in tasks if task not in found]:
        raise ModelError(f"Expected a head for {' and '.join(missing)} too. Give its file with another --head.")
    return [found[task] for task in tasks]


def _load_all(file: Path, tasks: Sequence[str]) -> tuple[dict[str, Head], str]:
    """Load what a file holds for some tasks. Without any of them, say why."""
    loaded, reasons = {}, []
    for task in tasks:
        try:
            loaded[task] = load_head(file, task)
        except ModelError as error:
            reasons.append(str(error))
    return loaded, "\n".join(dict.fromkeys(reasons))


def open_encoder(model: str, has_own_heads: bool, device: str = "auto", dtype: str = "auto") -> DenseEncoder:
    """Load the encoder for heads.

    Args:
        model: a name or path, as for ``--model``.
        has_own_heads: whether the heads come from the model itself. Their repository also holds the vision tower, so
            for ``tipsv2-b14`` the encoder is taken from there, and nothing is downloaded twice.
        device: where to compute.
        dtype: numeric type of the vision tower.
    """
    path = Path(model)
    if f"{model}-dpt" in HEAD_MODELS and has_own_heads:
        model = f"{model}-dpt"
    elif path.name == SAFETENSORS and path.is_file():
        model = str(path.parent)
    return load_encoder(model, device, dtype)
