"""Copying SQLite's log back into the database beside the writer, who would otherwise wait for it."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from detector.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detector.store.engine import Store

# Bytes of rows after which a copy is worth its while.
WORTH_A_COPY = 1 << 25


@contextmanager
def checkpoints(store: Store) -> Iterator[Callable[[int], None]]:
    """Yield what the writer tells after each commit how many bytes of rows it wrote; a thread then copies when due.

    A copy waits for nobody and nobody waits for it (SQLite's passive checkpoint). The writer's own limit on the log
    stays in force and finds little left to do. On PostgreSQL there is nothing to copy.
    """
    if not store.is_sqlite:
        yield lambda _: None
        return
    copier = _Copier(store)
    try:
        yield copier.written
    finally:
        copier.end()


class _Copier:
    """The thread, begun with the first copy, and what was written since the last one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due = threading.Event()
        self._ending = False
        self._uncopied = 0
        self._thread: threading.Thread | None = None

    def written(self, size: int) -> None:
        self._uncopied += size
        if self._uncopied < WORTH_A_COPY:
            return
        self._uncopied = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._copy, name="checkpoint", daemon=True)
            self._thread.start()
        self._due.set()

    def end(self) -> None:
        self._ending = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _copy(self) -> None:
        import adbc_driver_manager

        # Whatever keeps a copy from being made meets the writer too, who tells of it.
        with suppress(adbc_driver_manager.Error, StoreError), self._store.bulk() as connection:
            connection.adbc_connection.set_autocommit(True)
            with connection.cursor() as cursor:
                while self._due.wait() and not self._ending:
                    self._due.clear()
                    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
                    cursor.fetchall()
