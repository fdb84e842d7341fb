"""Fetches a model's files from the hub into its ordinary cache: progress, resume, and a check of what arrived."""

from __future__ import annotations

import re
from pathlib import Path

from densezero.encoders.digest import file_sha256
from densezero.errors import ModelError

HUB_FILES = ("config.json", "tokenizer.model", "model.safetensors")


def cached_repository(repository: str) -> Path | None:
    """Folder of a repository's files if all of them are in the cache, else None. Asks no network."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, name) for name in HUB_FILES]
    paths = [Path(path) for path in found if isinstance(path, str)]
    if len(paths) < len(HUB_FILES):
        return None
    return paths[-1].parent


def fetch_repository(repository: str) -> Path:
    """Give the folder of a repository's files, downloading those that are not in the cache.

    Args:
        repository: for example ``google/tipsv2-b14``.

    Returns:
        A folder with ``config.json``, ``tokenizer.model`` and ``model.safetensors``.

    Raises:
        ModelError: if the files are neither cached nor to be had, or what arrived is damaged.
    """
    cached = cached_repository(repository)
    folder = cached or _download(repository)
    for name in HUB_FILES:
        _check_content(folder / name, repository)
    return folder


def _download(repository: str) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    if constants.HF_HUB_OFFLINE:
        raise _not_cached(repository, "HF_HUB_OFFLINE is set")
    path = ""
    for name in HUB_FILES:
        try:
            path = hf_hub_download(repository, name)
        except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
            raise _not_cached(repository, f"{constants.ENDPOINT} cannot be reached ({_cause(error)})") from None
        except HfHubHTTPError as error:
            status = getattr(error.response, "status_code", "an error")
            raise ModelError(
                f"{constants.ENDPOINT} answered {status} for {name} of {repository}. "
                "Check the repository's name, HF_ENDPOINT and, for a private one, HF_TOKEN."
            ) from None
        except Exception as error:  # the hub library lets its transport's own exceptions through
            raise ModelError(
                f"The download of {name} of {repository} broke off ({type(error).__name__}: {error}). "
                "Run the command again; it goes on where it stopped."
            ) from None
    return Path(path).parent


def _check_content(file: Path, repository: str) -> None:
    """Hold a large file to the SHA-256 that the cache files it under; small ones are filed under another digest."""
    blob = file.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", blob.name) or file_sha256(file) == blob.name:
        return
    blob.unlink()
    file.unlink(missing_ok=True)
    raise ModelError(
        f"{file.name} of {repository} is damaged: its content does not have the SHA-256 that the hub states. "
        "It has been deleted; run the command again to download it."
    )


def _not_cached(repository: str, reason: str) -> ModelError:
    from huggingface_hub import constants

    return ModelError(
        f"{repository} is not complete in the cache ({constants.HF_HUB_CACHE}), and {reason}. Connect once and run "
        "`densezero models download`, or copy the files here and give their folder as --model FOLDER. "
        "--model nano works offline, on drawn scenes."
    )


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
