"""Which clean cuts are offered, and how they are called: the borders between a network's modules.

The ladder has a rung where a module ends, as deep in the tree of modules as it takes to have
``ENOUGH`` rungs. A stage begins with weights, so that convolution, normalisation and activation
stay together; the last one pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from torch import fx, nn

from tutelage.network.graph import Graph

ENOUGH, TOO_MANY = 5, 20
"""Fewer rungs than ENOUGH: look deeper into the tree of modules, unless that gives TOO_MANY."""

IDLE = (nn.Dropout, nn.Identity)
"""Modules that do nothing in eval mode; between features and classifier they belong to the latter."""


@dataclass(frozen=True)
class Rung:
    """A place to cut: after ``node``, which ends the module called ``name``."""

    name: str
    node: fx.Node


def ladder(graph: Graph, end: fx.Node) -> tuple[Rung, ...]:
    """The rungs up to ``end``, the last node of the backbone, which is always one."""
    nodes = graph.nodes[: graph.place[end] + 1]
    clean = [node for node in graph.clean if graph.place[node] < graph.place[end]]
    depths = {node: _border(graph, node) for node in clean}
    best = _merged(graph, [], nodes)
    for depth in range(max(depths.values(), default=-1) + 1):
        found = _merged(graph, [n for n in clean if depths[n] <= depth], nodes)
        best = found if len(found) <= TOO_MANY else max(best, _thinned(found), key=len)
        if len(best) >= ENOUGH:
            break
    return best


def _thinned(rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """Every k-th rung, and the last two: the end of the last block and pooling."""
    step = -(-len(rungs) // TOO_MANY)
    return tuple(r for i, r in enumerate(rungs[:-2]) if i % step == step - 1) + rungs[-2:]


def path(node: fx.Node) -> tuple[str, ...]:
    """Where a node was called: the modules around it, from the outside in, and its own name."""
    if node.op == "call_module":
        return tuple(str(node.target).split("."))
    stack = list(node.meta.get("nn_module_stack", {}).values())
    around = str(stack[-1][0]) if stack else ""
    return (*(around.split(".") if around else ()), node.name)


def _border(graph: Graph, node: fx.Node) -> int:
    return _shared(node, graph.nodes[graph.place[node] + 1])


def _shared(node: fx.Node, after: fx.Node) -> int:
    """How many modules both lie in: 0 for children of the network itself."""
    here, there = path(node), path(after)
    pairs = enumerate(zip(here, there, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(here), len(there)) - 1)


def _merged(graph: Graph, clean: Sequence[fx.Node], nodes: Sequence[fx.Node]) -> tuple[Rung, ...]:
    """Rungs with weights on both sides, one before pooling, and the backbone's end."""
    places, end = [graph.place[node] for node in clean], graph.place[nodes[-1]]
    kept = [here for here, there in pairwise([*places, end]) if _weighty(graph, here, there)]
    while kept and not _weighty(graph, 0, kept[0]):
        kept.pop(0)
    if pooling := [here for here in places if _pools(graph, here, end)]:
        kept = [*(k for k in kept if k < pooling[-1]), pooling[-1], end]
    else:
        kept.append(end)
    names = _names([_named(graph, start, stop) for start, stop in pairwise([0, *kept])])
    if pooling:
        names[-1] = "pool"
    return tuple(Rung(name, graph.nodes[k]) for name, k in zip(names, kept, strict=True))


def _named(graph: Graph, start: int, stop: int) -> tuple[tuple[str, ...], int]:
    """Path of a stage's last weights, and how much of it tells the stage from its neighbours."""
    heavy = [node for node in graph.nodes[start + 1 : stop + 1] if weighty(graph, node)]
    node = heavy[-1] if heavy else graph.nodes[stop]
    neighbours = [graph.nodes[i] for i in (start, stop + 1) if 0 < i < len(graph.nodes)]
    return path(node), max((_shared(node, other) for other in neighbours), default=0) + 1


def _names(paths: list[tuple[tuple[str, ...], int]]) -> list[str]:
    """As short as they can be and still differ."""
    while True:
        names = [".".join(whole[:length]) for whole, length in paths]
        longer = [
            (whole, length + 1)
            if names.count(name) > 1 and length < len(whole)
            else (whole, length)
            for name, (whole, length) in zip(names, paths, strict=True)
        ]
        if longer == paths:
            return [n if n not in names[:i] else f"{n}~{i}" for i, n in enumerate(names)]
        paths = longer


def _pools(graph: Graph, here: int, end: int) -> bool:
    """Is there no weight after a cut, and more than one position to pool over?"""
    wide, narrow = prod(graph.shape(graph.nodes[here])), prod(graph.shape(graph.nodes[end]))
    return wide > narrow and not _weighty(graph, here, end)


def _weighty(graph: Graph, here: int, there: int) -> bool:
    return any(weighty(graph, node) for node in graph.nodes[here + 1 : there + 1])


def weighty(graph: Graph, node: fx.Node) -> bool:
    """Does a node multiply by weights: a convolution's or a linear map's, not a norm's or a token?"""
    if node.op == "call_module":
        module = graph.root.get_submodule(str(node.target))
        return any(_matrix(parameter) for parameter in module.parameters())
    return any(_from_matrix(graph, source) for source in node.all_input_nodes)


def _matrix(value: object) -> bool:
    return (
        isinstance(value, nn.Parameter)
        and value.ndim > 1
        and value.shape[0] > 1
        and value[0].numel() > 1
    )


def _from_matrix(graph: Graph, node: fx.Node) -> bool:
    """Is a node such a parameter, or made from one alone?"""
    if node in graph.place:
        return False
    if node.op != "get_attr":
        return any(_from_matrix(graph, source) for source in node.all_input_nodes)
    *parents, name = str(node.target).split(".")
    return _matrix(getattr(graph.root.get_submodule(".".join(parents)), name))


def classifier_start(graph: Graph) -> fx.Node:
    """The last node of the backbone: the clean cut before the last layer with weights.

    What does nothing in eval mode between the two (dropout) goes with the classifier.
    """
    last = max((graph.place[n] for n in graph.nodes if weighty(graph, n)), default=0)
    before = [node for node in graph.clean if graph.place[node] < last]
    while len(before) > 1 and _idle(graph, before[-1]):
        before.pop()
    return before[-1] if before else graph.input


def _idle(graph: Graph, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(graph.root.get_submodule(str(node.target)), IDLE)
