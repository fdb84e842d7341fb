"""Gets a model's files, and says what is known of a model."""

from __future__ import annotations

from pathlib import Path

from densezero.encoders.catalog import MODELS, ModelEntry, find_model, path_exists
from densezero.encoders.hub import cached_repository, fetch_repository
from densezero.errors import ModelError


def obtain_model(entry: ModelEntry) -> str:
    """Download a model unless it is here, and say in one sentence where it is.

    Raises:
        ModelError: if it cannot be had, or is not published on the hub.
    """
    if entry.name == "nano":
        return "nano is part of the package; there is nothing to download."
    if entry.repository is None:
        raise ModelError(
            f"{entry.name} is published as {entry.pair}_vision.npz, {entry.pair}_text.npz and tokenizer.model, not as "
            f"a hub repository. Put the three into {entry.folder}."
        )
    cached = cached_repository(entry.repository)
    folder = fetch_repository(entry.repository)
    return f"{entry.name} is {'already ' if cached else ''}in {folder}"


def describe_model(model: str) -> dict[str, str]:
    """Say what is known of a model without downloading anything.

    Args:
        model: a name of the catalog, a folder, or a ``*_vision.npz``.

    Returns:
        What to what, in the order to show it.

    Raises:
        ModelError: for an unknown name or damaged files.
    """
    if model not in MODELS and path_exists(Path(model)):
        return _sizes(model)
    entry = find_model(model)
    facts = {"name": entry.name, "what": entry.summary, "licence": entry.licence}
    if entry.repository:
        facts["repository"] = entry.repository
    if entry.size_mb:
        facts["download"] = f"{entry.size_mb} MB"
    if entry.pair:
        facts["files"] = f"{entry.pair}_vision.npz, {entry.pair}_text.npz, tokenizer.model"
    if not _is_here(entry):
        return {**facts, "here": "no"}
    return {**facts, "here": "yes", **_sizes(model)}


def _is_here(entry: ModelEntry) -> bool:
    if entry.name == "nano" or entry.folder.is_dir():
        return True
    return entry.repository is not None and cached_repository(entry.repository) is not None


def _sizes(model: str) -> dict[str, str]:
    from densezero.encoders.catalog import load_encoder
    from densezero.encoders.tips.encoder import TipsEncoder

    encoder = load_encoder(model, device="cpu", dtype="float32")
    facts = {
        "patch": f"{encoder.patch_px} px",
        "native side": f"{encoder.native_px} px",
        "width": str(encoder.width),
        "temperature": "not known" if encoder.temperature is None else f"{encoder.temperature:.6f}",
        "sha256": encoder.weights_hash,
    }
    if isinstance(encoder, TipsEncoder):
        vision, text = encoder.vision.config, encoder.text_config
        facts["vision"] = f"{vision.depth} blocks, {vision.heads} heads, {vision.ffn} of width {vision.mlp_width}"
        facts["text"] = f"{text.depth} blocks, {text.heads} heads, {text.vocab_size} pieces"
    return facts
