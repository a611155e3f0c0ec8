"""A graph cut into stages: each a module of its own that shares the network's parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, fx, nn

from tutelage.errors import TeacherError
from tutelage.network.graph import ROWS, Graph, Opaque, trace, untraceable
from tutelage.network.rungs import Rung, classifier_start, ladder
from tutelage.network.stages import Copied, Network, Pool, Stage, Through, shared_places, unused

IN_PLACE = {f"i{name}" for name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "and", "or")}
"""Functions of ``operator`` that change their first argument."""


def network_of(module: nn.Module, example: Tensor, opaque: Opaque | None = None, *, labelled: bool = True) -> Network:  # fmt: skip
    """A network as stages taken from its graph.

    Args:
        module: in eval mode, ``(N, C, H, W)`` -> logits ``(N, labels)``.
        example: one example of the input, ``(1, C, H, W)``.
        opaque: what not to trace into.
        labelled: whether its last layer is a classifier; if not, all of it is backbone.

    Raises:
        TeacherError: it cannot be traced, or nothing in it is narrow.
    """
    graph = trace(module, example, opaque or Opaque())
    end = classifier_start(graph) if labelled else graph.output
    if end is graph.input:
        raise untraceable(module, "no place in it is crossed by one tensor alone")
    rungs = _owning(graph, ladder(graph, end))
    stages = [Stage(r.name, _through(m)) for r, m in zip(rungs, _pieces(graph, rungs), strict=True)]
    before = len(stages)
    if len(graph.shape(end)) > 1:
        name = "pool" if stages[-1].name != "pool" else "flatten"
        stages.append(Stage(name, Through(Pool(_pooled(graph.shape(end))))))
    old = piece(graph, end, graph.output) if labelled else None
    places = [*(stage.module for stage in stages), *([old] if old is not None else [])]
    return Network(
        module, tuple(stages), old, unused(module, places), before if old is not None else None
    )


def _pooled(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of a batch to average over: height and width of a map, or the tokens."""
    return (2, 3) if len(shape) == 3 else (1,)


def _pieces(graph: Graph, rungs: Sequence[Rung]) -> list[nn.Module]:
    ends = [graph.input, *(rung.node for rung in rungs)]
    return [piece(graph, start, end) for start, end in pairwise(ends)]


def _through(part: nn.Module) -> nn.Module:
    """The part as a stage; one that may write into its input gets a copy of it."""
    return Copied(Through(part)) if writes(part) else Through(part)


def writes(part: nn.Module) -> bool:
    """Does a traced part work in place anywhere (``x += y``, ``x.add_(y)``, ``relu(x, inplace=True)``)?"""
    if not isinstance(part, fx.GraphModule):
        return False
    return any(
        (
            node.op == "call_method"
            and str(node.target).endswith("_")
            and not str(node.target).endswith("__")
        )
        or (node.op == "call_function" and getattr(node.target, "__name__", "") in IN_PLACE)
        or node.kwargs.get("inplace") is True
        for node in part.graph.nodes
    )


def _owning(graph: Graph, rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """Merge stages until none shares a parameter with another."""
    while True:
        twice = shared_places(_pieces(graph, rungs))
        if twice is None:
            return rungs
        rungs = rungs[: twice[0]] + rungs[twice[1] :]


def piece(graph: Graph, start: fx.Node, end: fx.Node) -> nn.Module:
    """The part of a graph after ``start`` up to and including ``end``, as a module of one tensor."""
    part = fx.Graph()
    entry = part.placeholder("x")
    copies: dict[fx.Node, Any] = {start: entry}
    copied = _copier(graph, part, start, entry, copies)
    for node in graph.nodes[graph.place[start] + 1 : graph.place[end] + 1]:
        copies[node] = part.node_copy(node, copied)
    part.output(copies[end])
    part.lint()
    return fx.GraphModule(graph.root, part)


def _copier(graph: Graph, part: fx.Graph, start: fx.Node, entry: fx.Node, copies: dict[fx.Node, Any]) -> Callable[[fx.Node], Any]:  # fmt: skip
    """Old node -> what stands for it in the part: a copy, or a value restored after the cut."""

    def copied(node: fx.Node) -> Any:
        if node in copies:
            return copies[node]
        if node not in graph.place:
            copies[node] = part.node_copy(node, copied)
        elif graph.restorable(node):
            copies[node] = _restored(part, entry, graph.seen[node])
        else:
            raise TeacherError(
                "not-a-cut", given=f"{node.name} crosses the cut after {start.name}",
                expected="a place that one tensor crosses", next="Report this network to the project.",
            )  # fmt: skip
        return copies[node]

    return copied


def _restored(part: fx.Graph, entry: fx.Node, seen: tuple[Any, ...]) -> Any:
    """A number that crossed: fixed, or the batch size times a constant, read off the tensor."""
    first, second = seen
    if isinstance(first, tuple | list):
        items = (_restored(part, entry, pair) for pair in zip(first, second, strict=True))
        return tuple(items)
    if first == second:
        return first
    rows = part.call_method("size", (entry, 0))
    if first * ROWS[1] != second * ROWS[0] or first % ROWS[0]:
        raise TeacherError(
            "not-a-cut", given=f"a number that is {first} and {second} at batch sizes {ROWS}",
            expected="a multiple of the batch size", next="Report this network to the project.",
        )  # fmt: skip
    import operator

    return rows if first == ROWS[0] else part.call_function(operator.mul, (rows, first // ROWS[0]))
