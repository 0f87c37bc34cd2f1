from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from detector.store.engine import Store
from detector.store.migrate import upgrade
from detector.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a migrated SQLite database: copying it is faster than migrating again."""
    file = tmp_path_factory.mktemp("migrated") / "empty.db"
    store = Store(f"sqlite:///{file}")
    upgrade(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return file.read_bytes()


@pytest.fixture
def sqlite_store(tmp_path: Path, migrated_sqlite: bytes) -> Iterator[Store]:
    file = tmp_path / "detector.db"
    file.write_bytes(migrated_sqlite)
    store = Store(f"sqlite:///{file}")
    yield store
    store.close()


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    store = Store(postgres_url)
    upgrade(store)
    yield store
    names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
    with store.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty, migrated store on each database in turn."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
