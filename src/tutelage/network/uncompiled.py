"""PyTorch without its compiler: a second less of start-up.

Importing timm imports torchvision, and that, for one predicate and one decorator, the whole of ``torch._dynamo``
(torchvision 0.29 ``ops/roi_align.py``; timm 1.0 ``models/naflexvit.py``); so does counting operations
(``torch._compile``). Nothing here is compiled by it. Meanwhile a stand-in answers "not compiled"; afterwards the
real one can be imported as ever.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"


@contextmanager
def uncompiled() -> Iterator[None]:
    """While it lasts, whoever asks for the compiler gets the stand-in, unless the real one is there."""
    if COMPILER in sys.modules:
        yield
        return
    import torch

    package, utils = ModuleType(COMPILER), ModuleType(f"{COMPILER}.utils")
    package.__dict__.update(__path__=[], disable=_as_it_is, utils=utils)
    utils.__dict__.update(is_compile_supported=lambda device: False)
    sys.modules.update({COMPILER: package, f"{COMPILER}.utils": utils})
    try:
        yield
    finally:
        for name in (COMPILER, f"{COMPILER}.utils"):
            sys.modules.pop(name, None)
        torch.__dict__.pop("_dynamo", None)


def _as_it_is(function: Any = None, *_: Any, **__: Any) -> Any:
    """``torch.compiler.disable`` where nothing is compiled."""
    return function if function is not None else _as_it_is
