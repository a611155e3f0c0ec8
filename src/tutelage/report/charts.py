"""Charts as SVG that a page inlines: drawn by matplotlib, coloured by the page, light or dark.

Texts stay texts, so that the page's font and size hold. The page's policy forbids ``style`` attributes, so they
are turned into presentation attributes; the few colours become the page's own variables.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, LINE = "#111111", "#555555", "#dddddd"
FROZEN, TUNED, GOOD = "#0072b2", "#d55e00", "#009e73"
"""From the palette of Okabe and Ito (2008), which colour-blind readers can tell apart."""

VARIABLES = {
    INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", FROZEN: "var(--frozen)", TUNED: "var(--tuned)",
    GOOD: "var(--good)",
}  # fmt: skip

STYLE: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "tutelage", "font.size": 10, "axes.edgecolor": SOFT, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": LINE, "axes.axisbelow": True,
    "legend.frameon": False, "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
}  # fmt: skip

KEPT = ("fill", "stroke", "opacity", "text-anchor", "font-size", "font-weight", "clip-path")
"""What of a style is kept: properties that begin so."""


def drawn(draw: Callable[..., None], title: str, description: str, *, rows: Sequence[float] = (1.0,), height: float = 2.8) -> Markup:  # fmt: skip
    """A chart, ready to be put into a page.

    Args:
        draw: is given an Axes for each of ``rows``, which share their x-axis.
        title: what it shows, for a reader who does not see it.
        description: what it says, with the figures that matter.
        rows: relative heights.
        height: of all, in inches; it is 5.4 wide.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(5.4, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=list(rows))[:, 0]  # fmt: skip
        draw(*axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})  # fmt: skip
    return figure_of(stream.getvalue(), title, description)


def figure_of(svg: str, title: str, description: str) -> Markup:
    """An SVG as matplotlib writes it -> one that the page's policy allows, with a name and a description."""
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if _plain(child.tag) in ("style", "metadata"):
                parent.remove(child)
    for element in root.iter():
        element.tag = _plain(element.tag)
        element.attrib = {_plain(name): value for name, value in element.attrib.items()}
        _restyle(element)
    unique = "c" + re.sub(r"\W+", "-", title.lower())
    _own_names(root, unique)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "class": "chart", "aria-labelledby": f"{unique}-t {unique}-d"}  # fmt: skip
    for position, (kind, text) in enumerate((("title", title), ("desc", description))):
        told = ElementTree.Element(kind, {"id": f"{unique}-{kind[0]}"})
        told.text = text
        root.insert(position, told)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _plain(name: str) -> str:
    """Without its namespace, which HTML does without."""
    return name.rpartition("}")[2]


def _restyle(element: ElementTree.Element) -> None:
    for rule in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if name == "font":
            size = re.search(r"([\d.]+)px", value)
            element.set("font-size", size.group(1) if size else "10")
        elif name.startswith(KEPT):
            element.set(name, VARIABLES.get(value, value))


def _own_names(root: ElementTree.Element, unique: str) -> None:
    """Every id and every reference to one gets the chart's own name, so that two charts do not meet."""
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, f"{unique}-{value}")
            elif value.startswith("#"):
                element.set(name, f"#{unique}-{value[1:]}")
            elif value.startswith("url(#"):
                element.set(name, value.replace("url(#", f"url(#{unique}-"))


def depth(stages: Sequence[Mapping[str, Any]], readings: Sequence[Mapping[str, Any]], expected: float | None) -> Markup:  # fmt: skip
    """Left-out accuracy of a linear head along the stages, over what each stage costs; the cut between them.

    Args:
        stages: ``{"name", "frozen", "share"}`` in order; share of the operations.
        readings: ``{"stage", "accuracy", "low", "high"}``.
        expected: accuracy of the student that was chosen.
    """
    names = [stage["name"] for stage in stages]
    together = [
        r["accuracy"] for r in readings if r["stage"] not in names
    ]  # a head that reads all stages
    readings = [r for r in readings if r["stage"] in names]
    frozen = sum(bool(stage["frozen"]) for stage in stages)
    best = max(readings, key=lambda r: r["accuracy"])

    def draw(above: Axes, below: Axes) -> None:
        at = [names.index(r["stage"]) for r in readings]
        read = [100 * r["accuracy"] for r in readings]
        above.fill_between(at, [100 * r["low"] for r in readings], [100 * r["high"] for r in readings], color=FROZEN, alpha=0.18, lw=0)  # fmt: skip
        above.plot(at, read, color=FROZEN, marker="o", lw=1.8, label="one stage, left out")
        for value in together:
            above.axhline(100 * value, color=SOFT, ls=":", lw=1.6, label="all stages, left out")
        if expected is not None:
            above.axhline(100 * expected, color=GOOD, ls="--", lw=1.4, label="expected of the student")  # fmt: skip
        above.set_ylabel("accuracy in %")
        above.legend(loc="lower right")
        colours = [FROZEN if stage["frozen"] else TUNED for stage in stages]
        below.bar(range(len(names)), [100 * s["share"] for s in stages], color=colours, width=0.8)
        below.set_ylabel("work in %")
        below.set_xticks(range(len(names)), names, rotation=60, ha="right")
        for axes in (above, below):
            axes.grid(visible=False, axis="x")
            if frozen < len(names):
                axes.axvline(frozen - 0.5, color=TUNED, lw=1.6)

    said = (
        f"Best stage {best['stage']} with {best['accuracy']:.1%}. The first {frozen} of {len(names)} stages are frozen."
    )  # fmt: skip
    return drawn(draw, "Accuracy along depth", said, rows=(2.2, 1), height=3.8)


