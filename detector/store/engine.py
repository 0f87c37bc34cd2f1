"""Opening the store: one database, two lanes (SQLAlchemy for statements, ADBC for bulk rows)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from detector.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adbc_driver_manager.dbapi import Connection as BulkConnection
    from sqlalchemy import Connection

_SQLITE_PRAGMAS = (
    # Only a new file takes it: rows of half a kilobyte sit better in larger pages, and reach the log in fewer pieces.
    "PRAGMA page_size=16384",
    "PRAGMA journal_mode=WAL",
    # Safe against a killed process; a power cut may lose the last commit but never tears the file.
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=60000",
    "PRAGMA cache_size=-131072",
)


@dataclass(frozen=True)
class Store:
    """A database by URL; cheap to make, connects when used.

    Attributes:
        url: `sqlite:///FILE` or `postgresql://...`, as the user wrote it.
    """

    url: str

    @cached_property
    def parsed(self) -> URL:
        """The URL in parts.

        Raises:
            UsageError: it is not a URL, or names another kind of database.
        """
        try:
            url = make_url(self.url)
        except ArgumentError as error:
            raise UsageError(
                "the database URL cannot be read", expected="sqlite:///FILE or postgresql://..."
            ) from error
        if url.get_backend_name() not in {"sqlite", "postgresql"}:
            raise UsageError(
                f"databases of kind {url.get_backend_name()!r} are not supported",
                expected="sqlite:///FILE or postgresql://...",
            )
        if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
            raise UsageError("an in-memory database would forget the night", expected="sqlite:///FILE")
        return url

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded default."""
        return self.parsed.get_backend_name() == "sqlite"

    @property
    def exists(self) -> bool:
        """Whether there is something to open: PostgreSQL always counts as there."""
        return not self.is_sqlite or Path(self.parsed.database or "").is_file()

    @cached_property
    def engine(self) -> Engine:
        """The SQLAlchemy engine."""
        url = self.parsed if self.is_sqlite else self.parsed.set(drivername="postgresql+psycopg")
        try:
            # The two lanes are two copies of SQLite in one process, and closing a file in one of them drops the locks
            # that the other holds: no statement connection may idle in a pool while the bulk lane works.
            engine = create_engine(url, poolclass=NullPool) if self.is_sqlite else create_engine(url)
        except (NoSuchModuleError, SQLAlchemyError) as error:
            raise StoreError(f"cannot open the database: {error}") from error
        if self.is_sqlite:
            event.listen(engine, "connect", _set_pragmas)
        return engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Yield a connection in one transaction: committed at the end, rolled back on any error.

        Raises:
            StoreError: the database cannot be reached or refuses a statement.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"the database refused: {_first_line(error)}") from error

    @contextmanager
    def bulk(self) -> Iterator[BulkConnection]:
        """Yield an ADBC connection; the caller commits.

        Raises:
            StoreError: the database cannot be reached.
        """
        import adbc_driver_manager

        try:
            connection = self._connect_bulk()
        except adbc_driver_manager.Error as error:
            raise StoreError(f"cannot open the database: {_first_line(error)}") from error
        try:
            yield connection
        finally:
            connection.close()

    def _connect_bulk(self) -> BulkConnection:
        if self.is_sqlite:
            from adbc_driver_sqlite import dbapi as sqlite

            # The driver takes a path or a URI; a path with % or ? in it must stay a path.
            path = str(Path(self.parsed.database or "").absolute())
            connection: BulkConnection = sqlite.connect(path)
            # Pragmas want to stand outside a transaction; opened with autocommit, commit() would do nothing for good.
            connection.adbc_connection.set_autocommit(True)
            with connection.cursor() as cursor:
                for pragma in _SQLITE_PRAGMAS:
                    cursor.execute(pragma)
            connection.adbc_connection.set_autocommit(False)
            return connection
        from adbc_driver_postgresql import dbapi as postgresql

        url = self.parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        bulk: BulkConnection = postgresql.connect(url)
        return bulk

    def close(self) -> None:
        """Let go of pooled connections."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def _set_pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
