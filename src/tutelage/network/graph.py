"""The graph of a network that nobody has described, and the clean cuts in it.

The network is traced (torch.fx). A clean cut is a place that exactly one tensor crosses on its way
from the input. Numbers taken from shapes may cross too, because they can be had again on the other
side: the batch size is read off the crossing tensor, any other is fixed at its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from tutelage.errors import TeacherError

ROWS = (2, 3)
"""Batch sizes that a graph is watched at: a number that differs between them is the batch's."""


OTHER = object()
"""Stands for what is neither a tensor nor numbers, and cannot be had again after a cut."""


@dataclass(frozen=True)
class Opaque:
    """What tracing must not look into, because its course depends on values.

    Attributes:
        modules: classes that become one node.
        functions: functions that become one node.
    """

    modules: tuple[type[nn.Module], ...] = ()
    functions: tuple[Callable[..., Any], ...] = ()


class _Tracer(fx.Tracer):
    def __init__(self, opaque: Opaque) -> None:
        super().__init__(autowrap_functions=opaque.functions)
        self._opaque = opaque.modules

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, self._opaque) or super().is_leaf_module(m, module_qualified_name)


class _Watch(fx.Interpreter):
    """Runs a graph and keeps what every node gave: a tensor's shape, a number itself."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.seen: dict[fx.Node, Any] = {}
        self.tensors: set[fx.Node] = set()

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.tensors.add(n)
            self.seen[n] = tuple(value.shape)
        else:
            self.seen[n] = value if _plain(value) else OTHER
        return value


@dataclass(frozen=True)
class Graph:
    """A traced network with what its nodes gave at two batch sizes.

    Attributes:
        root: the network as a graph module; shares its parameters.
        module: the network itself.
        seen: node -> shapes (of tensors) or values, at the batch sizes ``ROWS``.
        tensors: nodes that give a tensor.
    """

    root: fx.GraphModule
    module: nn.Module
    seen: Mapping[fx.Node, tuple[Any, ...]]
    tensors: frozenset[fx.Node]

    @cached_property
    def input(self) -> fx.Node:
        """The node of the network's input."""
        entry: fx.Node = next(n for n in self.root.graph.nodes if n.op == "placeholder")
        return entry

    @cached_property
    def output(self) -> fx.Node:
        """The node whose value the network returns."""
        given: fx.Node = next(n for n in self.root.graph.nodes if n.op == "output").all_input_nodes[
            0
        ]
        return given

    @cached_property
    def nodes(self) -> tuple[fx.Node, ...]:
        """Nodes that depend on the input, in order, the input itself first."""
        varying, order = {self.input}, [self.input]
        for node in self.root.graph.nodes:
            if node.op != "output" and any(source in varying for source in node.all_input_nodes):
                varying.add(node)
                order.append(node)
        return tuple(order[: order.index(self.output) + 1])

    @cached_property
    def place(self) -> dict[fx.Node, int]:
        """Node -> its place in ``nodes``."""
        return {node: place for place, node in enumerate(self.nodes)}

    @cached_property
    def clean(self) -> tuple[fx.Node, ...]:
        """Nodes after which their own tensor, a row an example, is all that is still wanted."""
        last = {n: max((self.place.get(u, -1) for u in n.users), default=-1) for n in self.nodes}
        live: set[fx.Node] = set()
        found = []
        for place, node in enumerate(self.nodes):
            live = {n for n in live if last[n] > place}
            if node is self.output or last[node] > place:
                live.add(node)
            alone = {n for n in live if not self.restorable(n)} == {node}
            if alone and place and self._rows(node):
                found.append(node)
        return tuple(found)

    def _rows(self, node: fx.Node) -> bool:
        return node in self.tensors and all(
            shape[:1] == (rows,) for shape, rows in zip(self.seen[node], ROWS, strict=True)
        )

    def restorable(self, node: fx.Node) -> bool:
        """Can its value be had again after a cut: numbers and tuples of them?"""
        return node not in self.tensors and all(_plain(value) for value in self.seen[node])

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """Shape of one row of a tensor."""
        return tuple(self.seen[node][0][1:])


def trace(module: nn.Module, example: Tensor, opaque: Opaque) -> Graph:
    """Trace a module and watch it.

    Args:
        module: in eval mode, from one tensor ``(N, C, H, W)`` to one tensor.
        example: one example of the input, ``(1, C, H, W)``.

    Raises:
        TeacherError: it cannot be traced, or gives more than one tensor.
    """
    try:
        graph = _Tracer(opaque).trace(module)
        root = fx.GraphModule(module, graph)
        watches = [_watched(root, example.expand(rows, *example.shape[1:])) for rows in ROWS]
    except Exception as error:
        raise untraceable(
            module, str(error).splitlines()[0] if str(error) else repr(error)
        ) from error
    if next(n for n in graph.nodes if n.op == "output").args[0].__class__ is not fx.Node:
        raise untraceable(module, "it gives more than one tensor")
    seen = {node: tuple(w.seen[node] for w in watches) for node in watches[0].seen}
    return Graph(root, module, seen, frozenset(watches[0].tensors))


@torch.no_grad()
def _watched(root: fx.GraphModule, batch: Tensor) -> _Watch:
    watch = _Watch(root)
    watch.run(batch.contiguous())
    return watch


def untraceable(module: nn.Module, why: str) -> TeacherError:
    """The one error for a network whose graph cannot be had."""
    return TeacherError(
        "untraceable", given=f"{type(module).__name__} cannot be traced: {why}",
        expected="a network whose course does not depend on values",
        next="It can serve as frozen features; or give its stages yourself, see docs/guides/teachers.md",
    )  # fmt: skip


def _plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, int | float | bool | str | torch.dtype | torch.device)
