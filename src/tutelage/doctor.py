"""``doctor``: versions, devices, builds that do not match, cached teachers; what is wrong and its fix."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tutelage.errors import TutelageError
from tutelage.files import cache_root
from tutelage.runtime import available_memory, cores, host

PACKAGES = (
    "tutelage",
    "torch",
    "torchvision",
    "timm",
    "openvino",
    "numpy",
    "pillow",
    "safetensors",
    "scikit-learn",
    "pyarrow",
)


def examine(student: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Look at this machine, and at a student if one is given.

    Returns:
        ``host, versions, devices, teachers, cache, student`` (name -> fact) and ``problems``, a list
        of ``{"what", "fix"}``.
    """
    problems: list[dict[str, str]] = []
    told: dict[str, Any] = {"schema": 1, "host": {**host(), "memory": f"{available_memory() / 2**30:.1f} GiB free"}}  # fmt: skip
    told["versions"] = _versions(problems)
    told["devices"] = _devices(problems)
    told["teachers"] = _teachers(problems)
    told["cache"] = _cache(problems)
    told["student"] = _student(student, code, problems) if student else {}
    return {**told, "problems": problems}


def _versions(problems: list[dict[str, str]]) -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
            if package != "tutelage":
                problems.append(
                    {"what": f"{package} is not installed", "fix": f"pip install {package}"}
                )
    return found


def _devices(problems: list[dict[str, str]]) -> dict[str, str]:
    """Builds of torch and torchvision must match: a CPU build beside a CUDA build does not import."""
    try:
        import torch
        import torchvision.ops  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        pair = "pip install --force-reinstall torch torchvision"
        problems.append({"what": f"torch and torchvision do not match: {error}", "fix": pair})
        return {"cpu": f"{cores()} cores"}
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return {"cpu": f"{cores()} cores, {torch.get_num_threads()} threads", "accelerator": str(accelerator or "none")}  # fmt: skip


def _teachers(problems: list[dict[str, str]]) -> dict[str, str]:
    """The embedded teachers, and whatever else is kept here."""
    from tutelage.teachers import load_teacher
    from tutelage.teachers.embedded import EMBEDDED
    from tutelage.teachers.kept import kept_cards

    cards = {}
    for name in EMBEDDED:
        try:
            cards[name] = load_teacher(name).card
        except (TutelageError, ImportError) as error:
            problems.append({"what": f"teacher {name}: {error}", "fix": getattr(error, "next", "pip install tutelage")})  # fmt: skip
    cards |= {card.name: card for card in kept_cards() if card.name not in cards}
    return {
        name: f"{card.parameters:,} parameters, {card.licence}, sha256 {card.digest[:16]}"
        for name, card in cards.items()
    }


def _cache(problems: list[dict[str, str]]) -> dict[str, str]:
    from tutelage.features.cache import ActivationCache

    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        sizes = ActivationCache(root).sizes()
    except OSError as error:
        problems.append({"what": f"the cache {root} cannot be written: {error.strerror}", "fix": "set TUTELAGE_CACHE to a folder that can"})  # fmt: skip
        return {"where": str(root)}
    total = sum(size.bytes for size in sizes)
    return {"where": str(root), "activations": f"{total / 2**20:.1f} MiB in {len(sizes)} sets"}


def _student(path: str, code: str | None, problems: list[dict[str, str]]) -> dict[str, str]:
    """Replay the golden inputs: the same probabilities must come out."""
    from tutelage.student import load
    from tutelage.student.golden import replay

    try:
        student = load(Path(path), code=code)
        difference = replay(student)
    except TutelageError as error:
        problems.append({"what": str(error), "fix": error.next})
        return {}
    if difference > 1e-3:
        problems.append({"what": f"golden probabilities differ by {difference:.2g} on this machine", "fix": "pip install the versions in lineage.json"})  # fmt: skip
    return {"classes": ", ".join(student.classes), "digest": student.digest, "engine": student.stands_in or str(student.engine), "golden": f"largest difference {difference:.2g}"}  # fmt: skip
