"""``tutelage evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tutelage.cli.output import console, percent, tell_json
from tutelage.cli.shared import shared


@click.command()
@click.argument("student", type=click.Path())
@click.argument("source", type=click.Path())
@click.option(
    "--code",
    type=click.Path(),
    help="The file that builds the student's network, if that is your own; it is run.",
)
@shared
def evaluate(
    student: str, source: str, code: str | None, as_json: bool, out: str, seed: int
) -> None:
    """How good STUDENT is on SOURCE, labelled data that it never saw."""
    from tutelage import api

    results = api.evaluate(api.load(student, code=code), source)
    if as_json:
        tell_json(results)
    else:
        _tell(results)


def _tell(results: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    told = console()
    told.print(f"[bold]accuracy {percent(results['accuracy'])}[/] on {results['n']} items (95 % interval {percent(results['low'])} to {percent(results['high'])})")  # fmt: skip
    told.print(f"balanced accuracy {percent(results['balanced_accuracy'])}, macro F1 {results['macro_f1']:.3f}, calibration error {results['ece']:.3f}")  # fmt: skip
    table = Table("class", "items", "found (recall)", "right when told (precision)")
    for name, row in results["per_class"].items():
        table.add_row(
            escape(name), str(row["n"]), percent(row["recall"]), percent(row["precision"])
        )
    told.print(table)
    for warning in results["warnings"]:
        told.print(f"  [yellow]![/] {escape(warning)}")
