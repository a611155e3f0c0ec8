"""Teachers of the user's own: a weight file with the name of its architecture, or a file of code."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tutelage.errors import ArtefactError, TeacherError, UsageError
from tutelage.files import digest_file, read_json
from tutelage.modality import InputSpec
from tutelage.teachers.blueprint import Blueprint, read_blueprint
from tutelage.teachers.card import Card
from tutelage.teachers.catalogue import find
from tutelage.teachers.origin import Asked, Origin
from tutelage.teachers.published import facts_of

OWN = "the user's own file"
"""The licence of weights that a user brings, where no card states another: it is theirs to know."""

FACTS = ("name", "licence", "trained_on", "top1", "top1_source", "spec", "sha256", "source")
"""What a card file may state."""


def from_file(asked: Asked) -> Origin:
    """A weight file on this machine, of a known architecture.

    Raises:
        UsageError: no such file, or its architecture is not given.
        TeacherError: its sha256 is not the one that its card states.
    """
    path = Path(asked.weights or asked.name)
    require(path, "weights")
    named = asked.arch or (asked.name if asked.weights else None)
    if named is None:
        raise UsageError(
            "no-architecture", given=f"--teacher {path} without its architecture", expected="which network these weights are of",
            next=f"Add: --arch {_guess(path)}",
        )  # fmt: skip
    facts = _base(named, path)
    stated = stated_facts(asked.card, path)
    blueprint = read_blueprint(facts.architecture)
    spec = spec_of(stated, facts.spec)
    if spec.padding == "same":
        blueprint = replace(blueprint, padding="same")
    facts = with_facts(replace(facts, architecture=str(blueprint), spec=spec), stated)
    return Origin(facts, lambda model: _read(path, model, facts, stated.get("sha256", "")))


def _base(named: str, path: Path) -> Card:
    """The facts of an architecture, without those of its published weights."""
    text, _, query = named.partition("?")
    entry = find(text)
    known = facts_of(entry)
    architecture = known.architecture + (f"?{query}" if query else "")
    return replace(
        known, name=path.name.split(".")[0], digest=digest_file(path), source=f"file:{path.name}",
        licence=OWN, architecture=str(read_blueprint(architecture)), trained_on="not stated",
        top1=None, top1_source="",
    )  # fmt: skip


def require(path: Path, what: str) -> None:
    """Refuse a path that is no file."""
    if not path.is_file():
        raise UsageError(
            "no-such-file", given=f"{what} {path}: there is no such file", expected="a weight file (.safetensors, .pth) or FILE.py:FUNCTION",
            next="Check the path; see published teachers with: tutelage teachers",
        )  # fmt: skip


def _guess(path: Path) -> str:
    from tutelage.teachers.reading import looks_like, read_weights

    return (looks_like(read_weights(path)) or ["torchvision:resnet50"])[0]


def _read(path: Path, model: Any, facts: Card, pinned: str) -> dict[str, Any]:
    from tutelage.teachers.reading import fitted, read_weights

    if pinned and pinned != facts.digest:
        raise TeacherError(
            "wrong-digest", given=f"{path} has sha256 {facts.digest}", expected=f"sha256 {pinned}, as its card states",
            next="Get the weight file again from its publisher.",
        )  # fmt: skip
    return fitted(read_weights(path), model, facts.name, facts.architecture)


def stated_facts(card: str | None, weights: Path | None) -> dict[str, Any]:
    """What a card file states: the one given, or ``NAME.card.json`` beside ``NAME.pth``.

    Raises:
        TeacherError: it is not a card, or states what no card can.
    """
    beside = weights.with_suffix(".card.json") if weights else None
    path = Path(card) if card else beside
    if path is None or (card is None and not path.is_file()):
        return {}
    require(path, "card")
    try:
        stated = read_json(path)
    except ArtefactError as error:
        raise _bad_card(path, error.given) from error
    unknown = sorted(set(stated) - set(FACTS)) if isinstance(stated, dict) else ["no JSON object"]
    if unknown:
        raise _bad_card(path, "it states " + ", ".join(unknown))
    return dict(stated)


def _bad_card(path: Path, why: str) -> TeacherError:
    return TeacherError(
        "bad-card", given=f"the card {path} cannot be used: {why}", expected="a JSON object with some of " + ", ".join(FACTS),
        next='For example: {"licence": "mit", "spec": {"size": 224, "padding": "same"}}',
    )  # fmt: skip


def spec_of(stated: Mapping[str, Any], base: InputSpec) -> InputSpec:
    """The preprocessing that a card states, over that of the architecture.

    Raises:
        TeacherError: an unknown word in it.
    """
    given = dict(stated.get("spec", {}))
    try:
        spec = InputSpec.from_json({**base.as_json(), **given})
    except (TypeError, KeyError) as error:
        raise _bad_card(Path("spec"), str(error)) from error
    return replace(spec, resize=spec.size) if "size" in given and "resize" not in given else spec


def with_facts(card: Card, stated: Mapping[str, Any]) -> Card:
    """A card with what a card file states."""
    plain = ("name", "licence", "trained_on", "top1", "top1_source", "source")
    return replace(card, **{key: stated[key] for key in plain if key in stated})


# -- the user's own code ----------------------------------------------------------------------------


def from_code(asked: Asked) -> Origin:
    """A network that the user's own file builds: naming the file is the permission to run it.

    The function takes nothing and returns an ``nn.Module`` from ``(N, C, H, W)`` to logits, or a
    ``network.stages.Network`` whose stages it gives itself. ``INPUT`` in the file, a dictionary,
    says what it looks at: size, mean, std, ... Its weights come from ``weights`` or are those that
    it is built with.

    Raises:
        UsageError: no such file or function.
        TeacherError: the file fails, or builds no network.
    """
    text, _, function = asked.name.rpartition(":")
    path = Path(text)
    require(path, "code")
    own = run_code(path)
    if not callable(getattr(own, function, None)):
        raise UsageError(
            "no-function", given=f"{path} has no function {function}", expected="one that builds the network",
            next=f"Define it: def {function or 'build'}(): return MyNet()",
        )  # fmt: skip
    weights = Path(asked.weights) if asked.weights else None
    if weights:
        require(weights, "weights")
    stated = stated_facts(asked.card, weights)
    spec = spec_of({"spec": {**getattr(own, "INPUT", {}), **stated.get("spec", {})}}, InputSpec())
    facts = Card(
        name=function if weights is None else f"{path.stem}-{weights.name.split('.')[0]}",
        digest=digest_file(weights) if weights else _digest_built(path, function),
        source=f"file:{weights.name if weights else path.name}", licence=OWN,
        architecture=str(Blueprint("code", f"{function}@{digest_file(path)}", channels=spec.channels)),
        trained_on="not stated", spec=spec, labels=0, stages=(), owners={}, weights_digest="",
    )  # fmt: skip
    facts = with_facts(facts, stated)
    return Origin(
        facts, lambda model: _own(model, weights, facts, stated), lambda: built(path, function)
    )


def _own(
    model: Any, weights: Path | None, facts: Card, stated: Mapping[str, Any]
) -> dict[str, Any]:
    if weights is None:
        return dict(model.state_dict())
    return _read(weights, model, facts, stated.get("sha256", ""))


def _digest_built(path: Path, function: str) -> str:
    from tutelage.files import digest_arrays

    model = built(path, function)
    return digest_arrays(
        {k: t.numpy() for k, t in getattr(model, "model", model).state_dict().items()}
    )


def run_code(path: Path) -> ModuleType:
    """Run the user's own file, as a module.

    Raises:
        TeacherError: it fails.
    """
    name = f"tutelage_own_{digest_file(path)[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise TeacherError(
            "own-code", given=f"{path} fails: {type(error).__name__}: {error}", expected="code that can be imported",
            next=f"Try it alone: python {path}",
        ) from error  # fmt: skip
    return module


def built(path: Path, function: str) -> Any:
    """What the user's function builds.

    Raises:
        TeacherError: it fails, or builds no network.
    """
    from torch import nn

    from tutelage.network.stages import Network

    made = getattr(run_code(path), function)()
    if not isinstance(made, nn.Module | Network):
        raise TeacherError(
            "own-code", given=f"{function} of {path} returns {type(made).__name__}",
            expected="an nn.Module, or a Network with its stages", next=f"Let {function} return the network.",
        )  # fmt: skip
    return made


def code_builder(code: str | Path | None, architecture: str) -> Callable[[], Any] | None:
    """What makes the network of an architecture that is the user's own; None for a library's.

    Args:
        code: the file, which must be the one that a ``code:`` architecture names.

    Raises:
        ArtefactError: no file is given though the network needs one, or it is another.
    """
    blueprint = read_blueprint(architecture)
    if blueprint.source not in ("code", "module") and code is None:
        return None
    function, _, wanted = blueprint.name.partition("@")
    if code is None or blueprint.source == "module":
        python = blueprint.source == "module"
        raise ArtefactError(
            "own-code", given=f"a student whose network is the user's own, {function}",
            expected="the teacher object that it was made with" if python else "the file that builds it",
            next="Load it with: tutelage.load(path, teacher=your_teacher)" if python else "Give it with --code FILE.py (Python: code=...)",
        )  # fmt: skip
    path = Path(code)
    require(path, "code")
    found = digest_file(path)
    if found != wanted:
        raise ArtefactError(
            "other-code", given=f"{path} has sha256 {found}", expected=f"sha256 {wanted or 'of no code at all'}, as when the student was made",
            next="Give the file as it was then.",
        )  # fmt: skip
    return lambda: built(path, function)
