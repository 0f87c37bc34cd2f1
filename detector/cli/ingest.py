"""`detector ingest`: log files into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli.common import (
    as_of_option,
    checked_settings,
    now,
    open_site,
    output_options,
    print_json,
    stop,
    store_options,
)

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--format", "log_format", type=click.Choice(["jsonl", "csv", "parquet"]), help="The container [by content]."
)
@click.option("--mapping", type=click.Path(dir_okay=False, path_type=Path), help="YAML: where the fields lie.")
@click.option("--assume-tz", metavar="TZ", help="Zone of times that name none [such times are rejected].")
@click.option("--max-rejects", type=click.FloatRange(0, 1), help="Share of a file that may be rejected [0.01].")
@as_of_option
@store_options
@output_options
def ingest(
    paths: tuple[Path, ...],
    log_format: str | None,
    mapping: Path | None,
    assume_tz: str | None,
    max_rejects: float | None,
    as_of: datetime | None,
    db: str | None,
    config_file: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Load log files into the store: JSON Lines, CSV or Parquet, plain, gzip or zstd.

    PATH is a file, a folder or a glob. Nothing is counted twice, however files are split, renamed, rotated or repeated,
    and an interrupted load goes on where it stopped. Records that cannot be read are kept with the reason.

    Exits 0 when done, 4 when a file was damaged beyond --max-rejects (everything readable is stored), 3 when there was
    nothing to read, 2 when nothing was touched because an option, a path or the mapping is wrong.
    """
    from detector.cli.ingesting import (
        check_paths,
        damage_lines,
        early_look,
        file_lines,
        ingest_document,
        reading_options,
        watching,
    )
    from detector.errors import NothingToReadError
    from detector.exits import ExitCode
    from detector.ingest.pipeline import ingest as load

    with early_look(paths) as look:
        settings = checked_settings(db, config_file)
        options = reading_options(settings, log_format, mapping, assume_tz, now(as_of))
        check_paths(paths)
        site = open_site(db, config_file, create=True)
        with watching(quiet=quiet or as_json) as progress:
            result = load(site.store, paths, options, progress, look)
    share = settings.thresholds.max_rejects if max_rejects is None else max_rejects
    if as_json:
        print_json(ingest_document(result))
    elif not quiet:
        for line in file_lines(result):
            click.echo(line)
    for line in damage_lines(result, share):
        click.echo(line, err=True)
    if result.damaged(share):
        stop(ExitCode.DAMAGED)
    if not result.read:
        raise NothingToReadError("the files hold no query", expected="at least one record")
