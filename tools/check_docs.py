"""Documentation that cannot lie by neglect: commands exist, links lead somewhere, words are in the glossary.

Part of `make check`: every `tutelage VERB --flag` in README and docs is a verb and a flag of the command
line; every relative link leads to a file; every file of `src/` that the README's tree names exists.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]


def commands(text: str) -> list[str]:
    """Lines of shell blocks that call tutelage."""
    return [line.split("#")[0] for line in text.splitlines() if re.match(r"\s*tutelage ", line)]


def problems_of(path: Path, verbs: dict[str, click.Command]) -> list[str]:
    """What is wrong in one document."""
    text = path.read_text(encoding="utf-8")
    found = []
    for line in commands(text):
        words = line.split()
        if words[1].startswith("-"):
            continue
        if words[1] not in verbs:
            found.append(f"{path.name}: no verb {words[1]!r}")
            continue
        known = {flag for p in verbs[words[1]].params for flag in (*p.opts, *p.secondary_opts)}
        found += [
            f"{path.name}: {words[1]} has no {w}"
            for w in words
            if w.startswith("--") and w.split("=")[0] not in known
        ]
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        if not (path.parent / target).exists():
            found.append(f"{path.name}: link to {target} leads nowhere")
    return found


def tree_problems(readme: str) -> list[str]:
    """Files that the README's tree names and that are not there."""
    named = re.findall(r"^ {0,8}((?:src/tutelage/)?[\w/]+\.py)\b", readme, re.MULTILINE)
    return [f"README.md: {name} does not exist" for name in named if not list(ROOT.rglob(name))]


def main() -> int:
    """Print every problem; 1 if there is one."""
    from tutelage.cli import cli

    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [p for path in documents for p in problems_of(path, cli.commands)]
    found += tree_problems((ROOT / "README.md").read_text(encoding="utf-8"))
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
