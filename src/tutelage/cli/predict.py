"""``tutelage predict``."""

from __future__ import annotations

import csv
import sys
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
@click.option("--explain", is_flag=True, help="A picture beside each answer: which places spoke for it; in OUT/predict/NAME/.")  # fmt: skip
@click.option("--method", default="grad-cam", show_default=True, help="Of --explain: grad-cam, or integrated-gradients (slower, finer).")  # fmt: skip
@shared
def predict(student: str, inputs: tuple[str, ...], as_csv: bool, code: str | None, explain: bool, method: str, as_json: bool, out: str, seed: int) -> int:  # fmt: skip
    """What STUDENT (a run's folder) says of INPUTS: files, folders, patterns, tables, or texts themselves.

    Without INPUTS, or with -, they are read from standard input, one a line. Exits 1 if an input cannot be
    read; the others are still answered.

    \b
    tutelage predict runs/fit/photos new/*.jpg
    tutelage predict runs/fit/photos img.jpg --explain
    tutelage predict runs/fit/reviews "what a film"
    tutelage predict runs/fit/reviews new.csv
    """
    from tutelage import api
    from tutelage.student.predict import predictions

    loaded, given = api.load(student, code=code), _given(inputs)
    if loaded.stands_in:
        click.echo(f"{student}: {loaded.stands_in}", err=True)
    if explain:
        return _explained(api.explain(loaded, given, method=method, out=out), as_json, as_csv)
    found = predictions(loaded, given)
    if as_json:
        return _each(found, lambda p: tell_json(p.as_json()))
    return _csv(found) if as_csv else _table(found)


def _explained(found: Iterable[Any], as_json: bool, as_csv: bool) -> int:
    """Answers with the files of their pictures."""
    lines = (_Line(prediction, why) for prediction, why in found)
    if as_json:
        return _each(lines, lambda line: tell_json(line.as_json()))
    return _csv(lines, "explanation") if as_csv else _table(lines)


class _Line:
    """A prediction with its explanation, told like one without."""

    def __init__(self, prediction: Any, why: Any) -> None:
        self.prediction, self.why = prediction, why
        self.error, self.input, self.label = prediction.error, prediction.input, prediction.label
        self.probabilities, self.rejected = prediction.probabilities, prediction.rejected

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = self.prediction.as_json()
        return {**told, "explanation": self.why and self.why.as_json()}


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


def _csv(found: Iterable[Any], *more: str) -> int:
    writer: Any = None

    def tell(prediction: Any) -> None:
        nonlocal writer
        line = prediction.as_json()
        row = {
            k: line.get(k) for k in ("input", "label", "probability", "rejected", "score", "error")
        }
        row |= {k: (line[k] or {}).get("picture") for k in more}
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row))
            writer.writeheader()
        writer.writerow(row)

    return _each(found, tell)


def _table(found: Iterable[Any]) -> int:
    from rich.markup import escape
    from rich.table import Column, Table

    homes: dict[Any, None] = {}
    table = Table(Column("input", overflow="fold"), "label", "probability", "")

    def tell(p: Any) -> None:
        if p.error is not None:
            table.add_row(escape(p.input), "–", "–", f"[red]{escape(p.error)}[/]")
            return
        note = "[yellow]probably none of these[/]" if p.rejected else ""
        why = getattr(p, "why", None)
        if why:
            note = f"{note} {escape(why.picture.name)}".strip()
            homes[why.picture.parent] = None
        table.add_row(
            escape(_short(p.input)), escape(p.label), percent(p.probabilities[p.label]), note
        )

    code = _each(found, tell)
    console().print(table)
    for home in homes:
        console().print(f"pictures: {escape(str(home))}")
    return code


def _short(name: str, longest: int = 200) -> str:
    """An input on one line, cut where it is long: also one without spaces."""
    line = " ".join(name.split())
    return line if len(line) <= longest else f"{line[:longest]} …"
