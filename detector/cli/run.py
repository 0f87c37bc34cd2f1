"""`detector run`: the nightly job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from detector.cli.common import (
    Night,
    as_of_option,
    checked_settings,
    now,
    open_site,
    output_options,
    print_json,
    stop,
    store_options,
    warn,
)

if TYPE_CHECKING:
    from datetime import date, datetime

    from detector.exits import ExitStyle
    from detector.jobs.nightly import RunOutcome

LEVELS = click.Choice(["low", "medium", "high", "critical"])
STYLES = click.Choice(["detector", "plain", "nagios"])


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="reports", show_default=True,
              help="Folder of the HTML reports.")  # fmt: skip
@click.option("--night", type=Night(), help="Handle this night alone; all that the files hold is stored.")
@click.option("--format", "log_format", type=click.Choice(["jsonl", "csv", "parquet"]), help="Container [by content].")
@click.option("--mapping", type=click.Path(dir_okay=False, path_type=Path), help="YAML: where the fields lie.")
@click.option("--assume-tz", metavar="TZ", help="Zone of times that name none [such times are rejected].")
@click.option("--max-rejects", type=click.FloatRange(0, 1), help="Share of a file that may be rejected [0.01].")
@click.option("--fail-on", type=LEVELS, help="Lowest severity that changes the exit code [medium].")
@click.option("--exit-style", type=STYLES, default="detector", show_default=True, help="How exit codes are folded.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 where the code would be 11 to 14.")
@as_of_option
@store_options
@output_options
def run(
    paths: tuple[Path, ...],
    out: Path,
    night: date | None,
    log_format: str | None,
    mapping: Path | None,
    assume_tz: str | None,
    max_rejects: float | None,
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
    """Do the nightly job: load PATHs, judge every night that they touch, write reports, exit by severity.

    PATH is a file, a folder or a glob. Run again after any interruption: nothing is counted twice, and the exit code is
    that of an undisturbed run.
    """
    from detector.cli.ingesting import check_paths, early_look, reading_options, watching
    from detector.jobs.nightly import RunOptions
    from detector.jobs.nightly import run as work
    from detector.model import Severity

    moment = now(as_of)
    with early_look(paths) as look:
        # What is wrong with the command line is told before anything is touched, and before there is nothing to read.
        reading = reading_options(checked_settings(db, config_file), log_format, mapping, assume_tz, moment)
        check_paths(paths)
        site = open_site(db, config_file, create=True)
        options = RunOptions(
            out=out,
            night=night,
            max_rejects=site.settings.thresholds.max_rejects if max_rejects is None else max_rejects,
            fail_on=Severity(fail_on or site.settings.alerts.fail_on),
            as_of=moment,
        )
        with watching(quiet=quiet or as_json) as progress:
            outcome = work(site.store, paths, site.settings, reading, options, progress, look=look)
    code = _final(outcome, exit_style, exit_zero=exit_zero)
    _tell(outcome, options.max_rejects, code, as_json=as_json, quiet=quiet)
    stop(code)


def _final(outcome: RunOutcome, exit_style: str, *, exit_zero: bool) -> int:
    from detector.exits import ExitCode, fold

    found = outcome.code in {ExitCode.LOW, ExitCode.MEDIUM, ExitCode.HIGH, ExitCode.CRITICAL}
    return 0 if exit_zero and found else fold(outcome.code, cast("ExitStyle", exit_style))


def _tell(outcome: RunOutcome, max_rejects: float, code: int, *, as_json: bool, quiet: bool) -> None:
    from detector.cli.ingesting import damage_lines, ingest_document
    from detector.cli.run_views import run_document, run_lines

    for line in damage_lines(outcome.ingested, max_rejects):
        click.echo(line, err=True)
    warn(outcome.warnings)
    if as_json:
        print_json({"ingest": ingest_document(outcome.ingested), **run_document(outcome), "exit_code": code})
    elif not quiet:
        for line in run_lines(outcome, code):
            click.echo(line)
