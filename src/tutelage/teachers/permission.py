"""Permission to run a file of code: somebody named it on this machine.

Naming ``FILE.py`` to a verb is the permission to run it. A run's ``args.json`` names it again, for ``compare``, ``harden``,
``view`` and ``--resume``; but a run's folder may come from somebody else. So the content of each file that was named here is
remembered, and of a folder's names only these are followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tutelage.errors import ArtefactError, UsageError
from tutelage.files import cache_root, digest_file, read_json, write_json

FILE = "code.json"


def code_of(*named: str | None) -> Iterator[Path]:
    """The files of code among names, several of them with commas between."""
    for name in ",".join(filter(None, named)).split(","):
        file, _, function = name.strip().rpartition(":")
        path = file if file.endswith(".py") else function
        if path.endswith(".py"):
            yield Path(path)


def remember(*named: str | None) -> None:
    """These were named by the user."""
    digests = {digest_file(path) for path in code_of(*named) if path.is_file()}
    if digests and not digests <= (known := _known()):
        write_json(cache_root() / FILE, {"schema": 1, "sha256": sorted(digests | known)})


def require_named(*named: str | None) -> None:
    """Refuse code that a run's folder names and nobody named here before.

    Raises:
        UsageError: there is such.
    """
    for path in code_of(*named):
        if not path.is_file() or digest_file(path) not in _known():
            raise UsageError(
                "unknown-code", given=f"a run that is of a network built by {path}, which was not named on this machine as it is now",
                expected="code that somebody here has allowed to run", next=f"Read it; to allow it type: tutelage advise DATA --teacher {path}:build",
            )  # fmt: skip


def _known() -> set[str]:
    try:
        return set(read_json(cache_root() / FILE)["sha256"])
    except (OSError, ArtefactError, KeyError, TypeError):
        return set()
