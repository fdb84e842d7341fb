"""Makes the names of output files from the names of the inputs, and refuses two inputs for one output."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath

from densezero.errors import OutputError


def stem_of(relative: PurePath | str, keep_suffix: bool = False) -> str:
    """The relative path of an input without its last suffix, so that "a.b.jpg" keeps its first dot.

    Args:
        relative: the input's path relative to the input folder, with its suffix.
        keep_suffix: leave the suffix where it is, so that a.jpg and a.png give two names.

    Raises:
        OutputError: an input that is no relative path.
    """
    path = PurePath(relative)
    if path.is_absolute() or not path.name or ".." in path.parts:
        raise OutputError(
            f"Expected an input's path relative to the input folder, got {os.fspath(relative)!r}. "
            "Pass it relative, and without '..'."
        )
    return (path if keep_suffix else path.with_name(path.stem)).as_posix()


def refuse_shared_outputs(
    relatives: Iterable[PurePath | str], suffixes: Iterable[str], keep_suffix: bool = False
) -> None:
    """Refuse two inputs that would write one output.

    Args:
        relatives: the inputs' paths relative to the input folder, with their suffixes.
        suffixes: of the files written for each.
        keep_suffix: whether outputs keep the input's suffix.

    Raises:
        OutputError: naming the pairs, also where they differ only in upper and lower case, which some file systems
            do not tell apart.
    """
    taken: dict[str, str] = {}
    clashes = []
    for relative in map(str, relatives):
        stem = _folded(stem_of(relative, keep_suffix))
        if stem in taken:
            clashes.append(f"{taken[stem]} and {relative}")
        taken.setdefault(stem, relative)
    folders = {_folded(str(folder)): relative for relative in taken.values() for folder in PurePath(relative).parents}
    endings = list(suffixes)
    for stem, relative in taken.items():
        inside = [folders[path] for suffix in endings if (path := stem + suffix) in folders]
        clashes += [f"{relative} and {other}" for other in inside[:1]]
    if clashes:
        raise OutputError(
            f"Expected an output of its own for each input, got {len(clashes)} that would write over another's: "
            f"{'; '.join(clashes[:5])}{'; ...' if len(clashes) > 5 else ''}. "
            "Rename one of each pair, run them into different output folders, or keep their endings with --keep-suffix."
        )


def _folded(path: str) -> str:
    """What file systems that fold case or accents compare."""
    return unicodedata.normalize("NFC", path).casefold()
