"""Benches for the tests of ingest, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from ingest_making import Bench

from detector.store.engine import Store
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POSTGRES = os.environ.get("DETECTOR_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "store.db"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    store.close()
    return path


@pytest.fixture
def bench(tmp_path: Path, blank: Path) -> Iterator[Bench]:
    store = Store(f"sqlite:///{shutil.copy(blank, tmp_path / 'store.db')}")
    (tmp_path / "logs").mkdir()
    yield Bench(store, tmp_path / "logs")
    store.close()


@pytest.fixture
def new_bench(tmp_path: Path, blank: Path) -> Iterator[Callable[[], Bench]]:
    """Make as many empty stores as a test compares."""
    made: list[Bench] = []

    def make() -> Bench:
        folder = tmp_path / f"bench{len(made)}"
        folder.mkdir()
        made.append(Bench(Store(f"sqlite:///{shutil.copy(blank, folder / 'store.db')}"), folder))
        return made[-1]

    yield make
    for bench in made:
        bench.store.close()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Bench]:
    """A store in a database of its own."""
    name = f"detector_{uuid.uuid4().hex[:12]}"
    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL at DETECTOR_TEST_POSTGRES: {str(error).splitlines()[0]}")
    with admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        store = Store(POSTGRES.rsplit("/", 1)[0] + f"/{name}")
        folder = tmp_path / "pg"
        folder.mkdir()
        try:
            yield Bench(store, folder)
        finally:
            store.close()
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    admin.close()
