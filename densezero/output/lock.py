"""A lock that keeps other runs out of an output folder. It dies with its process."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from densezero.atomic import output_error
from densezero.errors import OutputError


@contextmanager
def lock(file: Path, place: Path) -> Iterator[None]:
    """Keep other runs out while this one writes. The lock dies with its process.

    Args:
        file: of the lock; it is taken away at the end, and so are folders made for it that are still empty.
        place: what is locked, as the refusal names it.

    Raises:
        OutputError: if another run holds the lock, saying which; or if the file cannot be written.
    """
    made = [folder for folder in file.parents if not folder.exists()]
    held = FileLock(file, thread_local=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"{place} is in use by another run{_holder(file)}. Wait for its end, or choose another --out."
        ) from None
    except OSError as error:
        raise output_error(file, error) from None
    except NotImplementedError:  # a file system that knows no locks: better no lock than no run
        pass
    try:
        with suppress(OSError):  # a refusal then names no process
            file.write_text(json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": _now()}))
        yield
    finally:
        # while the lock is held, so that no other run's file is removed; on Windows, release removes it
        with suppress(OSError):
            file.unlink()
        held.release()
        with suppress(OSError):
            for folder in made:
                folder.rmdir()


def _holder(file: Path) -> str:
    try:
        by = json.loads(file.read_text())
        return f" (process {by['process']} on {by['host']}, since {by['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
