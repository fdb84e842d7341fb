"""``densezero table``: reports and published numbers in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options

FORMS = ("markdown", "latex", "csv")


def table(
    reports: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE.json...", parser=options.path, help="Reports.")
    ] = None,
    form: Annotated[str, options.choice(FORMS, "--format", help="Of the table.")] = "markdown",
    published: Annotated[
        bool | None,
        typer.Option("--published/--no-published", help="All published rows, or none. [those of the same models]"),
    ] = None,
    published_field: Annotated[
        bool,
        typer.Option(
            "--published-field",
            help="Add the published rows of the field's methods, each with its source; primary: by its authors.",
        ),
    ] = False,
    difference: Annotated[
        bool, typer.Option("--difference", help="Add rows of measured minus published numbers.")
    ] = False,
    interval: Annotated[
        bool, typer.Option("--interval", help="Add the 95 % interval of each measured mIoU (bootstrap over images).")
    ] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=TITLE],...", help="Columns in this order, with new titles if you give them."),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL[=LABEL],...", help="Rows in this order, with new labels if you give them."),
    ] = None,
    digits: Annotated[int, typer.Option(min=0, max=6, help="Digits behind the point.")] = 2,
    best: Annotated[bool, typer.Option("--best", help="The best of each column and protocol in bold.")] = False,
    second: Annotated[bool, typer.Option("--second", help="The second best underlined.")] = False,
) -> None:
    """Set reports beside the published numbers, on standard output. Blocks are protocols, columns data sets.

    Example: densezero table ade20k.json voc21.json --format latex --digits 1 --best
    """
    from densezero.errors import InputError
    from densezero.evaluation.bootstrap import measure
    from densezero.evaluation.table import make_table, select
    from densezero.evaluation.table_text import Style, write_table

    if not reports and not published and not published_field:
        raise InputError("Expected reports of `densezero evaluate`, --published or --published-field; got none.")
    measured = [measure(file, interval) for file in reports or []]
    made = make_table(measured, published=published, difference=difference, published_field=published_field)
    chosen = select(made, options.split_names(columns), options.split_names(rows))
    typer.echo(write_table(chosen, form, Style(digits, best, second)), nl=False)
