"""A folder with one sub-folder per class, below ``train``, ``val`` and ``test`` if those are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.data import complaints
from tutelage.data.example import Example, Finding, Part, natural
from tutelage.modality import Modality

PARTS: dict[str, Part] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"}


@dataclass
class Found:
    """What a source gave so far; becomes a Dataset."""

    examples: list[Example] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def open_folder(root: Path, modality: Modality) -> Found:
    """Every file of the modality, labelled by the folder that it lies in (at any depth).

    Raises:
        DataError: nothing in there, or files without class folders.
    """
    found = Found()
    folders, loose = _children(root, found)
    split = _parts_of([f.name for f in folders])
    for folder in folders:
        if split and folder.name in split:
            _open_part(root, folder, split[folder.name], modality, found)
        elif split:
            found.ignored.append(folder.relative_to(root).as_posix() + "/")
        else:
            _open_class(root, folder, None, modality, found)
    mine = [path for path in loose if modality.sniff(path)]
    found.ignored += [path.relative_to(root).as_posix() for path in loose]
    if not found.examples and mine:
        raise complaints.no_labels(str(root), len(mine))
    if not found.examples:
        raise complaints.empty(str(root), found.ignored)
    return found


def _parts_of(names: list[str]) -> dict[str, Part] | None:
    """Folder name -> part, if these are parts and not classes (``train`` beside ``car`` is a class)."""
    parts = {name: PARTS[name.lower()] for name in names if name.lower() in PARTS}
    several = len(set(parts.values())) > 1 or len(parts) == len(names)
    return parts if "train" in parts.values() and several else None


def _open_part(root: Path, folder: Path, part: Part, modality: Modality, found: Found) -> None:
    folders, loose = _children(folder, found, root)
    if not folders and any(modality.sniff(path) for path in loose):
        raise complaints.no_labels(str(folder), len(loose))
    found.ignored += [path.relative_to(root).as_posix() for path in loose]
    for child in folders:
        _open_class(root, child, part, modality, found)


def _open_class(
    root: Path, folder: Path, part: Part | None, modality: Modality, found: Found
) -> None:
    before = len(found.examples)
    for path in walk(folder, root, found.ignored):
        name = path.relative_to(root).as_posix()
        if modality.sniff(path):
            found.examples.append(Example(name, path, folder.name, part))
        else:
            found.ignored.append(name)
    if len(found.examples) == before:
        where = folder.relative_to(root).as_posix() + "/"
        remedy = (
            "No file of this kind of data is in it, so it is not a class; fill it or remove it."
        )
        found.findings.append(Finding("empty-class", "warning", (where,), remedy))


def _children(
    folder: Path, found: Found, root: Path | None = None
) -> tuple[list[Path], list[Path]]:
    """Sub-folders and files, in natural order; hidden ones are noted as ignored."""
    folders: list[Path] = []
    files: list[Path] = []
    for entry in sorted(folder.iterdir(), key=lambda p: natural(p.name)):
        if is_hidden(entry.name):
            found.ignored.append(entry.relative_to(root or folder).as_posix())
        else:
            (folders if entry.is_dir() else files).append(entry)
    return folders, files


def walk(top: Path, root: Path, ignored: list[str]) -> Iterator[Path]:
    """Files below ``top`` at any depth, in natural order; hidden ones go to ``ignored``."""
    for folder, folders, files in os.walk(top):
        here = Path(folder)
        hidden = [name for name in (*folders, *files) if is_hidden(name)]
        ignored += [(here / name).relative_to(root).as_posix() for name in hidden]
        folders[:] = sorted((name for name in folders if not is_hidden(name)), key=natural)
        for name in sorted(files, key=natural):
            if not is_hidden(name):
                yield here / name


def is_hidden(name: str) -> bool:
    """Files and folders that systems leave behind."""
    return name.startswith(".") or name.lower() in _SYSTEM
