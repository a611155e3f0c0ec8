"""File safety and provenance: what a student's folder holds, and whether any of it could run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tutelage.files import digest_file
from tutelage.security.subject import Subject

SAFE = (".safetensors", ".json", ".html", ".md", ".txt", ".csv", ".jsonl")
"""Endings of files that hold no code; everything else is named."""


PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK")
"""How pickles of protocol 2 to 5 begin, and PyTorch's archives of them."""


def read_provenance(subject: Subject) -> dict[str, Any]:
    """Formats, digests and licence.

    Returns:
        ``files``: name -> sha256; ``foreign``: files that could hold code and are not opened; ``pickles``: those that
        begin as pickles do; ``verified``: whether the tensors are those that ``student.json`` names; ``licence``,
        ``source``, ``trained_on``, ``remote_code``; ``findings``: sentences.
    """
    student, folder = subject.student, subject.student.folder
    names = _names(folder) if folder else []
    foreign = [n for n in names if not n.endswith(SAFE)]
    pickles = [n for n in foreign if folder is not None and _pickled(folder / n)]
    digests = {n: digest_file(folder / n) for n in names if folder is not None}
    verified = all(digests.get(n) == d for n, d in student.facts.files.items())
    card = student.facts.card
    remote = card.source.startswith("file:") and card.architecture.startswith("code:")
    return {
        "files": digests, "foreign": foreign, "pickles": pickles, "verified": verified, "licence": card.licence, "source": card.source,
        "trained_on": card.trained_on, "remote_code": remote, "teacher_digest": card.digest,
        "findings": _findings(foreign, pickles, verified, card.licence, remote),
    }  # fmt: skip


def _names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _pickled(path: Path) -> bool:
    """Does a file begin as a pickle or as PyTorch's archive of pickles does? It is never loaded."""
    with path.open("rb") as stream:
        head = stream.read(2)
    return head in PICKLED


def _findings(foreign: list[str], pickles: list[str], verified: bool, licence: str, remote: bool) -> list[str]:  # fmt: skip
    told = []
    if pickles:
        told.append(f"{', '.join(pickles[:4])}: pickles can run code when they are loaded; tutelage never opens them")  # fmt: skip
    rest = [n for n in foreign if n not in pickles]
    if rest:
        told.append(f"{', '.join(rest[:4])}: not a file that tutelage writes")
    if not verified:
        told.append("the tensors are not those that student.json names")
    if not licence or licence.lower() in ("unknown", "not stated"):
        told.append("the teacher's licence is not known")
    if remote:
        told.append("the network is built by a file of the user's own: its code runs when the student is loaded")  # fmt: skip
    return told
