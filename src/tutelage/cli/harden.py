"""``tutelage harden``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tutelage.cli.audit import CONTROL, ITEMS, preset_option
from tutelage.cli.output import console, percent, progress, tell_json
from tutelage.cli.shared import DEVICE, names, shared


@click.command()
@click.argument("run", type=click.Path())
@preset_option("quick", "How much the audits before and after try.")
@ITEMS
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Students a remedy; with fewer than three no bar can be met: that the accuracy is kept is then not tested.",
)
@click.option("--remedies", default="", help="Those to try, with commas, instead of the whole ladder.")  # fmt: skip
@CONTROL
@DEVICE
@shared
def harden(
    run: str, preset: str, items: int | None, seeds: int, remedies: str, control: str | None, device: str,
    as_json: bool, out: str, seed: int,
) -> None:  # fmt: skip
    """Make a student that inherited less: RUN's, mended, besieged anew, with its price in accuracy.

    \b
    tutelage harden runs/fit/photos
    tutelage predict runs/harden/photos new/*.jpg
    """
    from tutelage import api

    with progress() as listener:
        told = api.harden(
            run, preset=preset, items=items, seeds=seeds, seed=seed, control=control, out=out, listener=listener,
            remedies=names(remedies), device=device,
        )  # fmt: skip
    if as_json:
        tell_json(told)
    else:
        _tell(told)


def _tell(told: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    terminal = console()
    terminal.print(f"[bold]{escape(told['verdict'][0])}[/]")
    for sentence in told["verdict"][1:]:
        terminal.print(f"  {escape(sentence)}")
    table = Table(
        "adaptive attack", "new to the defence", "cut", "budget", "aim", "before", "after", "n"
    )
    for row in told["adaptive"]:
        aim, budget = "one class" if row["targeted"] else "any other", f"{row['budget']:g}{told['before']['unit']}"  # fmt: skip
        table.add_row(row["attack"], row["how"], str(row["cut"]), budget, aim, percent(row["before"]), percent(row["after"]), str(row["n"]))  # fmt: skip
    terminal.print(table)
    terminal.print(f"student: {escape(told['student'])}")
