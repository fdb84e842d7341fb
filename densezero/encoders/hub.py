"""Fetches a model's files from the hub into its ordinary cache: progress, resume, and a check of what arrived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from densezero.encoders.digest import file_sha256
from densezero.errors import ModelError

HUB_FILES = ("config.json", "tokenizer.model", "model.safetensors")
SHA256 = re.compile(r"[0-9a-f]{64}")


def cached_repository(repository: str) -> Path | None:
    """Folder of a repository's files if all of them are in the cache, else None. Asks no network."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, name) for name in HUB_FILES]
    paths = [Path(path) for path in found if isinstance(path, str)]
    if len(paths) < len(HUB_FILES):
        return None
    return paths[-1].parent


def holds_any(repository: str, names: tuple[str, ...]) -> bool:
    """Say whether one of these files of a repository is in the cache. Asks no network."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in names)


@contextmanager
def cache_alone_if_silent() -> Iterator[None]:
    """Have other libraries look in the cache alone where the hub does not answer; they would ask for half a minute."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers() -> bool:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url("google/tipsv2-b14", "config.json"))
    except HfHubHTTPError:
        return True  # an answer, if not the one that was hoped for
    except Exception:  # the hub library lets its transport's own exceptions through
        return False
    return True


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
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        raise _not_cached(repository, "HF_HUB_OFFLINE is set")
    path = Path()
    for name in HUB_FILES:
        try:
            path = _download_file(repository, name)
        except ModelError:
            raise
        except HfHubHTTPError as error:
            status = getattr(error.response, "status_code", "an error")
            raise ModelError(
                f"{constants.ENDPOINT} answered {status} for {name} of {repository}. "
                "Check the repository's name, HF_ENDPOINT and, for a private one, HF_TOKEN."
            ) from None
        except Exception as error:  # the hub library lets its transport's own exceptions through
            raise ModelError(
                f"The download of {name} of {repository} broke off ({_cause(error)}). "
                "Run the command again; it goes on where it stopped."
            ) from None
    return path.parent


def _download_file(repository: str, name: str) -> Path:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:  # asked here once, because the library asks for half a minute where nobody answers
        known = get_hf_file_metadata(hf_hub_url(repository, name))
    except HfHubHTTPError:
        raise
    except Exception as error:
        raise _not_cached(repository, f"{constants.ENDPOINT} cannot be reached ({_cause(error)})") from None
    if known.etag and SHA256.fullmatch(known.etag):
        _download_blob(repository, name, known.etag, known.size)
    return Path(hf_hub_download(repository, name))


def _download_blob(repository: str, name: str, sha256: str, size: int | None) -> None:
    """Put a large file where the library looks for it by its digest, going on from what an earlier run left.

    The library itself throws away what it has of a cut download.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]  # no __all__ there

    cache, folder = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=repository, repo_type="model")
    blob, lock = cache / folder / "blobs" / sha256, cache / ".locks" / folder / f"{sha256}.lock"
    part = blob.with_name(f"{sha256}.incomplete")
    for parent in (blob.parent, lock.parent):
        parent.mkdir(parents=True, exist_ok=True)
    # A server that compresses on the way does not start in the middle.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    with WeakFileLock(lock):
        if blob.exists():
            return
        if size is not None and part.exists() and part.stat().st_size > size:
            part.unlink()
        with part.open("ab") as content:
            http_get(
                hf_hub_url(repository, name),
                content,
                resume_size=content.tell(),
                headers=headers,
                expected_size=size,
                displayed_filename=name,
            )
        if file_sha256(part) != sha256:
            part.unlink()
            raise _damaged(name, repository)
        part.replace(blob)


def _check_content(file: Path, repository: str) -> None:
    """Hold a large file to the SHA-256 that the cache files it under; small ones are filed under another digest."""
    blob = file.resolve()
    if not SHA256.fullmatch(blob.name) or file_sha256(file) == blob.name:
        return
    blob.unlink()
    file.unlink(missing_ok=True)
    raise _damaged(file.name, repository)


def _damaged(name: str, repository: str) -> ModelError:
    return ModelError(
        f"{name} of {repository} is damaged: its content does not have the SHA-256 that the hub states. "
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
