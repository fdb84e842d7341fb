"""Downloads a model's files, and says what is known of a model."""

from __future__ import annotations

from pathlib import Path

from densezero.encoders.catalog import (
    HEAD_MODELS,
    MODELS,
    ModelEntry,
    find_family,
    find_model,
    load_encoder,
    path_exists,
    refuse_revision,
    repository_files,
)
from densezero.encoders.hub import cached_repository, fetch_repository, holds_any
from densezero.errors import ModelError

# Names that the two libraries give the weights in a repository.
WEIGHT_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.safetensors",
    "pytorch_model.bin",
)


def download_by_name(model: str, revision: str | None = None) -> str:
    """Download a model of the catalog or of a family, unless it is cached, and say where it is.

    Args:
        model: a name of the catalog or of a family.
        revision: branch, tag or commit of a hub repository; None takes the main branch.

    Raises:
        ModelError: for an unknown name, a revision of a model without a hub repository, or a download that fails.
    """
    if find_family(model) is None:
        return download_model(find_model(model), revision)
    refuse_revision(model, revision)
    if _repository_of(model) is None:
        return f"{model} has no weights on the hub; there is nothing to download."
    encoder = load_encoder(model, device="cpu", dtype="float32")
    if encoder.has_text:
        encoder.encode_text(["a word"])  # this downloads the tokenizer
    return f"{model} is in the hub's cache."


def download_model(entry: ModelEntry, revision: str | None = None) -> str:
    """Download a model of the catalog, unless it is cached, and say where it is.

    Raises:
        ModelError: if it cannot be downloaded, or is not published on the hub.
    """
    if entry.repository is None:
        refuse_revision(entry.name, revision)
    if entry.name == "nano":
        return "nano is part of the package; there is nothing to download."
    if entry.repository is None:
        raise ModelError(
            f"{entry.name} is published as {entry.pair}_vision.npz, {entry.pair}_text.npz and tokenizer.model, not as "
            f"a hub repository. Put the three into {entry.folder}."
        )
    files = repository_files(entry)
    cached = cached_repository(entry.repository, revision, files)
    folder = fetch_repository(entry.repository, revision, files)
    return f"{entry.name} is {'already ' if cached else ''}in {folder}\nUse these files with --model {folder}"


def describe_model(model: str) -> dict[str, str]:
    """Say what is known of a model without downloading anything.

    Args:
        model: a name of the catalog or of a family, a folder, or a ``*_vision.npz``.

    Returns:
        Label to text, in the order to show them.

    Raises:
        ModelError: for an unknown name or damaged files.
    """
    if find_family(model) is not None:
        return _describe_member(model)
    if model not in MODELS | HEAD_MODELS and path_exists(Path(model)):
        return _sizes(model)
    entry = find_model(model)
    facts = {"name": entry.name, "what": entry.summary, "licence": entry.licence}
    if entry.repository:
        facts["repository"] = entry.repository
    if model in HEAD_MODELS:
        facts["heads"] = "depth, normals, segmentation (ADE20K's classes); the vision tower is in the same file"
    if entry.size_mb:
        facts["download"] = f"{entry.size_mb} MB"
    if entry.pair:
        facts["files"] = f"{entry.pair}_vision.npz, {entry.pair}_text.npz, tokenizer.model"
    if not _is_here(entry):
        return {**facts, "here": "no"}
    return {**facts, "here": "yes", **_sizes(model)}


def _describe_member(model: str) -> dict[str, str]:
    from densezero.encoders.openclip import describe_openclip
    from densezero.encoders.timm import describe_timm

    describe = {"open_clip": describe_openclip, "timm": describe_timm}[find_family(model) or ""]
    facts, repository = describe(model), _repository_of(model)
    if repository is None:
        return {**facts, **_sizes(model)}
    if not holds_any(repository, WEIGHT_FILES):
        return {**facts, "here": "no"}
    return {**facts, "here": "yes", **_sizes(model)}


def _repository_of(model: str) -> str | None:
    from densezero.encoders import openclip, timm

    return {"open_clip": openclip.repository_of, "timm": timm.repository_of}[find_family(model) or ""](model)


def _is_here(entry: ModelEntry) -> bool:
    if entry.name == "nano" or entry.folder.is_dir():
        return True
    return (
        entry.repository is not None and cached_repository(entry.repository, None, repository_files(entry)) is not None
    )


def _sizes(model: str) -> dict[str, str]:
    from densezero.encoders.tips.encoder import TipsEncoder

    encoder = load_encoder(model, device="cpu", dtype="float32")
    facts = {
        "patch": f"{encoder.patch_px} px",
        "native side": f"{encoder.native_px} px",
        "width": str(encoder.width),
        "temperature": "not known" if encoder.temperature is None else f"{encoder.temperature:.6f}",
        "read-outs": ", ".join(encoder.readouts),
        "words": "yes" if encoder.has_text else "no",
        "sha256": encoder.weights_hash,
    }
    if isinstance(encoder, TipsEncoder):
        vision, text = encoder.vision.config, encoder.text_config
        facts["vision"] = f"{vision.depth} blocks, {vision.heads} heads, {vision.ffn} of width {vision.mlp_width}"
        facts["text"] = f"{text.depth} blocks, {text.heads} heads, {text.vocab_size} pieces"
    return facts