def reliability(bins: Sequence[Mapping[str, float]], error: float) -> Markup:
    """How often the student is right where it says so with some confidence."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], color=SOFT, lw=1, ls="--", label="as promised")
        largest = max(b["n"] for b in bins)
        axes.plot([100 * b["confidence"] for b in bins], [100 * b["accuracy"] for b in bins], color=FROZEN, lw=1.4)  # fmt: skip
        axes.scatter([100 * b["confidence"] for b in bins], [100 * b["accuracy"] for b in bins], s=[12 + 130 * b["n"] / largest for b in bins], color=FROZEN, label="test items (area: how many)", zorder=3)  # fmt: skip
        axes.set(xlabel="confidence in %", ylabel="right in %", xlim=(0, 102), ylim=(0, 104))
        axes.legend(loc="upper left")

    return drawn(draw, "Calibration", f"Expected calibration error {error:.3f} over {len(bins)} bins of confidence.", height=3.0)  # fmt: skip


def coverage(points: Sequence[Mapping[str, float]]) -> Markup:
    """Accuracy on the most confident share of the items."""

    def draw(axes: Axes) -> None:
        axes.plot([100 * p["coverage"] for p in points], [100 * p["accuracy"] for p in points], color=FROZEN, marker="o", ms=3.5, lw=1.6)  # fmt: skip
        axes.set(xlabel="answered in % (the most confident first)", ylabel="right of these in %", xlim=(0, 102))  # fmt: skip

    half = min(points, key=lambda p: abs(p["coverage"] - 0.5))
    said = f"Answering all: {points[0]['accuracy']:.1%} right. Answering the surest half: {half['accuracy']:.1%}."
    return drawn(draw, "Accuracy when it may abstain", said, height=2.6)


def timeline(phases: Mapping[str, float]) -> Markup:
    """The phases of a run, one after the other."""
    spent = {name: seconds for name, seconds in phases.items() if seconds > 0}

    def draw(axes: Axes) -> None:
        start = 0.0
        for row, seconds in enumerate(spent.values()):
            axes.barh(row, seconds, left=start, color=FROZEN, height=0.66)
            axes.text(start + seconds, row, f" {seconds:.1f} s", va="center", fontsize=9)
            start += seconds
        axes.set_yticks(range(len(spent)), list(spent))
        axes.set(xlabel="seconds", xlim=(0, 1.12 * start))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")

    longest = max(spent, key=lambda name: spent[name])
    said = f"{sum(spent.values()):.1f} seconds in all; the longest phase is {longest}, {spent[longest]:.1f} seconds."
    return drawn(draw, "Where the time went", said, height=0.6 + 0.28 * len(spent))


def intervals(rows: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """Accuracies with their intervals, one below the other.

    Args:
        rows: ``{"name", "accuracy", "low", "high", "own", "runs"}``; ``runs`` are accuracies of single seeds.
    """

    def draw(axes: Axes) -> None:
        for row, told in enumerate(rows):
            colour = TUNED if told.get("control") else FROZEN
            axes.plot([100 * told["low"], 100 * told["high"]], [row, row], color=colour, lw=5, alpha=0.4, solid_capstyle="round")  # fmt: skip
            axes.plot([100 * told["accuracy"]], [row], "o", color=colour, ms=7)
            axes.plot([100 * a for a in told.get("runs", ())], [row + 0.28] * len(told.get("runs", ())), "o", mfc="none", color=SOFT, ms=4)  # fmt: skip
            axes.text(1.02, row, f"{100 * told['accuracy']:.1f} %", va="center", transform=axes.get_yaxis_transform())  # fmt: skip
        axes.set_yticks(range(len(rows)), [f"{r['name']} ●" if r.get("own") else r["name"] for r in rows])  # fmt: skip
        axes.set(xlabel="accuracy in %", ylim=(len(rows) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")

    said = "; ".join(
        f"{r['name']} {r['accuracy']:.1%} ({r['low']:.1%} to {r['high']:.1%})" for r in rows
    )
    return drawn(draw, title, said, height=0.8 + 0.42 * len(rows))
