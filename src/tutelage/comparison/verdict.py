"""The verdict: what the figures say, harm as plainly as help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Figures = Mapping[str, Any]


def verdict(told: Figures) -> list[str]:
    """Sentences, the most important first.

    Args:
        told: what ``figures`` gives.
    """
    return [
        *_gain(told), *_tuning(told), *_better_mode(told), *_guarded(told), *_budget(told),
        *_repeats(told), *(told["reasons"][name] for name in ("speed_up", "data_saved") if told[name]),
    ]  # fmt: skip


def _gain(told: Figures) -> list[str]:
    gain, arms = told["gain"], _by_mode(told)
    if gain is None:
        return [f"Nothing is said of training from scratch: {told['reasons']['gain']}."]
    student, scratch = arms[gain["mode"]], arms["scratch"]
    figures = f"On the same {told['test']['n']} {told['test']['part']} items: {gain['mode']} {_share(student)}, scratch {_share(scratch)}."  # fmt: skip
    return [_helps(gain, f"{_points(gain)} points ({_range(gain)})"), figures]


def _helps(gain: Mapping[str, Any], points: str) -> str:
    if gain["helps"] == "helps":
        return f"Transfer helps: {points} over scratch, at the same budget."
    if gain["helps"] == "harms":
        return f"Transfer harms here: {points} against scratch, at the same budget. Train from scratch: --mode scratch."
    if gain["points"] <= 0:
        return f"Transfer does not help here: {points} against scratch, at the same budget."
    return f"It cannot be told whether transfer helps: {points} over scratch, an interval that holds zero."  # fmt: skip


def _tuning(told: Figures) -> list[str]:
    """Each tuned arm that is not better than the frozen head."""
    said = []
    for pair in told["pairs"]:
        if pair["b"] != "deep" or pair["a"] == "scratch" or pair["points"] > 0:
            continue
        points = f"{pair['a']} is {_points(pair)} points ({_range(pair)}) against the frozen head"
        if pair["high"] < 0:
            said.append(f"Tuning harms here: {points}. Keep all layers frozen: --mode deep.")
        elif pair["points"] < 0 or not _all_guarded(_by_mode(told)[pair["a"]]):
            said.append(f"Tuning does not help here: {points}; deep is enough.")
    return said


def _better_mode(told: Figures) -> list[str]:
    """Another transfer arm that is clearly better than the run's own."""
    own = told["mode"]
    rows = [p if p["b"] == own else _turned(p) for p in told["pairs"] if own in (p["a"], p["b"])]
    better = [p for p in rows if p["a"] != "scratch" and p["low"] > 0 and own != "scratch"]
    return [f"{p['a']} is better than this run's {own}: {_points(p)} points ({_range(p)}), in {_by_mode(told)[p['a']]['seconds']:.0f} s. Type --mode {p['a']}." for p in better]  # fmt: skip


def _turned(pair: Mapping[str, Any]) -> dict[str, Any]:
    return {"a": pair["b"], "b": pair["a"], "points": -pair["points"], "low": -pair["high"], "high": -pair["low"]}  # fmt: skip


def _guarded(told: Figures) -> list[str]:
    said = []
    for arm in told["arms"]:
        guarded = arm["shipped"].get("deep", 0) if arm["mode"] in ("mid", "full") else 0
        if guarded:
            said.append(f"In {guarded} of {arm['seeds']} runs of {arm['mode']} the guard did not find tuning better, and shipped the frozen head.")  # fmt: skip
    return said


def _all_guarded(arm: Mapping[str, Any]) -> bool:
    return bool(arm["shipped"].get("deep", 0) == arm["seeds"])


def _budget(told: Figures) -> list[str]:
    scratch = _by_mode(told).get("scratch")
    if scratch is None:
        return []
    cut = [run["stopped"] for run in scratch["runs"] if run["stopped"]]
    whole = "it finished its recipe within that" if not cut else (
        f"in {len(cut)} of {scratch['seeds']} runs {cut[0]}; with more time it may come closer: --time-limit 10m"
    )  # fmt: skip
    return [f"Same budget: {told['budget']['because']}; {whole}."]


def _repeats(told: Figures) -> list[str]:
    arms = _by_mode(told)
    said = f"Other arms ran with {len(told['seeds'])} seeds." if len(arms) > 1 else ""
    return [f"deep has no randomness in training: one run is all its seeds. {said}".strip()] if "deep" in arms else []  # fmt: skip


def _by_mode(told: Figures) -> dict[str, Mapping[str, Any]]:
    return {arm["mode"]: arm for arm in told["arms"]}


def _share(arm: Mapping[str, Any]) -> str:
    return f"{100 * arm['accuracy']:.1f} % ({100 * arm['low']:.1f} to {100 * arm['high']:.1f})"


def _points(pair: Mapping[str, Any]) -> str:
    return f"{pair['points']:+.1f}"


def _range(pair: Mapping[str, Any]) -> str:
    return f"95 % interval {pair['low']:+.1f} to {pair['high']:+.1f}"
