"""``tutelage check``."""

from __future__ import annotations

from typing import Any

import click

from tutelage.cli.output import console, progress, tell_json
from tutelage.cli.shared import shared


@click.command()
@click.argument("source", type=click.Path())
@click.option("--test", type=click.Path(), help="Another source that will be the test part.")
@click.option(
    "--group-by", help="A table's column, or a regex on the path: kept together in a split."
)
@click.option("--csv", "as_csv", is_flag=True, help="Findings as CSV on standard output.")
@shared
def check(source: str, test: str | None, group_by: str | None, as_csv: bool, as_json: bool, out: str, seed: int) -> int:  # fmt: skip
    """Find everything that is wrong with the data, before anything runs. Changes nothing.

    Exits 1 if there is an error among it; fit leaves such items out and names them.
    """
    from tutelage import api

    with progress() as listener:
        checked = api.check(source, test=test, group_by=group_by, listener=listener)
    found = [finding.as_json() for finding in checked.findings]
    if as_json:
        tell_json({"schema": 1, "findings": found, "images": len(checked.dataset.examples), "classes": list(checked.dataset.classes)})  # fmt: skip
    elif as_csv:
        _csv(found)
    else:
        _table(found, len(checked.dataset.examples), checked.dataset.classes)
    return int(any(finding["severity"] == "error" for finding in found))


def _csv(found: list[dict[str, Any]]) -> None:
    import csv
    import sys

    writer = csv.DictWriter(sys.stdout, ["kind", "severity", "where", "remedy"])
    writer.writeheader()
    writer.writerows({**finding, "where": "; ".join(finding["where"])} for finding in found)


def _table(found: list[dict[str, Any]], items: int, classes: tuple[str, ...]) -> None:
    from rich.markup import escape
    from rich.table import Table

    told = console()
    told.print(f"{items} items, {len(classes)} classes: {escape(', '.join(classes[:12]))}{' …' if len(classes) > 12 else ''}")  # fmt: skip
    if not found:
        told.print("nothing found: this data is sound")
        return
    table = Table("what", "severity", "where", "remedy")
    for finding in found:
        where = finding["where"]
        more = f" and {len(where) - 3} more" if len(where) > 3 else ""
        table.add_row(finding["kind"], finding["severity"], escape(", ".join(where[:3]) + more), escape(finding["remedy"]))  # fmt: skip
    told.print(table)
