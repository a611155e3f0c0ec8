"""How things are told: JSON for programs, a table for people, errors with what to type next."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from tutelage.errors import TutelageError

if TYPE_CHECKING:
    from rich.console import Console


def tell_json(value: Mapping[str, Any]) -> None:
    """One JSON object, on one line, on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def tell_error(error: TutelageError, as_json: bool) -> None:
    """The error: an object on standard output with ``--json``, else sentences on standard error."""
    if as_json:
        tell_json(error.as_json())
        return
    click.secho(f"error: {error.given}", fg="red", err=True)
    click.echo(f"expected: {error.expected}", err=True)
    click.secho(f"next: {error.next}", fg="green", err=True)


def console(*, stderr: bool = False) -> Console:
    """A terminal to write tables to; plain text where it is a pipe."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=None if terminal else 160)


def percent(value: float | None) -> str:
    """0.8765 -> ``87.7 %``."""
    return "–" if value is None else f"{100 * value:.1f} %"


@contextmanager
def progress() -> Iterator[Any]:
    """A listener that draws a progress bar on a terminal's standard error; in a pipe it only says
    what is fetched from the network, and what much is written to the cache."""
    if not sys.stderr.isatty():
        yield _said
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        yield Drawn(bar)


TOLD = ("fetch", "cache")
"""Events that are sentences for everybody: what is fetched, and what much is written."""


def _said(event: Mapping[str, Any]) -> None:
    for said in (event[key] for key in TOLD if key in event):
        click.echo(said, err=True)


class Drawn:
    """Draws events: one bar a phase, one for epochs."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._tasks: dict[str, Any] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Draw one event."""
        for said in (event[key] for key in TOLD if key in event):
            self._bar.console.print(said)
        if "done" in event and "total" in event:
            self._move(event["phase"], event["done"], event["total"])
        elif "epoch" in event and event.get("left") is not None:
            total = event["epoch"] + round(event["left"] / max(1e-9, event["seconds"]))
            self._move("epochs", event["epoch"], total)
        elif event.get("begins"):
            self._bar.update(self._task("…"), description=event["phase"])

    def _move(self, name: str, done: int, total: int) -> None:
        self._bar.update(self._task(name), completed=done, total=total)

    def _task(self, name: str) -> Any:
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=None)
        return self._tasks[name]
