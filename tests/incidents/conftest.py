from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from detector.store.engine import Store
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER = os.environ.get("DETECTOR_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a database of this session's own, dropped afterwards."""
    url = make_url(SERVER)
    name = f"incidents_{uuid.uuid4().hex[:12]}"
    engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
    except OperationalError as error:
        engine.dispose()
        pytest.skip(f"no PostgreSQL at {url.host}:{url.port}: {str(error).splitlines()[0]}")
    yield url.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a migrated SQLite database: copying it is faster than migrating again."""
    file = tmp_path_factory.mktemp("template") / "empty.db"
    store = Store(f"sqlite:///{file}")
    upgrade(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return file.read_bytes()


@pytest.fixture
def sqlite_store(tmp_path: Path, empty_sqlite: bytes) -> Iterator[Store]:
    file = tmp_path / "detector.db"
    file.write_bytes(empty_sqlite)
    store = Store(f"sqlite:///{file}")
    yield store
    store.close()


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    store = Store(postgres_url)
    upgrade(store)
    yield store
    with store.begin() as connection:
        connection.execute(
            text('TRUNCATE incident, incident_event, finding, suppression, "window" RESTART IDENTITY CASCADE')
        )
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty, migrated store on each database in turn."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
