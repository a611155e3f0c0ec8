"""Fixtures that all rings share: an own cache for the tests, the embedded teacher, real images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests never touch the user's cache; they share one of their own."""
    root = tmp_path_factory.mktemp("cache")
    os.environ["TUTELAGE_CACHE"] = str(root)
    return root


@pytest.fixture(scope="module")
def empty_cache(own_cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """For a module that counts what is computed: a cache that no other test has filled."""
    root = tmp_path_factory.mktemp("empty-cache")
    os.environ["TUTELAGE_CACHE"] = str(root)
    yield root
    os.environ["TUTELAGE_CACHE"] = str(own_cache)


@pytest.fixture(scope="session")
def lite0(own_cache: Path):
    from tutelage.teachers import load_teacher

    return load_teacher()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where the shared test data is beside the project, a skipped test is a failure."""
    from shared import SHARED

    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if SHARED.is_dir() and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line(
            "a test was skipped although ../shared is there: that counts as a failure", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
