"""Log files into the store: which ones, whether they are known, and what they gave."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

from detector.ingest.contents import Looking, look_at, sniff, why_no_log
from detector.ingest.layouts import lacks_columns, plan_of
from detector.ingest.options import FileResult, FileStatus, IngestOptions, IngestResult, LogFormat, SkippedFile
from detector.ingest.sources import find_files
from detector.ingest.zones import check_zone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from detector.ingest.contents import Content
    from detector.ingest.options import Progress
    from detector.ingest.sources import Source
    from detector.ingest.storing import Storing
    from detector.store.engine import Store
    from detector.store.ingesting import IngestLane, LedgerEntry

# The share of a file's work that hashing it is, for the progress bar.
_HASHING = 1 / 8
# Bytes whose hashing takes about as long as loading what parses them.
_WORTH_WARMING = 1 << 28


def ingest(
    store: Store,
    paths: Sequence[Path],
    options: IngestOptions,
    progress: Progress | None = None,
    look: Looking | None = None,
) -> IngestResult:
    """Bring log files into the store.

    Args:
        store: where to; made or brought to this version's schema if need be.
        paths: files, folders, patterns.
        options: how to read them.
        progress: told how far each file is.
        look: a look at the first file, where the caller has begun one.

    Returns:
        what each file gave. A damaged file is a result, not an error: see `IngestResult.damaged`.

    Raises:
        UsageError: a path names nothing readable, or the zone is none; before anything is touched.
        NothingToReadError: there is no file behind the paths.
        StoreError: the database refused; what was committed is whole, and the same call goes on from there.
    """
    check_zone(options.assume_tz)
    sources = find_files(paths)
    with look or Looking(sources[0].path) as first:
        # Loading these and opening the store takes about as long as hashing a gigabyte.
        from detector.store.ingesting import ingest_lane
        from detector.store.migrate import upgrade

        upgrade(store)
        with ingest_lane(store) as lane:
            return _ingested(lane, sources, first, options, progress)


def _ingested(
    lane: IngestLane, sources: Sequence[Source], first: Looking, options: IngestOptions, progress: Progress | None
) -> IngestResult:
    path = sources[0].path
    size = path.stat().st_size
    if size > _WORTH_WARMING and not lane.knows_size(size):
        # It is most likely new: what will parse it is loaded while it is hashed.
        from detector.ingest.rehearsal import rehearse

        rehearse(path, options)
    with _Run(lane, options, progress, first) as run:
        found = [run.file(source) for source in sources]
        run.finish()
    return IngestResult(
        tuple(file for file in found if isinstance(file, FileResult)),
        tuple(file for file in found if isinstance(file, SkippedFile)),
    )


@dataclass
class _Run:
    """One call of `ingest`."""

    lane: IngestLane
    options: IngestOptions
    progress: Progress | None
    first: Looking
    _stack: ExitStack = field(default_factory=ExitStack)
    _storing: Storing | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def storing(self) -> Storing:
        """Return what stores files; loading its libraries takes a second that known files need not wait for."""
        if self._storing is None:
            from detector.ingest.storing import Storing

            self._storing = self._stack.enter_context(Storing(self.lane, self.options))
        return self._storing

    def finish(self) -> None:
        """Complete what this run, or one that was interrupted, has stored."""
        if self._storing is not None or self.lane.uncompared():
            self.storing().finish()

    def file(self, source: Source) -> FileResult | SkippedFile:
        """Bring one file in."""
        from detector.ingest.tally import known
        from detector.store.ingesting import READING

        path = source.path
        disk = path.stat().st_size
        look = self.first.result if path == self.first.path else partial(look_at, path)
        content = look(lambda at: self._report(path, int(at * _HASHING), disk))
        container = self.options.container or sniff(content, path)
        if content.size == 0:
            return FileResult(path, FileStatus.FAILED if content.damage else FileStatus.STORED, damage=content.damage)
        if container is None:
            return FileResult(path, FileStatus.FAILED, damage=why_no_log(content))
        plan = plan_of(container, self.options)
        missing = None if source.named else lacks_columns(path, container, content, plan)
        if missing is not None:
            return SkippedFile(path, f"a table without {missing} is not a log")
        entry = self._ledger(path, content, container)
        if entry.status == READING:
            done = int(disk * _HASHING)
            result = self.storing().read(
                path, container, plan, entry, lambda at: self._report(path, done + int(at * (1 - _HASHING)), disk)
            )
        else:
            result = known(path, entry, self.lane.first_rejects(entry.id))
        self._report(path, disk, disk)
        return result

    def _report(self, path: Path, done: int, size: int) -> None:
        if self.progress is not None:
            self.progress(path, min(done, size), size)

    def _ledger(self, path: Path, content: Content, container: LogFormat) -> LedgerEntry:
        from detector.store.ingesting import READING, LedgerEntry

        reading = _reading(container, self.options)
        found = self.lane.find(content.sha256, reading)
        if found is not None:
            return found
        now = self.options.as_of.isoformat()
        blank = LedgerEntry(
            id=0, sha256=content.sha256, reading=reading, path=str(path), format=container.value,
            size_bytes=content.size, status=READING, read=0, stored=0, duplicate=0, rejected=0, flagged=0, rejects="{}",
            lines_committed=0, batches_committed=0, min_ts=None, max_ts=None, touched="[]", damage=None,
            ingested_at=now,
        )  # fmt: skip
        return self.lane.register(blank)


def _reading(container: LogFormat, options: IngestOptions) -> str:
    """Return what, besides its content, decides what is read from a file."""
    parts = [container.value]
    if options.mapping is not None:
        parts.append(f"mapping={options.mapping.digest}")
    if options.assume_tz is not None:
        parts.append(f"tz={options.assume_tz}")
    if options.night_starts.isoformat() != "00:00:00":
        parts.append(f"night={options.night_starts.isoformat()}")
    return " ".join(parts)
