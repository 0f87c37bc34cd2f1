"""What `ingest` and `run` share: checked options, a progress bar, the contract's JSON, what is told of damage."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from detector.cli.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from detector.config import Settings
    from detector.ingest.contents import Looking
    from detector.ingest.options import FileResult, IngestOptions, IngestResult, Progress

_PATH_WIDTH = 200


def check_paths(paths: Sequence[Path]) -> None:
    """Find out whether there is something to read, before anything is touched.

    Raises:
        UsageError: a path names nothing readable.
        NothingToReadError: there is no log file behind the paths.
    """
    from detector.ingest.sources import find_files

    find_files(paths)


@contextmanager
def early_look(paths: Sequence[Path]) -> Iterator[Looking | None]:
    """Hash the first file in a thread while the caller opens the store; None for no file, of which others tell."""
    from detector.errors import IngestError, UsageError
    from detector.ingest.contents import Looking
    from detector.ingest.sources import find_files

    try:
        first = find_files(paths)[0].path
    except (IngestError, UsageError):
        yield None
        return
    with Looking(first) as look:
        yield look


def reading_options(
    settings: Settings, log_format: str | None, mapping: Path | None, assume_tz: str | None, as_of: datetime
) -> IngestOptions:
    """Return how to read log files, from the command line's words.

    Raises:
        ConfigError: the mapping file cannot be used.
        UsageError: there is no such time zone.
    """
    from detector.ingest.mapping import load_mapping
    from detector.ingest.options import IngestOptions, LogFormat
    from detector.ingest.zones import check_zone

    check_zone(assume_tz)
    return IngestOptions(
        format=LogFormat(log_format) if log_format else None,
        mapping=load_mapping(mapping) if mapping else None,
        assume_tz=assume_tz,
        night_starts=settings.night_starts,
        as_of=as_of,
    )


@contextmanager
def watching(*, quiet: bool) -> Iterator[Progress | None]:
    """Yield what shows progress on stderr; None where stderr is no terminal, or nobody wants to see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        tasks: dict[Path, Any] = {}

        def report(path: Path, done: int, size: int) -> None:
            if path not in tasks:
                tasks[path] = bars.add_task(escape(safe(path.name, 40)), total=size)
            bars.update(tasks[path], completed=done, total=size)

        yield report


def ingest_document(result: IngestResult) -> dict[str, Any]:
    """Return the result as the contract's JSON document."""
    return {
        "files": [_file_document(file) for file in result.files],
        "totals": {
            "read": result.read,
            "stored": result.stored,
            "duplicate": result.duplicate,
            "rejected": result.rejected,
        },
    }


def _file_document(file: FileResult) -> dict[str, Any]:
    document: dict[str, Any] = {
        "path": str(file.path),
        "status": file.status.value,
        "read": file.read,
        "stored": file.stored,
        "duplicate": file.duplicate,
        "rejected": file.rejected,
        "rejects": file.rejects,
    }
    return document | ({"damage": file.damage} if file.damage else {})


def file_lines(result: IngestResult) -> Iterator[str]:
    """Yield what each file gave, a line each, the reasons of rejects below it, and the totals."""
    for file in result.files:
        flagged = f", {file.flagged:,} flagged" if file.flagged else ""
        yield f"{_shown(file.path)}: {file.status.value.replace('_', ' ')}: {_sum(file)}{flagged}"
        samples = {sample.reason: sample for sample in file.samples}
        for reason, count in file.rejects.items():
            sample = samples.get(reason)
            where = f", first at {_shown(file.path)}:{sample.line} (expected {sample.expected})" if sample else ""
            yield f"  {reason}: {count:,}{where}"
    for skipped in result.skipped:
        yield f"{_shown(skipped.path)}: skipped: {skipped.reason}"
    yield f"{len(result.files)} file{'' if len(result.files) == 1 else 's'}: {_sum(result)}"


def damage_lines(result: IngestResult, max_rejects: float) -> list[str]:
    """Return what is to be told on stderr: a line for each file damaged beyond `max_rejects`."""
    return [f"warning: {_shown(file.path)}: {_damage(file, max_rejects)}" for file in result.damaged(max_rejects)]


def _damage(file: FileResult, max_rejects: float) -> str:
    if file.damage:
        readable = file.read - file.rejected
        return f"{safe(file.damage, 300)}; everything before it was read: {readable:,} queries"
    if file.rejected == file.read:
        return f"nothing readable: all {file.read:,} records were rejected"
    share = 100 * file.rejected / file.read
    return f"{file.rejected:,} of {file.read:,} records were rejected ({share:.2f} %, accepted {100 * max_rejects:g} %)"


def _sum(counts: FileResult | IngestResult) -> str:
    return (
        f"read {counts.read:,} = stored {counts.stored:,} + duplicate {counts.duplicate:,}"
        f" + rejected {counts.rejected:,}"
    )


def _shown(path: Path) -> str:
    return safe(str(path), _PATH_WIDTH)
