"""The models by name, and loading an encoder by name or path. Importing this module does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from densezero.encoders.file_hash import cache_folder
from densezero.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from densezero.encoders.base import DenseEncoder
    from densezero.encoders.tips.load import TipsOptions

DEFAULT_MODEL = "tipsv2-l14"  # the best TIPSv2 model at this task; the larger ones score lower
NANO_NOTE = (
    "nano is a tiny model that knows only the words of drawn scenes (sky, house, boat ...); "
    "for real photographs use --model tipsv2-l14."
)
DTYPE_NAMES = ("auto", "float32", "bfloat16", "float16")
TIPS_LICENCE = "CC-BY 4.0"


@dataclass(frozen=True)
class ModelEntry:
    """One model of the catalog.

    Args:
        name: the value of ``--model``.
        summary: a description of a few words.
        licence: licence of the weights.
        repository: hub repository that has the weights, if any.
        pair: the start that the names of the published ``.npz`` files share, if any.
        size_mb: size of the download in megabytes, if known.
    """

    name: str
    summary: str
    licence: str
    repository: str | None = None
    pair: str | None = None
    size_mb: int | None = None

    @property
    def folder(self) -> Path:
        """Folder where a user puts the published pair."""
        return cache_folder() / "models" / self.name


MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry("nano", "embedded, drawn scenes only, for trying out and for tests", "Apache-2.0"),
        ModelEntry("tipsv2-b14", "TIPSv2 ViT-B/14", TIPS_LICENCE, "google/tipsv2-b14", "tips_v2_oss_b14", size_mb=784),
        ModelEntry(
            "tipsv2-l14", "TIPSv2 ViT-L/14, the default", TIPS_LICENCE, "google/tipsv2-l14", "tips_v2_oss_l14", 1952
        ),
        ModelEntry(
            "tipsv2-so400m14", "TIPSv2 ViT-SO400m/14", TIPS_LICENCE, "google/tipsv2-so400m14", "tips_v2_oss_so14"
        ),
        ModelEntry("tipsv2-g14", "TIPSv2 ViT-g/14", TIPS_LICENCE, "google/tipsv2-g14", "tips_v2_oss_g14"),
        ModelEntry("tips-s14", "TIPS ViT-S/14", TIPS_LICENCE, pair="tips_oss_s14_highres_distilled"),
        ModelEntry("tips-b14", "TIPS ViT-B/14", TIPS_LICENCE, pair="tips_oss_b14_highres_distilled"),
        ModelEntry("tips-l14", "TIPS ViT-L/14", TIPS_LICENCE, pair="tips_oss_l14_highres_distilled"),
        ModelEntry(
            "tips-so400m14", "TIPS ViT-SO400m/14", TIPS_LICENCE, pair="tips_oss_so400m14_highres_largetext_distilled"
        ),
        ModelEntry("tips-g14", "TIPS ViT-g/14", TIPS_LICENCE, pair="tips_oss_g14_highres"),
    )
}


# Repositories with trained heads, for ``densezero.load_head``. Each also holds the vision tower of its model, and
# ``load_encoder`` takes it from there, so that nobody downloads it twice. Without the text tower it knows no words.
HEAD_MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            "tipsv2-b14-dpt", "depth, normals, ADE20K heads for TIPSv2 ViT-B/14", TIPS_LICENCE, "google/tipsv2-b14-dpt"
        ),
        ModelEntry(
            "tipsv2-l14-dpt", "depth, normals, ADE20K heads for TIPSv2 ViT-L/14", TIPS_LICENCE, "google/tipsv2-l14-dpt"
        ),
        ModelEntry(
            "tipsv2-so400m14-dpt",
            "depth, normals, ADE20K heads for TIPSv2 ViT-SO400m/14",
            TIPS_LICENCE,
            "google/tipsv2-so400m14-dpt",
        ),
        ModelEntry(
            "tipsv2-g14-dpt", "depth, normals, ADE20K heads for TIPSv2 ViT-g/14", TIPS_LICENCE, "google/tipsv2-g14-dpt"
        ),
    )
}


@dataclass(frozen=True)
class Family:
    """The models of another library, named ``FAMILY:MODEL...``.

    Args:
        form: form of a name.
        summary: a description of a few words.
        example: a name.
    """

    form: str
    summary: str
    example: str


FAMILIES: dict[str, Family] = {
    "open_clip": Family(
        "open_clip:MODEL/TAG",
        "the CLIP family (CLIP, SigLIP, EVA ...) through open_clip",
        "open_clip:ViT-B-16/openai",
    ),
    "timm": Family(
        "timm:MODEL", "ViTs for images only (DINOv2, DINOv3 ...) through timm", "timm:vit_small_patch14_dinov2"
    ),
}


def find_family(model: str) -> str | None:
    """Name of the family that a model's name starts with, or None."""
    family, colon, _ = model.partition(":")
    return family if colon and family in FAMILIES else None


