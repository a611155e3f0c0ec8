"""Who builds a network and how: ``SOURCE:NAME[?key=value&...]``, the ``architecture`` of a card.

source      timm, torchvision, transformers (see ``encoders``); ``code`` for a user's own file (``code:FUNCTION@SHA256``); ``module``
            for a module that came from Python and cannot be built again
padding     ``same``: strided layers pad as TensorFlow does, for weights that were trained there
channels    of the input, where it is not 3: the first convolution is adapted (see ``adapt``)
cuts        ``none``: the graph cannot be cut; one stage, features only
args        JSON: further arguments for the library's builder, e.g. ``{"num_classes": 21841}``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

from tutelage.errors import UsageError

SOURCES = ("timm", "torchvision", "transformers", "code", "module")


@dataclass(frozen=True)
class Blueprint:
    """An architecture, read. ``str`` writes it back."""

    source: str
    name: str
    padding: str = ""
    channels: int = 3
    cuts: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        given = {
            "padding": self.padding,
            "channels": "" if self.channels == 3 else str(self.channels),
            "cuts": self.cuts,
            "args": json.dumps(self.args, sort_keys=True) if self.args else "",
        }
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in given.items() if value)
        return f"{self.source}:{self.name}" + (f"?{query}" if query else "")


def read_blueprint(text: str) -> Blueprint:
    """Read an architecture; the inverse of ``str``.

    Raises:
        UsageError: no such source, or an unknown key.
    """
    head, _, query = text.partition("?")
    source, colon, name = head.partition(":")
    known = dict(parse_qsl(query))
    unknown = sorted(set(known) - {"padding", "channels", "cuts", "args"})
    if not colon or source not in SOURCES or unknown:
        raise UsageError(
            "bad-architecture", given=f"architecture {text}",
            expected="SOURCE:NAME with SOURCE timm or torchvision", next="Try: --arch torchvision:resnet50",
        )  # fmt: skip
    return Blueprint(
        source, name, known.get("padding", ""), int(known.get("channels", 3)),
        known.get("cuts", ""), json.loads(known.get("args", "{}")),
    )  # fmt: skip
