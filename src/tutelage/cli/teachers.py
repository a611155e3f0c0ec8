"""``tutelage teachers``, ``teachers show`` and ``teachers get``."""

from __future__ import annotations

from typing import Any

import click

from tutelage.cli.output import console, progress, tell_json
from tutelage.cli.shared import shared


@click.group(invoke_without_command=True)
@click.option(
    "--max-gmacs",
    type=float,
    help="At most so many thousand million multiply-accumulates an image.",
)
@click.option("--licence", help="Only of this licence, e.g. apache-2.0.")
@click.option("--name", "text", help="Only names with this in them.")
@click.option("--cached", is_flag=True, help="Only those on this machine.")
@shared
@click.pass_context
def teachers(ctx: click.Context, max_gmacs: float | None, licence: str | None, text: str | None, cached: bool, as_json: bool, out: str, seed: int) -> None:  # fmt: skip
    """Which pretrained networks can teach.

    \b
    tutelage teachers --max-gmacs 1 --licence apache-2.0
    tutelage teachers show inception_v3
    tutelage teachers get resnet50
    """
    if ctx.invoked_subcommand is not None:
        return
    from tutelage.teachers.shelf import shelf

    rows = shelf(max_gmacs=max_gmacs, licence=licence, text=text, cached=cached)
    if as_json:
        tell_json({"schema": 1, "teachers": [row.as_json() for row in rows]})
    else:
        _table(rows)


def _table(rows: list[Any]) -> None:
    """Columns by hand: a table of two thousand rows must not take seconds to lay out."""
    width = max([len(row.name) for row in rows], default=4)
    head = f"{'name':<{width}}  {'parameters':>10}  {'GMACs':>7}  {'input':>5}  {'top-1':>6}  {'here':>4}  licence"
    lines = [head]
    for row in rows:
        gmacs = "–" if row.gmacs is None else f"{row.gmacs:.2f}"
        top1 = "–" if row.top1 is None else f"{row.top1:.2f}"
        lines.append(
            f"{row.name:<{width}}  {row.parameters / 1e6:>8.2f} M  {gmacs:>7}  {row.size:>5}  {top1:>6}  {'yes' if row.cached else '':>4}  {row.licence}"
        )
    told = sorted({row.top1_source for row in rows if row.top1_source})
    click.echo("\n".join(lines))
    click.echo(f"{len(rows)} teachers. Top-1 is the published ImageNet-1k accuracy in percent, according to: {'; '.join(told)}.")  # fmt: skip


@teachers.command()
@click.argument("name")
@click.option("--allow-licence", is_flag=True, help="Take it whatever its licence.")
@shared
def get(name: str, allow_licence: bool, as_json: bool, out: str, seed: int) -> None:
    """Fetch NAME now, for later use offline; resumes, and verifies the sha256."""
    from tutelage.teachers import Asked, Line, load_teacher
    from tutelage.teachers.kept import folder_of

    with progress() as listener:
        line = Line(lambda sentence: click.echo(sentence, err=True), lambda d, n: listener({"phase": "fetch", "done": d, "total": n}))  # fmt: skip
        card = load_teacher(Asked(name, allow_licence=allow_licence), line=line).card
    if as_json:
        tell_json({"schema": 1, "teacher": card.name, "sha256": card.digest, "revision": card.revision, "licence": card.licence, "source": card.source, "folder": str(folder_of(card))})  # fmt: skip
        return
    click.echo(f"{card.name} is here: {card.source}, licence {card.licence}, sha256 {card.digest}")
    for note in card.notes:
        click.echo(note)


@teachers.command()
@click.argument("name")
@shared
def show(name: str, as_json: bool, out: str, seed: int) -> None:
    """The stages of NAME: where it can be cut, what each costs, and where each mode cuts."""
    from tutelage.teachers.cuts import interior_cut
    from tutelage.teachers.describe import described

    card, here = described(name)
    rows = _stages(card, interior_cut(card))
    if as_json:
        facts = {k: v for k, v in card.as_json().items() if k not in ("stages", "owners")}
        tell_json({"schema": 1, **facts, "cached": here, "width": card.width, "parameters": card.parameters, "stages": rows})  # fmt: skip
    else:
        _show(card, here, rows)


def _stages(card: Any, middle: int) -> list[dict[str, Any]]:
    modes = {len(card.stages): "deep", middle: "mid"} if len(card.stages) > 1 else {1: "deep"}
    rows = []
    for number, stage in enumerate(card.stages, 1):
        values = 1
        for side in stage.shape:
            values *= side
        size = values * (2 if card.activation_dtype(number) == "<f2" else 4)
        rows.append({
            "index": number, "stage": stage.name, "shape": list(stage.shape), "parameters": stage.parameters,
            "share": stage.macs / max(1, card.macs), "frozen_share": card.share(number),
            "bytes": size, "mode": modes.get(number),
        })  # fmt: skip
    return rows


def _show(card: Any, here: bool, rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    told = console()
    top1 = f"{card.top1} % on ImageNet-1k ({card.top1_source})" if card.top1 else "not published"
    told.print(f"[bold]{escape(card.name)}[/]: {escape(card.architecture)}, {card.parameters / 1e6:.2f} M parameters in the backbone, {card.macs / 1e9:.2f} GMACs")  # fmt: skip
    told.print(f"source {escape(card.source)}, licence {escape(card.licence or 'not stated')}, top-1 {escape(top1)}; {'on this machine' if here else 'not on this machine'}")  # fmt: skip
    spec = card.spec
    told.print(f"{spec.told}; features {card.width}")
    table = Table(
        "K", "freeze up to", "leaves", "parameters", "share of work", "bytes an item", "mode"
    )
    table.add_row("0", "–", "the input", "", "", "", "full")
    for r in rows:
        shape = " x ".join(str(side) for side in r["shape"])
        table.add_row(str(r["index"]), escape(r["stage"]), shape, f"{r['parameters']:,}", f"{r['share']:.1%}", f"{r['bytes']:,}", r["mode"] or "")  # fmt: skip
    told.print(table)
    for note in card.notes:
        told.print(f"[yellow]![/] {escape(note)}")
