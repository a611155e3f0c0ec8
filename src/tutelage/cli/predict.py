"""``tutelage predict``."""

from __future__ import annotations

import csv
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from tutelage.cli.output import console, percent, tell_json
from tutelage.cli.shared import shared
from tutelage.errors import UsageError


@click.command()
@click.argument("student", type=click.Path())
@click.argument("inputs", nargs=-1)
@click.option("--csv", "as_csv", is_flag=True, help="CSV on standard output.")
@click.option(
    "--code",
    type=click.Path(),
    help="The file that builds the student's network, if that is your own; it is run.",
)
@shared
def predict(student: str, inputs: tuple[str, ...], as_csv: bool, code: str | None, as_json: bool, out: str, seed: int) -> int:  # fmt: skip
    """What STUDENT (a run's folder) says of INPUTS: files, folders, patterns, tables, or texts themselves.

    Without INPUTS, or with -, they are read from standard input, one a line. Exits 1 if an input cannot be
    read; the others are still answered.

    \b
    tutelage predict runs/fit/photos new/*.jpg
    tutelage predict runs/fit/reviews "what a film"
    tutelage predict runs/fit/reviews new.csv
    """
    from tutelage import api
    from tutelage.student.predict import predictions

    found = predictions(api.load(student, code=code), _given(inputs))
    if as_json:
        return _each(found, lambda p: tell_json(p.as_json()))
    return _csv(found) if as_csv else _table(found)


def _given(inputs: tuple[str, ...]) -> list[str | Path]:
    """What is there as a file or folder as a path, everything else as typed; ``-`` is standard input.

    Raises:
        UsageError: nothing is given.
    """
    typed = [word for one in inputs or ("-",) for word in (_lines(bool(inputs)) if one == "-" else [one])]  # fmt: skip
    return [Path(one) if _exists(one) else one for one in typed]


def _lines(asked: bool) -> list[str]:
    if not asked and sys.stdin.isatty():
        raise UsageError(
            "no-inputs", given="no inputs", expected="files, texts, or lines on standard input",
            next="Type: tutelage predict RUN new/   or: tutelage predict RUN - < inputs.txt",
        )  # fmt: skip
    return [line.rstrip("\r\n") for line in sys.stdin if line.strip()]


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):
        return False  # too long for a name, or with a zero byte


def _each(found: Iterable[Any], tell: Any) -> int:
    broken = 0
    for prediction in found:
        tell(prediction)
        broken += prediction.error is not None
    return int(broken > 0)


def _csv(found: Iterable[Any]) -> int:
    writer: Any = None

    def tell(prediction: Any) -> None:
        nonlocal writer
        line = prediction.as_json()
        row = {
            k: line.get(k) for k in ("input", "label", "probability", "rejected", "score", "error")
        }
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row))
            writer.writeheader()
        writer.writerow(row)

    return _each(found, tell)


def _table(found: Iterable[Any]) -> int:
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table(Column("input", overflow="fold"), "label", "probability", "")

    def tell(p: Any) -> None:
        if p.error is not None:
            table.add_row(escape(p.input), "–", "–", f"[red]{escape(p.error)}[/]")
            return
        note = "[yellow]probably none of these[/]" if p.rejected else ""
        table.add_row(
            escape(textwrap.shorten(p.input, 200)),
            escape(p.label),
            percent(p.probabilities[p.label]),
            note,
        )

    code = _each(found, tell)
    console().print(table)
    return code
