"""What every command shares: options, settings, the opened store, and one way to print JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from detector.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from detector.config import Settings
    from detector.store.engine import Store

    Command = Callable[..., Any]


def store_options(command: Command) -> Command:
    """Add --db and --config."""
    command = click.option(
        "--config", "config_file", type=click.Path(dir_okay=False, path_type=Path), help="Settings [detector.toml]."
    )(command)
    return click.option("--db", metavar="URL", help="Database [sqlite:///detector.db]; PostgreSQL by URL.")(command)


def output_options(command: Command) -> Command:
    """Add --json and --quiet."""
    command = click.option("--quiet", is_flag=True, help="Print nothing but errors.")(command)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(command)


class Moment(click.ParamType[datetime]):
    """A time with a zone; a time without one is an error, because it would mean another moment elsewhere."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401
        """Return the time in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO-8601 time", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone; add Z or an offset", param, ctx)
        return moment.astimezone(UTC)


class Night(click.ParamType[date]):
    """A date."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:  # noqa: ANN401
        """Return the date."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date like 2026-11-13", param, ctx)


def as_of_option(command: Command) -> Command:
    """Add --as-of."""
    return click.option(
        "--as-of", type=Moment(), help="Take this as the present time, so that a run can be repeated byte for byte."
    )(command)


@dataclass(frozen=True)
class Site:
    """The settings and the store that a command works with."""

    settings: Settings
    store: Store


def checked_settings(db: str | None, config_file: Path | None) -> Settings:
    """Load the settings and look at the database's URL, without touching either.

    Raises:
        ConfigError: the configuration cannot be used.
        UsageError: the database URL cannot be.
    """
    from detector.config import load_settings
    from detector.store.engine import Store

    settings = load_settings(config_file, db=db)
    _ = Store(settings.db).parsed
    return settings


def open_site(db: str | None, config_file: Path | None, *, create: bool) -> Site:
    """Load the settings and open the store at this version's schema.

    Args:
        db: --db as given.
        config_file: --config as given.
        create: whether a missing database is made (commands that write) or an error (commands that read).

    Raises:
        ConfigError: the configuration cannot be used.
        UsageError: there is no database to read.
        StoreError: the database cannot be opened or brought to this version's schema.
    """
    from detector.store.engine import Store
    from detector.store.migrate import upgrade

    settings = checked_settings(db, config_file)
    store = Store(settings.db)
    if not create and not store.exists:
        raise UsageError(
            f"there is no database at {settings.db}",
            expected="one that `detector run PATH` or `detector ingest PATH` made",
        )
    click.get_current_context().call_on_close(store.close)
    upgrade(store)
    return Site(settings, store)


def now(as_of: datetime | None) -> datetime:
    """Return the time that results carry: --as-of, or the clock's."""
    return as_of or datetime.now(UTC)


def print_json(document: object) -> None:
    """Print one JSON document: keys sorted, nothing that could steer a terminal."""
    click.echo(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, default=str))


def note(message: str) -> None:
    """Tell something on stderr."""
    click.echo(message, err=True)


def warn(told: Iterable[str]) -> None:
    """Tell on stderr what is missing although the work was done, a line each."""
    from detector.cli.terminal import safe

    for one in told:
        note(f"warning: {safe(one, 1000)}")


def stop(code: int) -> None:
    """End the process with `code`."""
    sys.stdout.flush()
    raise SystemExit(code)
