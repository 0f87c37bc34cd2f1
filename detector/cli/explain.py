"""`detector explain`: why a client is, or is not, suspicious."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from detector.cli.common import Night, as_of_option, now, open_site, output_options, print_json, store_options
from detector.cli.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from detector.evidence.explanation import Explanation

_SHOWN = 12


@click.command()
@click.argument("client", metavar="CLIENT")
@click.option("--model", help="On this model only.")
@click.option("--night", type=Night(), help="Of this night only [the newest].")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write it as a page.")
@as_of_option
@store_options
@output_options
def explain(
    client: str,
    model: str | None,
    night: date | None,
    html: Path | None,
    as_of: datetime | None,
    db: str | None,
    config_file: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say why CLIENT is, or is not, suspicious: its features against its own history, its peers and the baseline."""
    from detector.evidence.explanation import explain as work

    site = open_site(db, config_file, create=False)
    with site.store.begin() as connection:
        found = work(connection, client, model, night)
    if html is not None:
        from detector.report.client_page import write_client

        write_client(html, found, site.settings, now(as_of))
    if as_json:
        print_json({"client": client, "windows": [_document(one) for one in found]})
    elif not quiet:
        for one in found:
            for line in _lines(one):
                click.echo(line)


def _document(one: Explanation) -> dict[str, Any]:
    return {
        "model": one.model,
        "night": one.night.isoformat(),
        "query_count": one.query_count,
        "baseline": one.judged_by,
        "incidents": [incident.id for incident in one.incidents],
        "findings": [
            {"rule": f.rule, "level": f.level.value, "title": f.title, "sentence": f.sentence} for f in one.findings
        ],
        "features": [
            {
                "name": m.spec.name,
                "value": m.value,
                "own_history": m.own,
                "peers_below": m.peers,
                "tail": m.tail,
                "unit": m.spec.unit,
            }
            for m in one.features
        ],
    }


def _lines(one: Explanation) -> Iterator[str]:
    yield f"{safe(one.client)} on {safe(one.model)}, night of {one.night}: {one.query_count:,} queries"
    if one.incidents:
        told = ", ".join(f"{i.id} ({i.severity} {i.technique}, {i.status})" for i in one.incidents)
        yield f"  part of {told}"
    if not one.findings:
        yield "  no rule or detector spoke of this client in this night"
    for finding in one.findings:
        yield f"  {finding.level.upper():<9}{safe(finding.title, 100)}"
        yield f"           {safe(finding.sentence, 400)}"
    yield "  what stands out most (value; own other nights; peers below; surprise under the baseline):"
    for m in one.features[:_SHOWN]:
        if m.value is None:
            continue
        own = "-" if m.own is None else f"{m.own:.4g}"
        peers = "-" if m.peers is None else f"{m.peers:.0%}"
        tail = "no baseline" if m.tail is None else f"1 in {round(10**m.tail):,}"
        yield f"    {m.spec.name:<28}{m.value:>11.4g}{own:>11}{peers:>7}   {tail:<14}{m.spec.signal}"
    silent = [m.spec.name for m in one.features if m.value is None]
    if silent:
        yield f"  what the log could not tell: {', '.join(silent)}"
