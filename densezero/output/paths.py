"""Makes the names of output files, and refuses names that would lose something."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath

from densezero.errors import OutputError

LONGEST_NAME_BYTES = 255  # of the usual file systems


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


def flat_name(stem: str) -> str:
    """A name that holds the folders of an input, for formats whose files lie in one folder.

    Example:
        >>> flat_name("day 1/lake")
        'day 1__lake'
    """
    return stem.replace("/", "__")


def refuse_shared_names(relatives: Iterable[PurePath | str], keep_suffix: bool = False) -> None:
    """Refuse two inputs with one ``flat_name``.

    Args:
        relatives: the inputs' paths relative to the input folder, with their suffixes.
        keep_suffix: whether outputs keep the input's suffix.

    Raises:
        OutputError: naming the first pair, also where only upper and lower case differ.
    """
    taken: dict[str, str] = {}
    for relative in map(str, relatives):
        name = _folded(flat_name(stem_of(relative, keep_suffix)))
        if (other := taken.setdefault(name, relative)) != relative:
            raise OutputError(
                f"Expected a name of its own for each input; datumaro has no folders, so {other} and {relative} would "
                f"both be called {flat_name(stem_of(relative, keep_suffix))}. Rename one, or save another format."
            )


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


def refuse_unusable_outputs(
    out: Path,
    outputs: Iterable[Path],
    read: Iterable[Path],
    option: str = "--out",
    *,
    is_folder: bool = True,
    links: Iterable[Path] = (),
) -> None:
    """Refuse outputs that cannot be written, or would destroy what is read. ``--overwrite`` does not lift this.

    Files are compared by device and file number. So links, upper and lower case and Unicode forms hide nothing.

    Args:
        out: the output folder, or the one output file.
        outputs: all files that would be written.
        read: files and folders that are read.
        option: that names the place of the outputs.
        is_folder: whether ``out`` is a folder.
        links: outputs that may be hard links to what is read. Only one that has the same place is refused.

    Raises:
        OutputError: if the output folder is inside an input folder, is a file, or cannot be written; if an output is
            a file that the run reads.
    """
    read = list(read)
    if is_folder:
        _refuse_out_among_inputs(out, read, option)
    elif len(os.fsencode(out.name)) > LONGEST_NAME_BYTES:
        raise OutputError(f"Expected {option} with a name of at most 255 bytes; it is too long: {out.name[:40]}...")
    elif out.is_dir():
        raise OutputError(f"Expected {option} as a file; {out} is a folder. Give a file's name in it.")
    _refuse_unwritable(out if is_folder else out.parent, option)
    known = {key: file for file in read if (key := _file_key(file))}
    for output in outputs:
        key = _file_key(output)
        if key in known:
            what = "one of the inputs" if output == known[key] else f"one of the inputs, {known[key]} by another name"
            raise OutputError(f"The output {output} is {what}, and would be lost. Choose another {option}.")
    read_places = {_place_key(file) for file in read}
    for link in links:
        if (place := _place_key(link)) is not None and place in read_places:
            raise OutputError(f"The output {link} is one of the inputs, and would be lost. Choose another {option}.")


def _place_key(path: Path) -> tuple[tuple[int, int], str] | None:
    """The folder of a file, links followed, and its name as file systems compare it; None without the folder."""
    folder = _file_key(path.parent)
    return None if folder is None else (folder, _folded(path.name))


def _file_key(path: Path) -> tuple[int, int] | None:
    """Device and file number, links followed; None where no such file can be seen."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _refuse_out_among_inputs(out: Path, read: Iterable[Path], option: str) -> None:
    """Refuse an output folder that a later run would take for input."""
    real = out.resolve()
    for given in read:
        if given.is_dir() and (real == given.resolve() or given.resolve() in real.parents):
            raise OutputError(
                f"The output folder {out} lies in the input folder {given}: the next run would take its pictures for "
                f"input. Choose an {option} beside it."
            )


def _refuse_unwritable(folder: Path, option: str) -> None:
    """Refuse a path whose first existing part is not a writable folder."""
    there = next((part for part in (folder, *folder.parents) if os.path.lexists(part)), Path())
    if not there.is_dir():
        raise OutputError(f"Expected an output folder; got {folder}, where {there} is a file. Choose another {option}.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(
            f"The output folder {folder} cannot be written: {there} is not writable. Choose another {option}."
        )
