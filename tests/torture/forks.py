"""Runs of the command line in forked processes, which start at once because everything is loaded already."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

import torch

from densezero.cli import main as cli

CRASHED = 99
CHANGING = ("seconds", "finished", "done", "failed", "skipped")
"""What run.json and a report say of one run alone: times, and counts of what this run did."""


def start(words: list[str], log: Path) -> int:
    """Start a command in a process of its own, and give its number; what it prints is added to the log."""
    log.touch()  # a child may be killed before it opens its log
    child = os.fork()
    if child:
        return child
    to = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(to, 1)
    os.dup2(to, 2)
    code = CRASHED
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        sys.argv = ["densezero", *words]
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(child: int) -> int:
    """The exit status of a process; minus the signal that ended it."""
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def run(words: list[str], log: Path) -> int:
    """Run a command to its end."""
    return wait(start(words, log))


def tree(root: Path) -> dict[str, bytes]:
    """All files below a folder by name, without times and counts of single runs."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or path.is_file():
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            if path.name == "run.json" or (path.suffix == ".json" and b'"per_image"' in content):
                content = json.dumps(_lasting(json.loads(content)), sort_keys=True).encode()
            found[os.fspath(path.relative_to(root))] = content
    return found


def load_everything() -> None:
    """Load what the commands load, so that each fork begins with the work."""
    torch.set_num_threads(1)  # threads do not survive a fork
    import densezero.jobs.evaluate.run
    import densezero.jobs.features.grids
    import densezero.jobs.features.pca
    import densezero.jobs.segment  # noqa: F401


def peak_bytes() -> int:
    """The most memory that any finished child has held."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _lasting(values: object) -> object:
    if isinstance(values, dict):
        lasting = {name: _lasting(value) for name, value in values.items() if name not in (*CHANGING, "settings")}
        if "stamp" in lasting:  # a hard link that any run makes of the picture changes one of its times
            lasting["stamp"] = [part for place, part in enumerate(str(lasting["stamp"]).split("-")) if place != 2]
        return lasting
    if isinstance(values, list):
        return [_lasting(value) for value in values]
    return values
