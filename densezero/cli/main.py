"""``densezero COMMAND``: the commands, and how errors are printed."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from densezero import __version__
from densezero.cli.compare import compare
from densezero.cli.datasets import datasets
from densezero.cli.evaluate import evaluate
from densezero.cli.features import features, pca, similarity
from densezero.cli.fit import fit
from densezero.cli.formats import formats
from densezero.cli.gallery import gallery
from densezero.cli.grouped import GroupedCommand
from densezero.cli.maps import depth, normals
from densezero.cli.models import models
from densezero.cli.options import EXIT_STATUS
from densezero.cli.pretrain import pretrain
from densezero.cli.protocols import protocols
from densezero.cli.report import report
from densezero.cli.segment import segment
from densezero.cli.show import INTERRUPTED
from densezero.cli.table import table
from densezero.cli.try_words import try_words
from densezero.cli.vocabularies import vocabularies
from densezero.errors import DenseZeroError, DenseZeroWarning
from densezero.interrupts import GO_ON, Interrupts

REQUEST_WRONG = 2

app = typer.Typer(
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(segment)
app.command("try", cls=GroupedCommand, epilog=EXIT_STATUS)(try_words)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(fit)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(gallery)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(evaluate)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(table)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(compare)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(report)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(depth)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(normals)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(pca)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(similarity)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(features)
app.command(cls=GroupedCommand, epilog=EXIT_STATUS)(pretrain)
app.add_typer(models, name="models")
app.add_typer(vocabularies, name="vocabularies")
app.add_typer(datasets, name="datasets")
app.add_typer(protocols, name="protocols")
app.add_typer(formats, name="formats")


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"densezero {__version__}")
        raise typer.Exit


@app.callback()
def _densezero(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Type words, get masks. No training.

    Example: densezero segment photos --classes "sky, grass, boat=sailing ship|yacht" --out masks
    """


def show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    """Print a warning of ours as a note, without the place in the code; pass others on."""
    if issubclass(category, DenseZeroWarning):
        typer.echo(f"note: {message}", err=True)
    else:
        _show_warning_of_python(message, category, *place)


_show_warning_of_python = warnings.showwarning


def interrupt(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what Python calls it with
    """Interrupt the command. Clusters and containers stop a process by SIGTERM; it ends as after Ctrl-C."""
    Interrupts.came = True
    raise KeyboardInterrupt


def end_interrupted() -> NoReturn:
    """Say how to go on, in one of several processes of ``torchrun``, and exit."""
    if os.environ.get("RANK", "0") == "0":
        typer.echo(GO_ON, err=True)
    sys.exit(INTERRUPTED)


def main() -> None:
    """Run the command line. Every error of ours becomes one sentence on standard error and an exit status."""
    Interrupts.came = False
    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background job ignores Ctrl-C
        signal.signal(signal.SIGINT, interrupt)
    warnings.showwarning = show_warning  # type: ignore[assignment]  # takes what it gets, and passes it on
    try:
        app(prog_name="densezero")  # the usage line says this name for `python -m densezero` too
    except SystemExit as end:
        if end.code == INTERRUPTED:  # the library of commands turns Ctrl-C into this
            end_interrupted()
        raise
    except KeyboardInterrupt:
        end_interrupted()
    except BrokenPipeError:
        sys.stderr.close()  # the reader of the output has gone, for example `head`
        sys.exit(1)
    except Exception as error:
        if Interrupts.came:  # a library has replaced the interrupt by this error
            end_interrupted()
        if not isinstance(error, DenseZeroError):
            raise
        typer.echo(f"error: {error}", err=True)
        sys.exit(REQUEST_WRONG)
