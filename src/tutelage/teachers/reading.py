"""Reading weight files that somebody else wrote: safely, and made to fit or refused with every reason.

Nothing in a weight file is ever run: safetensors holds numbers only, and the others are read by
PyTorch's unpickler for plain weights. There is no fallback to another reader.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tutelage.errors import TeacherError
from tutelage.teachers.catalogue import entries

Tensors = dict[str, Tensor]

WRAPPERS = (
    "state_dict",
    "model",
    "model_state_dict",
    "model_ema",
    "state_dict_ema",
    "net",
    "params",
    "teacher",
)
"""Keys under which training scripts put the tensors."""

PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.")
"""What wrappers put before every name."""

LISTED = 40
"""At most this many misfits are spelt out."""


def read_weights(path: Path) -> Tensors:
    """All tensors of a ``.safetensors`` file or of one that ``torch.save`` wrote.

    Raises:
        TeacherError: damaged, truncated, or more than plain weights; nothing in it was run.
    """
    if path.suffix == ".safetensors":
        return _safetensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, AttributeError, ImportError) as error:
        raise _unsafe(path, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError) as error:
        raise damaged(path, error) from error
    return _unwrapped(path, content)


def _safetensors(path: Path) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: BaseException) -> TeacherError:
    """The one error for a weight file that is not whole."""
    return TeacherError(
        "damaged-weights", given=f"{path} cannot be read: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}",
        expected="a whole weight file", next="Get it again from its publisher.",
    )  # fmt: skip


def _unsafe(path: Path, error: BaseException) -> TeacherError:
    what = re.search(r"GLOBAL (\S+)|global (\S+)|class (\S+)", str(error))
    named = f" ({next(g for g in what.groups() if g)})" if what else ""
    return TeacherError(
        "unsafe-pickle", given=f"{path} holds more than tensors{named}; nothing in it was run",
        expected="plain weights: a dictionary of tensors",
        next="Ask its publisher for safetensors, or save its state_dict() where you trust the file.",
    )  # fmt: skip


def _unwrapped(path: Path, content: Any) -> Tensors:
    """The dictionary of tensors, from wherever a training script put it."""
    while isinstance(content, Mapping):
        tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        inner = next((content[w] for w in WRAPPERS if isinstance(content.get(w), Mapping)), None)
        if inner is None:
            if tensors:
                return tensors
            break
        content = inner
    raise damaged(path, ValueError("there is no dictionary of tensors in it"))


def fitted(tensors: Tensors, model: nn.Module, name: str, architecture: str = "") -> Tensors:
    """The tensors under the names of the model, every one of the right shape, all of them finite.

    Wrappers' prefixes are taken off, names of torchvision's old DenseNet files are modernised, and
    counters that old files lack (``num_batches_tracked``) are taken from the model: they do not
    change what it computes.

    Raises:
        TeacherError: they do not fit (all misfits at once), or are not finite.
    """
    wanted = model.state_dict()
    given = _renamed(tensors, wanted)
    lacking = {
        k: v for k, v in wanted.items() if k not in given and k.endswith("num_batches_tracked")
    }
    given = {**given, **lacking}
    misfits = _misfits(given, wanted)
    if misfits:
        raise TeacherError(
            "wrong-weights", given=f"{len(misfits)} tensors of {name} do not fit {architecture or 'the architecture'}: {_listed(misfits)}{_guess(tensors)}",
            expected=f"the {len(wanted)} tensors of its architecture", next=_other_classes(given, wanted, misfits) or _advice(tensors),
        )  # fmt: skip
    broken = [
        k for k, v in given.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())
    ]
    if broken:
        raise TeacherError(
            "not-finite", given=f"NaN or infinity in {len(broken)} tensors of {name}: {_listed(broken)}",
            expected="finite weights", next="Get the weight file again from its publisher.",
        )  # fmt: skip
    return {key: given[key].to(wanted[key].dtype) for key in wanted}


def _renamed(tensors: Tensors, wanted: Mapping[str, Tensor]) -> Tensors:
    """Under the spelling that most of the wanted names have."""
    spellings = [tensors]
    for prefix in PREFIXES:
        last = spellings[-1]
        if last and all(key.startswith(prefix) for key in last):
            spellings.append({key.removeprefix(prefix): value for key, value in last.items()})
    spellings += [{_modern(key): value for key, value in s.items()} for s in list(spellings)]
    return max(spellings, key=lambda s: sum(key in wanted for key in s))


def _modern(key: str) -> str:
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d\.)", r"\1\2", key)


def _misfits(given: Tensors, wanted: Mapping[str, Tensor]) -> list[str]:
    wrong = [
        f"{key} is {tuple(given[key].shape)}, not {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in given and given[key].shape != tensor.shape
    ]
    wrong += [f"missing {key}" for key in wanted if key not in given]
    return wrong + [f"unknown {key}" for key in given if key not in wanted]


def _listed(items: list[str]) -> str:
    more = f"; and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return "; ".join(items[:LISTED]) + more


def looks_like(tensors: Tensors) -> list[str]:
    """Architectures of the catalogue with exactly as many parameters."""
    count = sum(t.numel() for k, t in tensors.items() if not k.endswith(("running_mean", "running_var", "num_batches_tracked")))  # fmt: skip
    found = {e.architecture for e in entries() if e.parameters == count}
    return sorted(found, key=lambda name: (not name.startswith("torchvision"), name))


def _guess(tensors: Tensors) -> str:
    found = looks_like(tensors)
    return f". These tensors look like {' or '.join(found[:3])}" if found else ""


def _other_classes(given: Tensors, wanted: Mapping[str, Tensor], misfits: list[str]) -> str:
    """What to type if nothing but the number of classes differs; empty if more does."""
    wrong = [k for k in wanted if k in given and given[k].shape != wanted[k].shape]
    counts = {given[k].shape[0] for k in wrong if given[k].shape[1:] == wanted[k].shape[1:]}
    if len(wrong) != len(misfits) or len(wrong) > 2 or len(counts) != 1:
        return ""
    return f"Its classifier has {counts.pop()} classes. Add them to --arch: 'NAME?args={{\"num_classes\": {given[wrong[0]].shape[0]}}}'"


def _advice(tensors: Tensors) -> str:
    found = looks_like(tensors)
    return (
        f"Try: --arch {found[0]}"
        if found
        else "Check that weights and architecture belong together."
    )
