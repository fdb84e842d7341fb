"""Downloads a model's files from the hub into its ordinary cache, with progress and resume, and checks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.file_hash import file_sha256
from densezero.errors import ModelError

HUB_FILES = ("config.json", "tokenizer.model", "model.safetensors")
HEAD_FILES = ("config.json", "model.safetensors")  # of a repository with heads and a vision tower
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _Source:
    """A repository, the files of it, and a branch, tag or commit; None is the main branch."""

    repository: str
    files: tuple[str, ...]
    revision: str | None = None

    def __str__(self) -> str:
        return self.repository if self.revision is None else f"{self.repository} at revision {self.revision}"


def cached_repository(repository: str, revision: str | None = None, files: tuple[str, ...] = HUB_FILES) -> Path | None:
    """Folder of a repository's files if all of them are in the cache, else None. Uses no network."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, name, revision=revision) for name in files]
    paths = [Path(path) for path in found if isinstance(path, str)]
    if len(paths) < len(files):
        return None
    return paths[-1].parent


def holds_any(repository: str, names: tuple[str, ...]) -> bool:
    """Say whether one of these files of a repository is in the cache. Uses no network."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in names)


@contextmanager
def offline_if_unreachable() -> Iterator[bool]:
    """Make other libraries use only the cache if the hub does not answer; they would retry for half a minute.

    Yields:
        Whether they use only the cache.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers()
    try:
        yield constants.HF_HUB_OFFLINE
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers() -> bool:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url("google/tipsv2-b14", "config.json"))
    except HfHubHTTPError:
        return True  # it answers, with an error
    except Exception:  # the hub library lets its transport's own exceptions through
        return False
    return True


def fetch_repository(repository: str, revision: str | None = None, files: tuple[str, ...] = HUB_FILES) -> Path:
    """Give the folder of a repository's files, downloading those that are not in the cache.

    Args:
        repository: for example ``google/tipsv2-b14``.
        revision: branch, tag or commit; None takes the main branch. What is cached of it needs no network.
        files: names of the files.

    Returns:
        A folder with these files.

    Raises:
        ModelError: if the files are not cached and cannot be downloaded, or are damaged.
    """
    source = _Source(repository, files, revision)
    folder = cached_repository(repository, revision, files) or _download(source)
    for name in files:
        _check_content(folder / name, source)
    return folder


def _download(source: _Source) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        raise _not_cached(source, "HF_HUB_OFFLINE is set")
    path = Path()
    for name in source.files:
        try:
            path = _download_file(source, name)
        except ModelError:
            raise
        except HfHubHTTPError as error:
            status = getattr(error.response, "status_code", "an error")
            raise ModelError(
                f"{constants.ENDPOINT} answered {status} for {name} of {source}. Check the names of the repository "
                "and of the revision, HF_ENDPOINT and, for a private repository, HF_TOKEN."
            ) from None
        except Exception as error:  # the hub library lets its transport's own exceptions through
            raise ModelError(
                f"The download of {name} of {source} broke off ({_cause(error)}). "
                "Run the command again; it goes on where it stopped."
            ) from None
    return path.parent


def _download_file(source: _Source, name: str) -> Path:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:  # one request here, because the library would retry for half a minute if the hub cannot be reached
        known = get_hf_file_metadata(hf_hub_url(source.repository, name, revision=source.revision))
    except HfHubHTTPError:
        raise
    except Exception as error:
        raise _not_cached(source, f"{constants.ENDPOINT} cannot be reached ({_cause(error)})") from None
    if known.etag and SHA256.fullmatch(known.etag):
        _download_blob(source, name, known.etag, known.size)
    return Path(hf_hub_download(source.repository, name, revision=source.revision))


def _download_blob(source: _Source, name: str, sha256: str, size: int | None) -> None:
    """Put a large file where the library looks for it by its SHA-256, and resume an earlier download.

    The library itself throws away a download that broke off.
    """
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]  # no __all__ there

    cache, folder = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=source.repository, repo_type="model")
    blob, lock = cache / folder / "blobs" / sha256, cache / ".locks" / folder / f"{sha256}.lock"
    part = blob.with_name(f"{sha256}.incomplete")
    for parent in (blob.parent, lock.parent):
        parent.mkdir(parents=True, exist_ok=True)
    # A server that compresses a file cannot send it from the middle.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    with WeakFileLock(lock):
        if blob.exists():
            return
        if size is not None and part.exists() and part.stat().st_size > size:
            part.unlink()
        with part.open("ab") as content:
            http_get(
                hf_hub_url(source.repository, name, revision=source.revision),
                content,
                resume_size=content.tell(),
                headers=headers,
                expected_size=size,
                displayed_filename=name,
            )
        if file_sha256(part) != sha256:
            part.unlink()
            raise _damaged(name, source)
        part.replace(blob)


def _check_content(file: Path, source: _Source) -> None:
    """Compare a large file with the SHA-256 that is its name in the cache. Small files are named by another hash."""
    blob = file.resolve()
    if not SHA256.fullmatch(blob.name) or file_sha256(file) == blob.name:
        return
    blob.unlink()
    file.unlink(missing_ok=True)
    raise _damaged(file.name, source)


def _damaged(name: str, source: _Source) -> ModelError:
    return ModelError(
        f"{name} of {source} is damaged: its content does not have the SHA-256 that the hub states. "
        "It has been deleted; run the command again to download it."
    )


def _not_cached(source: _Source, reason: str) -> ModelError:
    from huggingface_hub import constants

    return ModelError(
        f"{source} is not complete in the cache ({constants.HF_HUB_CACHE}), and {reason}. Connect once and run "
        f"`densezero models download {source.repository.rpartition('/')[2]}`, or copy {', '.join(source.files)} here "
        "and give their folder as --model FOLDER. --model nano works offline, on drawn scenes."
    )


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
