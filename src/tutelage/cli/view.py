"""``tutelage view``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tutelage.cli.output import console, percent, progress, tell_json
from tutelage.cli.shared import shared


@click.command()
@click.argument("subject", type=click.Path())
@click.argument("data", type=click.Path(), required=False)
@click.option("--teacher", help="Look at this teacher, before any training; SUBJECT is then the photos.")  # fmt: skip
@click.option("--stage", "stages", multiple=True, help="Show channels of this stage only; may be repeated.")  # fmt: skip
@click.option("--channels", type=click.IntRange(1), default=12, show_default=True, help="Shown of each stage.")  # fmt: skip
@click.option("--patches", type=click.IntRange(1), default=6, show_default=True, help="Shown of each channel.")  # fmt: skip
@click.option("--items", type=click.IntRange(2), default=256, show_default=True, help="Of yours that are looked at, at most.")  # fmt: skip
@click.option("--quick", "--no-synthesis", "quick", is_flag=True, help="Filters, patches and figures; nothing is synthesised.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), default=96, show_default=True, help="Of the synthesis.")  # fmt: skip
@click.option("--code", type=click.Path(), help="The file that builds the student's network, if that is your own; it is run.")  # fmt: skip
@shared
def view(subject: str, data: str | None, as_json: bool, **dials: Any) -> None:
    """What the layers see. SUBJECT is a finished fit's folder, or with --teacher your photos.

    \b
    tutelage view runs/fit/photos
    tutelage view runs/fit/photos --stage blocks.3 --channels 24
    tutelage view --teacher resnet50 photos/ --quick
    """
    from tutelage import api

    with progress() as listener:
        told = api.view(subject, data, listener=listener, **dials)
    if as_json:
        tell_json(told)
    else:
        _tell(told)


def _tell(told: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    terminal, compared = console(), told["of"] is not None
    table = Table("stage", "sees", "left-out accuracy", "separability", *(("frozen", "CKA", "moved") if compared else ()), "answers to")  # fmt: skip
    for row in told["stages"]:
        read, field = row["reading"], row["field"]
        answers = dict.fromkeys(channel["answers_to"] for channel in row["picked"])
        moved = ("yes" if row["frozen"] else "no", f"{row['cka']:.3f}", percent(row["moved"])) if compared else ()  # fmt: skip
        table.add_row(
            escape(row["name"]), f"{field['effective']} px" if field else "–", percent(read["accuracy"]) if read else "–",
            f"{row['separability']:.2f}", *moved, escape(", ".join(list(answers)[:3])),
        )  # fmt: skip
    terminal.print(table)
    for warning in told["warnings"]:
        terminal.print(f"  [yellow]![/] {escape(warning)}")
    terminal.print(f"{told['images']} items, {told['seconds']['total']:.1f} s; page: {escape(told['run'])}/report.html")  # fmt: skip
