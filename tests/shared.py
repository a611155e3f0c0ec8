"""Where the shared test material lies: beside the project, in no release of it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED: Path = Path(__file__).resolve().parents[1].parent / "shared"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the shared test data is not beside the project (../shared)"
)
