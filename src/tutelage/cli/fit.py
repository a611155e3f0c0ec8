"""``tutelage fit``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from tutelage.cli.output import console, percent, progress, tell_json
from tutelage.cli.shared import DEVICE, shared
from tutelage.errors import UsageError


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """``60``, ``60s``, ``5m``, ``1h`` -> seconds."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r}: expected something like 60s, 5m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


@click.command()
@click.argument("source", type=click.Path(), required=False)
@click.option(
    "--teacher",
    default="auto",
    show_default=True,
    help="A name (tutelage teachers), hf:OWNER/REPO@REVISION, a weight file, or FILE.py:FUNCTION (which is run).",
)
@click.option(
    "--teachers", help="Measure several and take the best: auto, or names with commas between."
)
@click.option(
    "--weights",
    type=click.Path(),
    help="A weight file for that teacher, instead of the published one.",
)
@click.option(
    "--arch", help="The network that a weight file is of, e.g. resnet50 or timm:convnext_tiny."
)
@click.option(
    "--allow-licence",
    is_flag=True,
    help="Take a teacher whose licence is not an open one, or is not stated.",
)
@click.option(
    "--keep-classes",
    is_flag=True,
    help="The student still knows its teacher's classes beside yours.",
)
@click.option(
    "--freeze",
    default="auto",
    show_default=True,
    help="auto, all, none, a number of stages, or a stage's name.",
)
@click.option(
    "--mode", help="deep (new head only), mid, full, or scratch (random weights, for comparison)."
)
@click.option("--lora", is_flag=True, help="Tune narrow maps beside the linear ones of the tail (LoRA).")  # fmt: skip
@click.option("--test", type=click.Path(), help="Labelled data to report on; it chooses nothing.")
@click.option(
    "--with",
    "companion",
    type=click.Path(),
    help="Labelled data that only teaches; copies of your own items are left out of it.",
)
@click.option(
    "--channels",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Of an image: 1 is grey, 3 RGB; of others every file must have so many, e.g. .npy (H, W, C).",
)
@click.option(
    "--group-by", help="A table's column, or a regex on the path: kept together in the split."
)
@click.option(
    "--per-class-train",
    type=click.IntRange(1),
    help="Train on this many a class, test on the rest.",
)
@click.option("--split-seed", type=int, default=0, show_default=True, help="Of the split only.")
@click.option("--time-limit", callback=seconds, help="For all of it, e.g. 60s or 5m.")
@click.option("--strict", is_flag=True, help="Stop at an item that is in both train and test.")
@DEVICE
@click.option(
    "--engine",
    default="auto",
    show_default=True,
    help="What runs the frozen layers: openvino-f32, openvino-bf16, torch-f32, torch-bf16.",
)
@click.option("--extend", type=click.Path(), metavar="RUN", help="Teach a finished run's student SOURCE too, exactly, in about a second.")  # fmt: skip
@click.option("--forget", type=click.Path(), metavar="RUN", help="Let a finished run's student forget SOURCE, exactly.")  # fmt: skip
@click.option("--profile", is_flag=True, help="Say where the time went, and what it waited for.")
@click.option("--resume", type=click.Path(), help="Go on with an interrupted run's folder.")
@shared
def fit(source: str | None, resume: str | None, extend: str | None, forget: str | None, profile: bool, as_json: bool, **dials: Any) -> None:  # fmt: skip
    """Make a student of SOURCE: a folder with one sub-folder per class, or a table, or an idx pair.

    \b
    tutelage fit photos/
    tutelage fit photos/ --freeze blocks.3 --time-limit 60s
    tutelage fit photos/ --with public_set/
    tutelage fit table.csv --group-by patient
    tutelage fit reviews.csv
    tutelage fit new_photos/ --extend runs/fit/photos
    """
    from tutelage import api

    if (source is None) == (resume is None):
        raise UsageError(
            "no-source", given="both a source and --resume" if source else "neither a source nor --resume",
            expected="one of them", next="Type: tutelage fit photos/   or: tutelage fit --resume runs/fit/photos",
        )  # fmt: skip
    with progress() as listener:
        if extend or forget:
            fitted = _changed(source, extend, forget, dials, listener)
        elif resume is not None:
            fitted = api.resume_run(resume, listener=listener)
        else:
            fitted = api.fit_run(source, listener=listener, **dials)
    if as_json:
        tell_json(fitted.results)
    else:
        _tell(fitted.results)
        if profile:
            _profile(fitted.results)


def _changed(source: str | None, extend: str | None, forget: str | None, dials: Mapping[str, Any], listener: Any) -> Any:  # fmt: skip
    """Extend or forget; every other dial is the parent's."""
    from tutelage import api

    given = click.get_current_context().get_parameter_source
    set_too = [name for name in ("resume", *dials) if name not in ("out", "seed") and given(name) is ParameterSource.COMMANDLINE]  # fmt: skip
    if (extend and forget) or set_too:
        raise UsageError(
            "contradiction", given=f"--extend or --forget with {'each other' if extend and forget else '--' + set_too[0].replace('_', '-')}",
            expected="one of them alone: everything else is as in the run that is changed", next="Leave the other out.",
        )  # fmt: skip
    return api.change_run(extend or forget or "", source, forget=bool(forget), out=dials["out"], listener=listener)  # fmt: skip


def _profile(results: Mapping[str, Any]) -> None:
    from rich.markup import escape

    from tutelage.report.ledger import as_rows

    told, engines = console(), results.get("engines")
    for what, how_much in (
        as_rows(results["cost"]) if results["cost"] else results["seconds"].items()
    ):
        told.print(f"  {what:28} {escape(str(how_much))}")
    if engines:
        told.print(f"  {'engine':28} {escape(engines['because'])}")


def _tell(results: Mapping[str, Any]) -> None:
    from rich.markup import escape

    told, cut, parameters = console(), results["cut"], results["parameters"]
    test = results["test"]
    if test:
        told.print(f"[bold]accuracy {percent(test['accuracy'])}[/] on {test['n']} test items (95 % interval {percent(test['low'])} to {percent(test['high'])})")  # fmt: skip
    frozen = f", frozen to {cut['stage']}" if cut and cut["stage"] else ""
    told.print(f"{results['mode']}: {results['teacher']}{frozen}; engine {results['engine']}")
    share = parameters["trainable"] / max(1, parameters["total"])
    told.print(f"trainable parameters: {parameters['trainable']:,} of {parameters['total']:,} ({100 * share:.2f} %)")  # fmt: skip
    for reason in results["because"]:
        told.print(f"  because {escape(reason)}")
    for warning in results["warnings"][:8]:
        told.print(f"  [yellow]![/] {escape(warning)}")
    if len(results["warnings"]) > 8:
        told.print(f"  [yellow]![/] and {len(results['warnings']) - 8} more, in findings.csv")
    told.print(f"{results['seconds']['total']:.1f} s; student: {escape(results['student'])}")
    if "change" not in results:
        told.print(f"report: {escape(results['run'])}/report.html")
