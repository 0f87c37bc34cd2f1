"""`detector canary`: made-up records for the training data, and who came near them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli.common import open_site, output_options, print_json, store_options
from detector.cli.terminal import safe, say
from detector.errors import UsageError

if TYPE_CHECKING:
    from detector.canary.planting import Planted


@click.group()
def canary() -> None:
    """Make records that give away who has the training data."""


@canary.command()
@click.option("--model", required=True, help="Which model.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A new Parquet file.")
@click.option("--count", type=click.IntRange(2, 5000), default=200, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another one gives other canaries.")
@click.option("--include-share", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.5,
              show_default=True, help="Chance of each to be put into the training; an audit wants 0.5.")  # fmt: skip
@store_options
@output_options
def plant(
    model: str,
    out: Path,
    count: int,
    seed: int,
    include_share: float,
    db: str | None,
    config_file: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make canaries: records that look like the model's inputs and that nobody has.

    Train with those whose `included` is true, keep the file secret, and name it in detector.toml: from then on a query
    that comes near one is a finding. A file that is there is never replaced.
    """
    from detector.canary.planting import plant as make
    from detector.canary.planting import refuse_existing, write

    refuse_existing(out)
    site = open_site(db, config_file, create=False)
    made = make(site.store, model, count, seed, include_share)
    write(made, out)
    if as_json:
        print_json(
            {
                "model": model,
                "file": out.as_posix(),
                "canaries": made.table.num_rows,
                "included": made.included,
                "schema_version": made.schema_version,
                "gap": made.gap,
                "nearest": made.nearest,
            }
        )
    elif not quiet:
        _tell(made, out)


def _tell(made: Planted, out: Path) -> None:
    say(f"{made.table.num_rows} canaries in {safe(str(out), 4096)}; included, and so to be trained on: {made.included}")
    say(
        f"the nearest to an ordinary input lies {made.nearest:.2f} of the distance between two ordinary inputs away; "
        f"those have their own nearest at {made.gap:.2f}"
    )
    say("Put the included ones into the training data, keep the file secret, and add to detector.toml:")
    say("")
    say(f"[models.{_quoted(made.model)}]")
    say(f"canaries = {_quoted(str(out.resolve()))}")


def _quoted(text: str) -> str:
    """Return a string as TOML writes it, which is as JSON does; what could steer a terminal is spelled out."""
    return safe(json.dumps(text, ensure_ascii=False), 4096)


@canary.command()
@click.option("--model", required=True, help="Which model.")
@store_options
@output_options
def check(model: str, db: str | None, config_file: Path | None, *, as_json: bool, quiet: bool) -> None:
    """List the clients that came near a canary, night by night, as the scans of the stored nights found them."""
    from detector.canary.contacts import watch

    site = open_site(db, config_file, create=False)
    with site.store.begin() as connection:
        found = watch(connection, model)
    if not found.nights:
        raise UsageError(
            f"no night of model {model!r} was scanned", expected="a night of it in the store: `detector run` scans one"
        )
    if as_json:
        contacts = [
            {"night": one.night, "client": one.client, "hits": one.hits, "query_count": one.query_count}
            for one in found.contacts
        ]
        print_json({"model": model, "nights": found.nights, "watched": found.watched, "contacts": contacts})
    elif not quiet:
        say(
            f"canaries were watched in {found.watched} of {found.nights} scanned nights; {len(found.contacts)} contacts"
        )
        for one in found.contacts:
            say(f"  {one.night}  {safe(one.client):<24} {one.hits:,} near a canary, of {one.query_count:,} queries")
