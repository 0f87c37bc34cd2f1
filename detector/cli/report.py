"""`detector report`: write reports again from what the store holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli.common import Night, as_of_option, now, open_site, output_options, print_json, store_options, warn

if TYPE_CHECKING:
    from datetime import date, datetime

    from detector.store.engine import Store


@click.command()
@click.argument("incidents", nargs=-1, metavar="[INCIDENT]...")
@click.option("--night", type=Night(), help="The reports of this night alone.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the reports.")
@click.option("--redact", is_flag=True, help="Leave out inputs and reconstructions.")
@as_of_option
@store_options
@output_options
def report(
    incidents: tuple[str, ...],
    night: date | None,
    out: Path,
    as_of: datetime | None,
    db: str | None,
    config_file: Path | None,
    *,
    redact: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write HTML reports and evidence bundles again: of INCIDENTs, of one night, or of every night that was scanned.

    What was written before stays; a page that changes is replaced whole.
    """
    from detector.custody.bundle import custodian
    from detector.report.writer import write_night

    site = open_site(db, config_file, create=False)
    ids, pairs = _asked_for(site.store, incidents, night)
    beside = custodian(site.store, site.settings)
    written = write_night(
        site.store,
        site.settings,
        out=out,
        nights=pairs,
        as_of=now(as_of),
        redact=redact,
        only=ids,
        beside=beside,
    )
    warn(beside.warnings)
    if as_json:
        found = {"index": written.index.as_posix(), "reports": written.incidents}
        print_json({**found, "warnings": list(beside.warnings)})
    elif not quiet:
        click.echo(f"{len(written.incidents)} incident reports, {len(written.nights)} nights: {written.index}")


def _asked_for(
    store: Store, incidents: tuple[str, ...], night: date | None
) -> tuple[list[str] | None, list[tuple[str, date]]]:
    """Return the ids of the incidents to write (None for all) and the model nights that they lie in.

    Raises:
        IncidentError: there is no such incident.
        NothingToReadError: nothing was scanned yet, or not in the night asked for.
    """
    from detector.errors import NothingToReadError
    from detector.store.evidence import scanned_nights
    from detector.store.incidents import get_incident

    if incidents:
        with store.begin() as connection:
            found = [get_incident(connection, one) for one in incidents]
        nights = [(one.model, day) for one in found for day in one.nights if night is None or day == night]
        return [one.id for one in found], nights
    pairs = [(row.model, row.night) for row in scanned_nights(store) if night is None or row.night == night]
    if not pairs:
        what = f"the night {night}" if night else "this database"
        raise NothingToReadError(f"nothing was scanned in {what}", expected="a night that `detector scan` judged")
    return None, pairs
