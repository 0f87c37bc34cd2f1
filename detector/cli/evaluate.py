"""`detector evaluate`: measure on labelled logs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.cli.common import (
    as_of_option,
    checked_settings,
    note,
    now,
    open_site,
    output_options,
    print_json,
    store_options,
)
from detector.cli.run import LEVELS
from detector.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from detector.evaluate.labels import Labels
    from detector.evaluate.replay import Tell
    from detector.evaluate.results import Evaluation
    from detector.evaluate.service import EvaluateOptions

    Reading = tuple[str | None, Path | None, str | None]


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--labels", "labels_file", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="CSV with the truth, a row a client and model.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to write evaluation.html to.")
@click.option("--fail-on", type=LEVELS, help="Lowest severity that counts as an alarm [medium].")
@click.option("--prefix", "prefixes", type=click.IntRange(1), multiple=True,
              help="Attack queries to replay; repeat it [250, 500, 1000, 2000, 4000].")  # fmt: skip
@click.option("--no-replay", is_flag=True, help="Do not measure queries until detection, which takes longest.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the intervals' resampling.")
@click.option("--format", "log_format", type=click.Choice(["jsonl", "csv", "parquet"]), help="Container [by content].")
@click.option("--mapping", type=click.Path(dir_okay=False, path_type=Path), help="YAML: where the fields lie.")
@click.option("--assume-tz", metavar="TZ", help="Zone of times that name none [such times are rejected].")
@as_of_option
@store_options
@output_options
def evaluate(
    paths: tuple[Path, ...],
    labels_file: Path,
    out: Path | None,
    fail_on: str | None,
    prefixes: tuple[int, ...],
    seed: int,
    log_format: str | None,
    mapping: Path | None,
    assume_tz: str | None,
    as_of: datetime | None,
    db: str | None,
    config_file: Path | None,
    *,
    no_replay: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure on labelled logs: what is found, what alarms for nothing, how early, how sure that is.

    With PATHs (files, folders, globs), their nights are judged as the nightly job does, in a database that is thrown
    away; without, the incidents in the database of earlier runs are measured. Neither changes anything.
    """
    if paths and db:
        raise UsageError("PATH and --db exclude each other", expected="files to judge, or a database of judged nights")
    if prefixes and no_replay:
        raise UsageError("--prefix and --no-replay exclude each other", expected="one of them")
    from detector.evaluate.labels import read_labels

    settings = checked_settings(db, config_file)
    labels = read_labels(labels_file)
    # What judges nights takes a second to load: only now, when the labels are known to be of use.
    from detector.evaluate.service import PREFIXES, EvaluateOptions
    from detector.model import Severity

    options = EvaluateOptions(
        as_of=now(as_of),
        fail_on=Severity(fail_on or settings.alerts.fail_on),
        seed=seed,
        prefixes=() if no_replay else prefixes or PREFIXES,
    )
    silent = quiet or as_json
    if paths:
        found = _of_files(paths, config_file, labels, options, (log_format, mapping, assume_tz), silent=silent)
    else:
        found = _of_store(db, config_file, labels, options, silent=silent)
    _tell(found, out, options, as_json=as_json, quiet=quiet)


def _of_files(
    paths: tuple[Path, ...],
    config_file: Path | None,
    labels: Labels,
    options: EvaluateOptions,
    how: Reading,
    *,
    silent: bool,
) -> Evaluation:
    from detector.cli.ingesting import check_paths, reading_options, watching
    from detector.evaluate.service import evaluate as measure
    from detector.evaluate.service import scanned_files

    settings = checked_settings(None, config_file)
    reading = reading_options(settings, *how, options.as_of)
    check_paths(paths)
    tell = _teller(silent=silent)
    with (
        watching(quiet=silent) as progress,
        scanned_files(paths, settings, reading, options.as_of, progress, tell) as (store, own),
    ):
        return measure(store, labels, own, options, tell)


def _of_store(
    db: str | None, config_file: Path | None, labels: Labels, options: EvaluateOptions, *, silent: bool
) -> Evaluation:
    from detector.evaluate.service import evaluate as measure

    site = open_site(db, config_file, create=False)
    return measure(site.store, labels, site.settings, options, _teller(silent=silent))


def _teller(*, silent: bool) -> Tell | None:
    """Return what tells on stderr how far the work is; None where stderr is no terminal, or nobody wants to see it."""
    return None if silent or not sys.stderr.isatty() else note


def _tell(found: Evaluation, out: Path | None, options: EvaluateOptions, *, as_json: bool, quiet: bool) -> None:
    page = None
    if out is not None:
        from detector.evaluate.page import write_evaluation

        page = write_evaluation(found, out, options.as_of)
    if as_json:
        from detector.evaluate.document import evaluation_document

        print_json(evaluation_document(found))
    elif not quiet:
        from detector.cli.evaluate_views import evaluation_tables

        evaluation_tables(found)
        if page is not None:
            click.echo(f"page: {page}")
