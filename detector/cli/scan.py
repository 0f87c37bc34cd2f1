"""`detector scan`: judge nights that the store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from detector.cli.common import Night, as_of_option, now, open_site, output_options, print_json, stop, store_options
from detector.cli.run import LEVELS, STYLES
from detector.errors import NothingToReadError, UsageError

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from detector.exits import ExitStyle
    from detector.store.engine import Store


@click.command()
@click.option("--night", type=Night(), help="The night to judge [the newest that the store holds].")
@click.option("--since", type=Night(), help="The first night.")
@click.option("--until", type=Night(), help="The last night, included.")
@click.option("--fail-on", type=LEVELS, help="Lowest severity that changes the exit code [medium].")
@click.option("--exit-style", type=STYLES, default="detector", show_default=True, help="How exit codes are folded.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 where the code would be 11 to 14.")
@as_of_option
@store_options
@output_options
def scan(
    night: date | None,
    since: date | None,
    until: date | None,
    fail_on: str | None,
    exit_style: str,
    as_of: datetime | None,
    db: str | None,
    config_file: Path | None,
    *,
    exit_zero: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Judge nights that the store holds, without reading files; exits by severity as `run` does."""
    from detector.cli.run_views import night_document, scan_lines
    from detector.exits import ExitCode, fold
    from detector.jobs.nightly import exit_code, highest, nights_between, open_incidents, scan_nights, site_rules
    from detector.model import Severity

    if night and (since or until):
        raise UsageError("--night and --since/--until exclude each other", expected="one of them")
    site = open_site(db, config_file, create=False)
    first, last = (night, night) if night else _range(site.store, since, until)
    found = nights_between(site.store, first, last, site.settings)
    if not found:
        raise NothingToReadError(f"the store holds no query from {first} to {last}", expected="at least one query")
    scanned = scan_nights(site.store, found, site.settings, site_rules(site.settings), now(as_of))
    pairs = [(one.model, one.night) for one in scanned]
    severity, incidents = highest(site.store, pairs), open_incidents(site.store, pairs)
    code = exit_code(severity, Severity(fail_on or site.settings.alerts.fail_on), damaged=False)
    final = 0 if exit_zero and code > ExitCode.DAMAGED else fold(code, cast("ExitStyle", exit_style))
    if as_json:
        from detector.incidents.document import incident_document

        print_json(
            {
                "nights": [night_document(one) for one in scanned],
                "incidents": [incident_document(one) for one in incidents],
                "severity": severity.value if severity else None,
                "exit_code": final,
            }
        )
    elif not quiet:
        for line in scan_lines(scanned, incidents):
            click.echo(line)
    stop(final)


def _range(store: Store, since: date | None, until: date | None) -> tuple[date, date]:
    """Return the nights asked for; the ends of what the store holds stand in for what was not said."""
    from detector.store.scanning import night_range

    with store.begin() as connection:
        held = night_range(connection)
    if held is None:
        raise NothingToReadError("the store holds no query", expected="`detector ingest PATH` first")
    first, last = held
    if since is None and until is None:
        return last, last
    return since or first, until or last
