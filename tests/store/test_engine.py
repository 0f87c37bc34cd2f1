from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from detector.errors import StoreError, UsageError
from detector.store.engine import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "cannot be read"),
        ("detector.db", "cannot be read"),
        ("://", "cannot be read"),
        ("mysql://localhost/x", "kind 'mysql' are not supported"),
        ("duckdb:///x.db", "kind 'duckdb' are not supported"),
        ("sqlite://", "forget the night"),
        ("sqlite:///:memory:", "forget the night"),
    ],
)
def test_a_database_that_cannot_be_is_a_mistake_in_usage(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _ = Store(url).parsed
    with pytest.raises(UsageError):
        _ = Store(url).engine


def test_a_file_is_there_once_something_was_written(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'x.db'}")
    assert store.is_sqlite
    assert not store.exists
    with store.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    assert store.exists
    store.close()


def test_postgresql_always_counts_as_there() -> None:
    store = Store("postgresql://nobody@localhost/x")
    assert not store.is_sqlite
    assert store.exists


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "ü.db", "a#b.db", "x'y.db"])
def test_both_lanes_reach_the_same_file_whatever_its_name(tmp_path: Path, name: str) -> None:
    # In a URL a question mark begins the options and a percent sign a code.
    escaped = name.replace("%", "%25").replace("?", "%3F") if "?" in name else name
    store = Store(f"sqlite:///{tmp_path / escaped}")
    with store.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
        connection.execute(text("INSERT INTO t VALUES (7)"))
    with store.bulk() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT a FROM t")
        assert cursor.fetchall() == [(7,)]
    assert len(list(tmp_path.glob("*.db"))) == 1
    store.close()


def test_a_transaction_is_kept_or_lost_as_a_whole(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(text("INSERT INTO model_class VALUES ('m', 1, 'kept')"))
    rows = [{"code": 2, "name": "lost"}, {"code": 1, "name": "there already"}]
    with pytest.raises(StoreError, match="the database refused"), store.begin() as connection:
        connection.execute(text("INSERT INTO model_class VALUES ('m', :code, :name)"), rows)
    with store.begin() as connection:
        assert [row.name for row in connection.execute(text("SELECT name FROM model_class"))] == ["kept"]


def test_a_statement_that_the_database_refuses_is_the_stores_own_error(store: Store) -> None:
    with pytest.raises(StoreError, match="the database refused") as caught, store.begin() as connection:
        connection.execute(text("SELECT something FROM nowhere"))
    assert "\n" not in str(caught.value)


def test_foreign_keys_hold_in_both_lanes(sqlite_store: Store) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"), sqlite_store.begin() as connection:
        connection.execute(text("INSERT INTO evidence_item VALUES ('no such incident', 1, 'captured', '{}')"))
    with sqlite_store.bulk() as connection, connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys")
        assert cursor.fetchall() == [(1,)]
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchall() == [("wal",)]


def test_the_bulk_lane_commits_only_what_it_is_told_to(store: Store) -> None:
    for number, is_kept in ((1, True), (2, False)):
        with store.bulk() as connection, connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO model_class VALUES ('m', {number}, 'x')")
            if is_kept:
                connection.commit()
    with store.begin() as connection:
        assert connection.execute(text("SELECT code FROM model_class")).scalars().all() == [1]


def test_a_server_that_is_not_there_is_the_stores_own_error() -> None:
    store = Store("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreError, match="the database refused"), store.begin():
        pass
    with pytest.raises(StoreError, match="cannot open the database"), store.bulk():
        pass


def test_a_file_that_is_no_database_is_the_stores_own_error(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    file.write_bytes(b"this is no database, but it is long enough to be asked whether it is one" * 20)
    store = Store(f"sqlite:///{file}")
    with pytest.raises(StoreError), store.begin() as connection:
        connection.execute(text("SELECT 1"))
    store.close()


def test_a_folder_that_is_not_there_is_the_stores_own_error(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'no' / 'x.db'}")
    with pytest.raises(StoreError), store.begin():
        pass
    with pytest.raises(StoreError), store.bulk():
        pass


def test_a_password_does_not_show_in_errors() -> None:
    store = Store("postgresql://nobody:s3cret@127.0.0.1:1/nothing")
    for lane in (store.begin, store.bulk):
        with pytest.raises(StoreError) as caught, lane():
            pass
        assert "s3cret" not in str(caught.value)
