"""What all verbs share: their four common options, and help when a verb is misspelt."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Verbs(click.Group):
    """A group that suggests the nearest verb, and keeps the verbs in the order of the work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Verbs in the order they were added."""
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the verb, or suggest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            near = difflib.get_close_matches(args[0], [*self.commands, *ALIASES], 1)
            meant = ALIASES.get(near[0], near[0]) if near else "--help"
            raise click.UsageError(f"There is no verb {args[0]!r}. Did you mean: tutelage {meant}", ctx) from None  # fmt: skip


ALIASES = {
    "train": "fit",
    "val": "evaluate",
    "eval": "evaluate",
    "test": "evaluate",
    "infer": "predict",
    "info": "doctor",
}
"""Words from other tools -> ours; suggested, not accepted, so that scripts use one word."""


def shared(function: F) -> F:
    """``--json``, ``--out``, ``--seed`` and ``--offline``, which every verb has."""
    function = click.option("--offline", is_flag=True, callback=_offline, expose_value=False, help="Make no connection at all.")(function)  # fmt: skip
    function = click.option("--seed", type=int, default=0, show_default=True, help="Of what is random in it; never of the split.")(function)  # fmt: skip
    function = click.option("--out", type=click.Path(file_okay=False), default="runs", show_default=True, help="Where run folders go.")(function)  # fmt: skip
    return click.option("--json", "as_json", is_flag=True, help="JSON on standard output: one object, or one a line for each input.")(function)  # fmt: skip


DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps.")
"""What verbs that compute gradients share."""


def _offline(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        os.environ.update(HF_HUB_OFFLINE="1", TUTELAGE_OFFLINE="1")


def names(text: str) -> list[str]:
    """What is listed with commas between."""
    return [piece.strip() for piece in text.split(",") if piece.strip()]
