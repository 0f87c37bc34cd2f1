"""Rows of the table `query` for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from detector.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detector.store.engine import Store

HOSTILE_TEXTS = (
    "'; DROP TABLE query; --", 'a"b', "$1", "?", "%s", "\\x41", "ünï", "日本", "😀", "é", "e\u0301", " ", "A", "a",
    "x'41'", "a\nb", "m" * 3000,
)  # fmt: skip


def query(number: int, **columns: Any) -> dict[str, Any]:
    """Return a row with nothing that may be null."""
    return {
        "file_id": 1, "line": number, "row_index": 0, "ts": 1_000_000 * number, "key_hi": number, "key_lo": number,
        "occurrence": 0, "client_id": "alice", "model": "m", "operation": "predict", "input_kind": 0,
        "probability_kind": 0, "flags": 0,
    } | columns  # fmt: skip


def add(store: Store, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store queries; those that name different columns apart."""
    with store.begin() as connection:
        for row in rows:
            connection.execute(insert(t.query), dict(row))


def add_many(store: Store, rows: list[dict[str, Any]]) -> None:
    """Store queries that all name the same columns."""
    with store.begin() as connection:
        connection.execute(insert(t.query), rows)
