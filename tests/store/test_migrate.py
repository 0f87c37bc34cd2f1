from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from detector.errors import StoreError
from detector.store import migrate
from detector.store.engine import Store
from detector.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database without any table."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path / 'a % b ? ü.db'}")
        yield store
        store.close()
        return
    store = Store(request.getfixturevalue("postgres_url"))
    _forget_all(store)
    yield store
    _forget_all(store)
    store.close()


def _forget_all(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def _tables(store: Store) -> set[str]:
    with store.begin() as connection:
        return set(inspect(connection).get_table_names())


def _differences(store: Store) -> list[object]:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))


def test_an_empty_database_comes_to_the_tables_that_the_code_describes(empty: Store) -> None:
    assert migrate.revision(empty) is None
    assert migrate.upgrade(empty)
    assert migrate.revision(empty) == migrate.HEAD
    assert _differences(empty) == []
    assert _tables(empty) == set(metadata.tables) | {"alembic_version"}


def test_a_database_at_this_version_is_left_alone(empty: Store) -> None:
    migrate.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(metadata.tables["model_class"].insert(), {"model": "m", "code": 1, "name": "kept"})
    assert not migrate.upgrade(empty)
    with empty.begin() as connection:
        assert connection.execute(text("SELECT name FROM model_class")).scalar_one() == "kept"


def test_going_down_leaves_nothing_and_going_up_again_works(empty: Store) -> None:
    migrate.upgrade(empty)
    command.downgrade(migrate._config(empty), "base")
    assert _tables(empty) == {"alembic_version"}
    assert migrate.revision(empty) is None
    assert migrate.upgrade(empty)
    assert _differences(empty) == []


def test_a_database_of_a_newer_version_is_refused_untouched(empty: Store) -> None:
    migrate.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"at schema 9999, which this version does not know \(expected at most"):
        migrate.upgrade(empty)
    assert migrate.revision(empty) == "9999"
    assert _tables(empty) == set(metadata.tables) | {"alembic_version"}


def test_a_migration_that_fails_is_the_stores_own_error(empty: Store) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE night (something_else INTEGER)"))
    with pytest.raises(StoreError, match="could not be brought to schema"):
        migrate.upgrade(empty)
    assert migrate.revision(empty) is None


def test_the_head_named_in_the_code_is_that_of_the_migrations(tmp_path: Path) -> None:
    config = migrate._config(Store(f"sqlite:///{tmp_path / 'x.db'}"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrate.HEAD]
    assert len(list(scripts.walk_revisions())) == len({script.down_revision for script in scripts.walk_revisions()})


def test_migrating_says_nothing_to_the_log_of_the_program(empty: Store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="detector"):
        migrate.upgrade(empty)
    assert [record for record in caplog.records if record.name.startswith("alembic")] == []


def test_text_columns_compare_by_code_point(empty: Store) -> None:
    migrate.upgrade(empty)
    if empty.is_sqlite:
        return
    with empty.begin() as connection:
        others = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
                "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
            )
        ).all()
    assert others == []


def test_the_sqlalchemy_in_use_is_one_that_the_project_asks_for() -> None:
    assert tuple(int(part) for part in sqlalchemy.__version__.split(".")[:2]) >= (2, 1)
