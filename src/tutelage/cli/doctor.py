"""``tutelage doctor``."""

from __future__ import annotations

import click

from tutelage.cli.output import console, tell_json
from tutelage.cli.shared import shared


@click.command()
@click.argument("student", type=click.Path(), required=False)
@click.option(
    "--code",
    type=click.Path(),
    help="The file that builds the student's network, if that is your own; it is run.",
)
@shared
def doctor(student: str | None, code: str | None, as_json: bool, out: str, seed: int) -> int:
    """What is installed, what does not match, what is cached; and how to mend it.

    With STUDENT, its golden inputs are replayed on this machine. Exits 1 if something is wrong.
    """
    from tutelage.doctor import examine

    told = examine(student, code)
    if as_json:
        tell_json(told)
        return int(bool(told["problems"]))
    from rich.markup import escape

    terminal = console()
    for title in ("host", "versions", "devices", "teachers", "cache", "student"):
        for name, value in (told.get(title) or {}).items():
            terminal.print(f"{title:>9}  {escape(str(name))}: {escape(str(value))}")
    for problem in told["problems"]:
        terminal.print(f"[red]problem[/]: {escape(problem['what'])}\n    [green]fix[/]: {escape(problem['fix'])}")  # fmt: skip
    if not told["problems"]:
        terminal.print("[green]all is well[/]")
    return int(bool(told["problems"]))
