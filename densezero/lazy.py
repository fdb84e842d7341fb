"""Names of a package that are imported when they are first used, so that importing the package loads nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_names(package: str, table: dict[str, str]) -> Callable[[str], Any]:
    """Make a module's ``__getattr__`` (PEP 562) out of a literal table.

    Args:
        package: the package's ``__name__``, for messages.
        table: public name to the module that defines it.
    """

    def get(name: str) -> Any:
        if name not in table:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(table[name]), name)

    return get
