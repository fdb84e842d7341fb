"""Options that several commands have, and what their values become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from densezero.cli.like import take_over
from densezero.encoders.catalog import DTYPE_NAMES, FAMILIES, MODELS
from densezero.errors import InputError, did_you_mean

RUN, MODEL, WORDS, ENCODING, FIGURE, FILM = "Runs", "Model", "Words", "Encoding", "Figures", "Films"
"""Groups of options in a command's help."""

EXIT_STATUS: Final = (
    "Exit status: 0 everything is done; 1 some inputs failed, or the device is full; 2 the request was wrong, nothing "
    "was done; 130 stopped by Ctrl-C or SIGTERM, the same command goes on."
)


def path(text: str) -> Path:
    """A path, with ``~`` for the home folder also where the shell leaves it, as in ``--out=~/masks``.

    Raises:
        InputError: for an address, an empty text, or one with a zero byte, which no path has.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise InputError(f"Expected files or folders on this machine, but {text} is an address. Download it first.")
    if not text or "\0" in text:
        raise InputError(f"Expected a path, got {text!r}.")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"There is no home folder for {text}. Write the whole path.") from None


def split_names(given: Iterable[str] | None, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names that were given in several options, or in one with commas between them; each once, in their order."""
    names = [name.strip() for text in given or () for name in text.split(",") if name.strip()]
    return tuple(dict.fromkeys(names)) or default


def starting_with(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Complete a name in the shell, or the last of a list with commas."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in known if name.startswith(last)]

    return complete


def choice(known: Iterable[str], *flags: str, help: str, panel: str | None = None) -> Any:  # noqa: A002
    """An option whose value is one of some names: they stand in the help, the shell completes them, others are refused.

    Args:
        known: the names.
        flags: of the option; none takes the parameter's name.
        help: of the option.
        panel: its group in the help.
    """
    names = tuple(known)

    def check(value: str) -> str:
        if value not in names:
            raise InputError(f"Expected one of the known names; got {value!r}. {did_you_mean(value, list(names))}")
        return value

    return typer.Option(
        *flags, help=help, parser=check, metavar=f"[{'|'.join(names)}]", autocompletion=starting_with(names),
        rich_help_panel=panel,
    )  # fmt: skip


MODEL_NAMES: Final = (*MODELS, *(family.example for family in FAMILIES.values()))

Inputs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="INPUT", parser=path, help="Image files and folders; folders are searched with all sub-folders."
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images", metavar="FILE|-", parser=path, rich_help_panel=RUN,
        help="A file that lists image files, one a line; - reads the list from standard input. In place of INPUT.",
    ),
]  # fmt: skip
OutFolder = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", parser=path, help="Output folder.")]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME", autocompletion=starting_with(MODEL_NAMES), rich_help_panel=MODEL,
        help="A model (see `densezero models list`), a folder, or a *_vision.npz.",
    ),
]  # fmt: skip
Device = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.",
        autocompletion=starting_with(("auto", "cpu", "cuda", "mps")),
        rich_help_panel=MODEL,
    ),
]  # fmt: skip
Dtype = Annotated[str, choice(DTYPE_NAMES, help="Numeric type of the model. float32 reproduces.", panel=MODEL)]
Background = Annotated[
    str | None,
    typer.Option(
        "--background", metavar="WORDS", rich_help_panel=WORDS,
        help='Words for a class called background: "wall, floor"; or auto, which chooses 64 words, and refuses lists '
        "with stuff such as sky and wall (auto-anyway does not). [the class list's]",
    ),
]  # fmt: skip
Regions = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|FILE|sam2", rich_help_panel=MODEL,
        help="Masks that get one label each: a folder of label PNGs or COCO JSON with the names of the images, a COCO "
        "file, or sam2 to make them with facebook/sam2.1-hiera-small (sam2:NAME for another).",
    ),
]  # fmt: skip
Example = Annotated[
    list[str] | None,
    typer.Option(
        "--example", metavar="NAME=IMAGE,MASK", rich_help_panel=WORDS,
        help="A picture that shows a class, beside its words or instead of them (may be repeated): "
        "mug=photo.jpg,mask.png, where every value of the mask but 0 is inside; mask.png#3 takes one value; "
        "mug=photo.jpg,x,y,width,height takes a box in pixels.",
    ),
]  # fmt: skip
Classifier = Annotated[
    Path | None,
    typer.Option(
        "--classifier", metavar="FILE", parser=path, rich_help_panel=WORDS,
        help="A classifier from `densezero fit`, in place of words.",
    ),
]  # fmt: skip
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite/--resume", rich_help_panel=RUN,
        help="Do again what an earlier run has written, and replace files in the way; or go on from it.",
    ),
]  # fmt: skip
Replace = Annotated[
    bool, typer.Option("--overwrite", rich_help_panel=RUN, help="Replace a file that densezero did not write.")
]
KeepSuffix = Annotated[
    bool,
    typer.Option(
        "--keep-suffix",
        rich_help_panel=RUN,
        help="a.jpg gives a.jpg.png, so that a.jpg and a.png can lie side by side.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", rich_help_panel=RUN, help="Only say what would be done, and what is refused.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", rich_help_panel=RUN, help="Print errors and the last line alone.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", rich_help_panel=RUN, help="Print a line for every image.")]
Like = Annotated[
    Path | None,
    typer.Option(
        "--like", metavar="FILE.json", parser=path, callback=take_over, is_eager=True, rich_help_panel=RUN,
        help="Take the settings of an earlier run from its run.json or report. What is given here wins.",
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def as_inputs(inputs: list[Path] | None) -> tuple[Path, ...]:
    """The given files and folders."""
    return tuple(inputs or ())