def load_encoder(
    model: str | Path, device: str = "auto", dtype: str = "auto", revision: str | None = None
) -> DenseEncoder:
    """Load an encoder by name or from files.

    Args:
        model: a name of ``MODELS``, or of ``HEAD_MODELS`` for an encoder without words; ``open_clip:MODEL/TAG`` or
            ``timm:MODEL``, either with ``/random`` for untrained weights; a folder with ``model.safetensors`` or a
            published ``.npz`` pair, and ``tokenizer.model``; or the ``*_vision.npz`` of a pair.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        revision: branch, tag or commit of the model's hub repository; None takes the main branch.

    Returns:
        An encoder, ready to use. A hub model that is not in the cache is downloaded first.

    Raises:
        ModelError: for an unknown name, a revision of a model without a hub repository, or files that are missing,
            damaged or do not belong together.

    Example:
        >>> import densezero
        >>> densezero.load_encoder("nano").patch_px
        14
    """
    from densezero.encoders.tips.load import TipsOptions

    family = find_family(str(model))
    entry = MODELS.get(str(model)) or HEAD_MODELS.get(str(model))
    if entry is None or entry.repository is None:
        refuse_revision(str(model), revision)
    if family is not None:
        return _FAMILY_LOADERS[family](str(model), device, dtype)
    if entry is None:
        return _load_path(Path(model), TipsOptions(device=device, dtype=dtype))
    note = NANO_NOTE if entry.name == "nano" else None
    return _load_entry(entry, TipsOptions(name=entry.name, device=device, dtype=dtype, note=note), revision)


def find_model(name: str) -> ModelEntry:
    """Look a model up.

    Raises:
        ModelError: if no model has this name, with the most similar names.
    """
    known = MODELS | HEAD_MODELS
    if name not in known:
        raise ModelError(f"Expected the name of a model; got {name!r}. {_known_models(name)}")
    return known[name]


def refuse_revision(model: str, revision: str | None) -> None:
    """Refuse a revision for a model that is not a hub repository of this catalog.

    Raises:
        ModelError: if a revision is given, with the models that have revisions.
    """
    if revision is not None:
        known = ", ".join(entry.name for entry in MODELS.values() if entry.repository)
        raise ModelError(
            f"Only the models of hub repositories have revisions: {known}; got revision {revision!r} for {model}. "
            "Leave the revision out."
        )


def path_exists(path: Path) -> bool:
    """Say whether a path exists. The answer is no for a name that the file system does not allow."""
    try:
        return path.exists()
    except OSError:
        return False


def _load_openclip(model: str, device: str, dtype: str) -> DenseEncoder:
    from densezero.encoders.openclip import load_openclip

    return load_openclip(model, device, dtype)


def _load_timm(model: str, device: str, dtype: str) -> DenseEncoder:
    from densezero.encoders.timm import load_timm

    return load_timm(model, device, dtype)


_FAMILY_LOADERS = {"open_clip": _load_openclip, "timm": _load_timm}


def _load_entry(entry: ModelEntry, options: TipsOptions, revision: str | None) -> DenseEncoder:
    from densezero.encoders.tips.load import load_tips_folder

    if entry.name == "nano":
        return load_tips_folder(Path(str(resources.files("densezero.encoders") / "nano")), options)
    if entry.repository is None and not entry.folder.is_dir():
        raise ModelError(
            f"The weights of {entry.name} are published as files, not as a hub repository. Put "
            f"{entry.pair}_vision.npz, {entry.pair}_text.npz and tokenizer.model into {entry.folder}, "
            "or into any folder and give it as --model FOLDER."
        )
    return load_tips_folder(model_folder(entry, revision), options)


def model_folder(entry: ModelEntry, revision: str | None = None) -> Path:
    """Folder with a model's files: the one where a user put them, else the hub's, after a download if it is needed.

    Raises:
        ModelError: if they cannot be downloaded, or are damaged.
    """
    from densezero.encoders.hub import fetch_repository

    if entry.repository is None or (revision is None and entry.folder.is_dir()):
        return entry.folder
    return fetch_repository(entry.repository, revision, repository_files(entry))


def repository_files(entry: ModelEntry) -> tuple[str, ...]:
    """Names of the files that a model's hub repository has."""
    from densezero.encoders.hub import HEAD_FILES, HUB_FILES

    return HEAD_FILES if entry.name in HEAD_MODELS else HUB_FILES


def _load_path(path: Path, options: TipsOptions) -> DenseEncoder:
    from densezero.encoders.tips.load import load_tips_folder, load_tips_pair

    if path_exists(path):
        return load_tips_folder(path, options) if path.is_dir() else load_tips_pair(path, options)
    raise ModelError(
        f"Expected a model's name, a folder or a *_vision.npz file; got {str(path)!r}, which is neither a name nor a "
        "path. "
        f"{_known_models(str(path))}"
    )


def _known_models(given: str) -> str:
    forms = " and ".join(family.form for family in FAMILIES.values())
    return f"{did_you_mean(given, list(MODELS))} Also: {forms}."


def model_files(model: str) -> list[Path]:
    """The files of a model that is given as a folder, or the file; none for the name of a model."""
    try:
        return sorted(Path(model).iterdir()) if Path(model).is_dir() else [Path(model)]
    except OSError:  # a folder that cannot be listed; loading it says so
        return []
