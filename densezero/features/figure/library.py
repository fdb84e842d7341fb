"""Imports matplotlib, whatever the user's setup of it says."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType


def import_matplotlib() -> ModuleType:
    """Import matplotlib. Where the user's setup stops that, import it as it is without any setup.

    Its setup is read at its import: a backend of a notebook that is not installed here, or a file that cannot be read,
    raises there. A figure uses none of it.
    """
    try:
        return importlib.import_module("matplotlib")
    except Exception:  # whatever a file of settings can raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
    setup = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        return importlib.import_module("matplotlib")
    finally:
        del os.environ["MATPLOTLIBRC"]
        os.environ.update({name: value for name, value in setup.items() if value is not None})
