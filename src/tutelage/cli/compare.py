"""``tutelage compare``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from tutelage.cli.fit import seconds
from tutelage.cli.output import console, percent, progress, tell_json
from tutelage.cli.shared import names, shared
from tutelage.errors import UsageError


@click.command()
@click.argument("run", type=click.Path(), required=False)
@click.option(
    "--modes",
    default="deep,mid,full,scratch",
    show_default=True,
    help="The arms, with commas; the run's own mode is always one.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Runs an arm; deep, which has no randomness, runs once.",
)
@click.option(
    "--time-limit",
    callback=seconds,
    help="For each arm and seed, e.g. 60s. Without it scratch has what the dearest transfer run took.",
)
@click.option(
    "--curve",
    is_flag=True,
    help="Scratch learns from a quarter and a half of the items too: how many does transfer save?",
)
@click.option("--resume", type=click.Path(), help="Go on with an interrupted comparison's folder.")
@shared
@click.pass_context
def compare(
    ctx: click.Context, run: str | None, modes: str, seeds: int, time_limit: float | None, curve: bool,
    resume: str | None, as_json: bool, out: str, seed: int,
) -> None:  # fmt: skip
    """Was it worth it? RUN, a finished fit, against training from scratch and the other modes.

    Seeds begin with the run's own, unless --seed is given.

    \b
    tutelage compare runs/fit/photos
    tutelage compare runs/fit/photos --modes deep,scratch --time-limit 60s
    """
    from tutelage import api

    if (run is None) == (resume is None):
        raise UsageError(
            "no-run", given="both a run and --resume" if run else "neither a run nor --resume", expected="one of them",
            next="Type: tutelage compare runs/fit/photos   or: tutelage compare --resume runs/compare/photos",
        )  # fmt: skip
    own = ctx.get_parameter_source("seed") == ParameterSource.DEFAULT
    with progress() as listener:
        told = api.compare(
            run, modes=names(modes), seeds=seeds, seed=None if own else seed,
            time_limit=time_limit, curve=curve, out=out, resume=resume, listener=listener,
        )  # fmt: skip
    if as_json:
        tell_json(told)
    else:
        _tell(told)


def _tell(told: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    terminal = console()
    table = Table("arm", "accuracy", "95 % interval", "seconds a run", "seeds", "shipped")
    for arm in told["arms"]:
        shipped = ", ".join(f"{count} × {mode}" for mode, count in arm["shipped"].items())
        name = f"[bold]{arm['mode']}[/] (this run)" if arm["own"] else arm["mode"]
        interval = f"{percent(arm['low'])} to {percent(arm['high'])}"
        table.add_row(name, percent(arm["accuracy"]), interval, f"{arm['seconds']:.1f}", str(arm["seeds"]), shipped)  # fmt: skip
    terminal.print(f"[bold]{escape(told['verdict'][0])}[/]")
    terminal.print(table)
    for sentence in told["verdict"][1:]:
        terminal.print(f"  {escape(sentence)}")
    for name in ("speed_up", "data_saved"):
        if told[name] is None:
            terminal.print(f"  {name.replace('_', ' ')}: not known; {escape(told['reasons'][name])}")  # fmt: skip
    for warning in told["warnings"]:
        terminal.print(f"  [yellow]![/] {escape(warning)}")
    terminal.print(f"page: {escape(told['run'])}/compare.html")
