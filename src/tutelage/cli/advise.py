"""``tutelage advise``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import click

from tutelage.cli.fit import seconds
from tutelage.cli.output import console, percent, progress, tell_json
from tutelage.cli.shared import DEVICE, shared


@click.command()
@click.argument("source", type=click.Path())
@click.option(
    "--teacher", default="auto", show_default=True, help="A teacher's name, or a weight file."
)
@click.option("--teachers", help="Measure several and take the best: auto, or names with commas between.")  # fmt: skip
@click.option("--weights", type=click.Path(), help="A weight file for --teacher, instead of its published one.")  # fmt: skip
@click.option("--arch", help="The network that a weight file is of.")
@click.option("--allow-licence", is_flag=True, help="Take a teacher whose licence is not an open one.")  # fmt: skip
@click.option("--group-by", help="A table's column, or a regex on the path: kept together in the split.")  # fmt: skip
@click.option("--per-class-train", type=click.IntRange(1), help="Train on this many a class.")
@click.option("--split-seed", type=int, default=0, show_default=True, help="Of the split only.")
@click.option("--time-limit", callback=seconds, help="What a fit may take, e.g. 60s or 5m.")
@DEVICE
@click.option(
    "--engine",
    default="auto",
    show_default=True,
    help="What runs the frozen layers: openvino-f32, openvino-bf16, torch-f32, torch-bf16.",
)
@click.option("--scores", is_flag=True, help="LogME, NLEEP and H-score of each stage too.")
@shared
def advise(source: str, as_json: bool, **dials: Any) -> None:
    """How deep to freeze, and why, for SOURCE; trains nothing.

    \b
    tutelage advise photos/
    tutelage advise photos/ --teachers auto
    """
    from tutelage import api

    with progress() as listener:
        advised = api.advise_run(source, listener=listener, **dials)
    if as_json:
        tell_json(advised.results)
    else:
        _tell(advised.results, source)


def _tell(results: Mapping[str, Any], source: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    told = console()
    expected = results["expected"]
    told.print(f"[bold]{results['teacher']}: {results['mode']}[/], expected accuracy {percent(expected['accuracy'])} (95 % interval {percent(expected['low'])} to {percent(expected['high'])})")  # fmt: skip
    for reason in results["because"]:
        told.print(f"  {escape(reason)}")
    table = Table("", "frozen up to", "expected", "interval", "gain", "seconds", "MB")
    for row in results["table"]:
        table.add_row(
            "->" if row["chosen"] else "", escape(row["stage"] or "nothing"), percent(row["expected"]),
            f"{percent(row['low'])} to {percent(row['high'])}", f"{100 * row['gain']:+.1f} ± {100 * row['gain_error']:.1f}",
            f"{row['seconds']:.0f}", f"{row['megabytes']:.1f}",
        )  # fmt: skip
    told.print(table)
    for row in results["teachers"]:
        told.print(f"  {escape(row['teacher'])}: {percent(row['accuracy'])} left out; {escape(row['because'])}")  # fmt: skip
    for warning in results["warnings"]:
        told.print(f"  [yellow]![/] {escape(warning)}")
    told.print(f"{results['seconds']['total']:.1f} s; page: {escape(results['run'])}/advice.html")
    told.print(f"follow it with: tutelage fit {escape(shlex.quote(source))}")
