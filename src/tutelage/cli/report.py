"""``tutelage report``."""

from __future__ import annotations

import click

from tutelage.cli.output import console, progress, tell_json
from tutelage.cli.shared import shared


@click.command()
@click.argument("runs", type=click.Path(), nargs=-1, required=True)
@shared
def report(runs: tuple[str, ...], as_json: bool, out: str, seed: int) -> None:
    """One page of RUN, a finished fit, with all that compare, view, audit and harden found; or RUNS side by side.

    The page opens offline and sends nothing anywhere. The runs are not changed.

    \b
    tutelage report runs/fit/photos
    tutelage report runs/fit/photos runs/fit/photos-2
    """
    from rich.markup import escape

    from tutelage import api

    with progress() as listener:
        told = api.report(*runs, out=out, listener=listener)
    if as_json:
        return tell_json(told)
    for warning in told.get("warnings", ()):
        console().print(f"[yellow]![/] {escape(warning)}")
    console().print(f"page: {escape(told['page'])}")
