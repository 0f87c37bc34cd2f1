"""`detector db`: migrations, integrity, retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from detector.cli.common import Night, as_of_option, now, open_site, output_options, print_json, stop, store_options

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path


@click.group()
def db() -> None:
    """Migrate, check and purge the database."""


@db.command()
@store_options
@output_options
def upgrade(db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Bring the database to this version's schema; every other command does so by itself."""
    from detector.config import load_settings
    from detector.store import migrate
    from detector.store.engine import Store

    store = Store(load_settings(config_file, db=db).db)
    changed = migrate.upgrade(store)
    if as_json:
        print_json({"changed": changed, "revision": migrate.HEAD})
    elif not quiet:
        click.echo(f"schema {migrate.HEAD}: {'upgraded' if changed else 'nothing to do'}")


@db.command()
@store_options
@output_options
def check(db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Check that the database is whole and that its totals add up; exits 1 where they do not."""
    from detector.store.upkeep import check as examine

    site = open_site(db, config_file, create=False)
    problems = examine(site.store)
    if as_json:
        print_json({"ok": not problems, "problems": list(problems)})
    elif not quiet:
        for line in problems or ["ok: the database is whole and its totals add up"]:
            click.echo(line)
    stop(1 if problems else 0)


@db.command()
@click.option("--before", type=Night(), help="Remove raw queries of nights before this one [retention setting].")
@click.option("--windows", is_flag=True, help="Remove windows of those nights too; incidents always stay.")
@as_of_option
@store_options
@output_options
def purge(
    before: date | None,
    as_of: datetime | None,
    db: str | None,
    config_file: Path | None,
    *,
    windows: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove raw queries past their retention; incidents and the evidence pinned to them stay."""
    from datetime import timedelta

    from detector.features.scan import NightBounds
    from detector.store.upkeep import purge as remove

    site = open_site(db, config_file, create=False)
    limit = before or (now(as_of) - timedelta(days=site.settings.retention.query_nights)).date()
    bounds = NightBounds.of(limit, site.settings.night_starts)
    removed = remove(site.store, bounds.first_ts, limit.isoformat(), windows=windows)
    if as_json:
        print_json({"before": limit.isoformat(), "queries": removed.queries, "windows": removed.windows})
    elif not quiet:
        click.echo(f"before {limit}: {removed.queries:,} queries and {removed.windows:,} windows removed")
