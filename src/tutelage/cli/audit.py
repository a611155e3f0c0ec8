"""``tutelage audit``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from tutelage.cli.output import console, percent, progress, tell_json
from tutelage.cli.shared import DEVICE, F, names, shared
from tutelage.security.grade import GRADES
from tutelage.security.presets import PRESETS

ITEMS = click.option("--items", type=click.IntRange(4), help="Test items to attack, instead of the preset's number.")  # fmt: skip
CONTROL = click.option("--control", help="An unrelated teacher that the same attacks are made on.")
"""What audit and harden share."""


def preset_option(default: str, told: str) -> Callable[[F], F]:
    """``--preset``."""
    return click.option("--preset", type=click.Choice(list(PRESETS)), default=default, show_default=True, help=told)  # fmt: skip


@click.command()
@click.argument("run", type=click.Path())
@preset_option("standard", "How much is tried; quick takes minutes and gives a range of grades.")
@ITEMS
@click.option("--data", type=click.Path(), help="Labelled data to attack, instead of the run's own test part.")  # fmt: skip
@click.option("--teacher", help="The public teacher, if not the one that the student's card names.")
@CONTROL
@click.option("--beside", type=click.Path(), help="Another student of the same data, shown the same images (one from scratch, say).")  # fmt: skip
@click.option("--candidates", default="", help="Teachers, with commas: whose student is it, by its answers alone?")  # fmt: skip
@click.option("--code", type=click.Path(), help="The file that builds the user's own network.")
@DEVICE
@click.option("--fail-above", type=click.Choice(GRADES), help="Exit with 1 if the grade is worse than this, or if none can be given.")  # fmt: skip
@shared
@click.pass_context
def audit(
    ctx: click.Context, run: str, preset: str, items: int | None, data: str | None, teacher: str | None, control: str | None,
    beside: str | None, candidates: str, code: str | None, device: str, fail_above: str | None, as_json: bool, out: str, seed: int,
) -> None:  # fmt: skip
    """Which weaknesses did the student of RUN inherit from its public teacher?

    \b
    tutelage audit runs/fit/photos --preset quick
    tutelage audit runs/fit/photos --fail-above high
    """
    from tutelage import api

    with progress() as listener:
        told = api.audit(
            run, preset=preset, items=items, data=data, teacher=teacher, control=control, beside=beside, code=code, device=device,
            candidates=names(candidates), seed=seed, out=out, listener=listener,
        )  # fmt: skip
    if as_json:
        tell_json(told)
    else:
        tell_audit(told)
    if fail_above and not _passes(told, fail_above):
        ctx.exit(1)


def _passes(told: Mapping[str, Any], line: str) -> bool:
    from tutelage.security.figures import gradable

    return gradable(told, line)


def tell_audit(told: Mapping[str, Any]) -> None:
    """The verdict and the table, for people."""
    from rich.markup import escape
    from rich.table import Table

    terminal = console()
    terminal.print(f"[bold]{escape(told['verdict'][0])}[/]")
    table = Table("threat", "attack", "cut", "budget", "aim", "success", "95 % interval", "n")
    for row in told["rows"]:
        if row["threat"] == "accident":
            continue
        unit = told["unit"] if row["measure"] == "linf" else f" {row['measure']}"
        aim = "one class" if row["targeted"] else "any other"
        interval = f"{percent(row['low'])} to {percent(row['high'])}"
        cut = "–" if row["cut"] is None else str(row["cut"])
        table.add_row(row["threat"], row["attack"], cut, f"{row['budget']:g}{unit}", aim, percent(row["success"]), interval, str(row["n"]))  # fmt: skip
    terminal.print(table)
    for sentence in told["verdict"][1:]:
        terminal.print(f"  {escape(sentence)}")
    for test in told["self_tests"]:
        if not test["passed"]:
            terminal.print(f"  [yellow]![/] {escape(test['name'])}: {escape(test['told'])}")
    for found in told["fingerprints"]:
        terminal.print(f"  {escape(found['teacher'])}: {percent(found['match'])} of {found['counted']} pairs answered alike, {found['kappa']:.2f} beyond chance")  # fmt: skip
    terminal.print(f"  rule: {escape(told['grade_rule'])}")
