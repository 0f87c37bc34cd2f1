"""What all tests share: a clean environment, services that may be absent, and the switch that forbids their absence."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

POSTGRES = os.environ.get("DETECTOR_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# A test that asks for one of these needs the service, whether or not its author marked it.
SERVICES = {
    "postgres": frozenset({"postgres", "postgres_url", "postgres_store"}),
    "browser": frozenset({"browser", "chromium", "page"}),
}
# The tests' own variables; every other one of the family is a setting, which would change what the product does.
OURS = frozenset({"DETECTOR_TEST_POSTGRES", "DETECTOR_TEST_CHROMIUM", "DETECTOR_REQUIRE_SERVICES"})

LONG_NAME = 60  # bytes

# The same examples on every machine and no clock: HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def services_required() -> bool:
    """Whether a skipped PostgreSQL or browser test is a failure, as in CI."""
    return os.environ.get("DETECTOR_REQUIRE_SERVICES", "") not in {"", "0"}


def pytest_make_parametrize_id(val: object) -> str | None:
    """Long bytes have no part in a test's name: a gzip header holds the clock, and xdist's workers compare names."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and len(val) > LONG_NAME else None


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        wanted = set(getattr(item, "fixturenames", ()))
        for marker, fixtures in SERVICES.items():
            if wanted & fixtures and item.get_closest_marker(marker) is None:
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield
    needs = [marker for marker in SERVICES if item.get_closest_marker(marker)]
    if report.skipped and needs and services_required() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"DETECTOR_REQUIRE_SERVICES is set, but a {needs[0]} test was skipped: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("DETECTOR_") and name not in OURS:
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL database of this module's own, empty, dropped afterwards.

    Not the session's: what one module leaves behind must not reach another that happens to run on the same worker.
    """
    import psycopg

    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL at DETECTOR_TEST_POSTGRES: {str(error).splitlines()[0]}")
    name = f"detector_{uuid.uuid4().hex[:12]}"
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield POSTGRES.rsplit("/", 1)[0] + f"/{name}"
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium of this machine."""
    named = os.environ.get("DETECTOR_TEST_CHROMIUM")
    found = named if named and os.access(named, os.X_OK) else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on PATH; DETECTOR_TEST_CHROMIUM may name one")
    return found
