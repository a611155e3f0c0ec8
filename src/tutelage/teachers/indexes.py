"""Where Python packages come from on this machine: the indexes that pip and uv are told to use."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator
from pathlib import Path

PUBLIC = "https://pypi.org/simple"
"""The index that holds where nobody names another."""

MAIN = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
EXTRA = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")


def indexes() -> list[str]:
    """Addresses of the simple indexes (PEP 503), in the order in which they are asked.

    The environment's (uv's before pip's), then those of pip's own files; the extra ones follow. An index may be
    a ``file://`` address.

    Example:
        >>> indexes()  # doctest: +SKIP
        ['https://pypi.org/simple']
    """
    files = list(_options())
    main = [os.environ.get(name, "") for name in MAIN] + [f.get("index-url", "") for f in files]
    extra = [os.environ.get(name, "") for name in EXTRA] + [f.get("extra-index-url", "") for f in files]  # fmt: skip
    first = next((url for url in main if url.strip()), PUBLIC)
    named = [first.strip(), *(word.rpartition("=")[2] if word.partition("=")[0].isidentifier() else word for text in extra for word in text.split())]  # fmt: skip
    return list(dict.fromkeys(url.rstrip("/") for url in named if url))


def _options() -> Iterator[dict[str, str]]:
    """The options of each of pip's configuration files, the most particular file first."""
    for path in _files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself says what is wrong with it
        sections = [section for section in ("download", "install", "global") if parser.has_section(section)]  # fmt: skip
        merged: dict[str, str] = {}
        for section in reversed(sections):
            merged |= dict(parser.items(section))
        yield {key.replace("_", "-"): value.strip("'\"") for key, value in merged.items()}


def _files() -> list[Path]:
    given = os.environ.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return []
    home, config = Path.home(), os.environ.get("XDG_CONFIG_HOME")
    places = [
        Path(given) if given else None, Path(sys.prefix) / "pip.conf",
        (Path(config) if config else home / ".config") / "pip" / "pip.conf", home / ".pip" / "pip.conf",
        Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"),
    ]  # fmt: skip
    return [place for place in places if place is not None and place.is_file()]
