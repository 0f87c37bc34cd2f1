"""Finding request ids that stand on more than one record.

Ids may be chosen by the client, and one that comes back with other content is evidence: both records are kept, and all
records of a model and night that share an id with a different record are flagged. Whether they came in one file or in
several, and in which order, makes no difference; so the search runs when everything is stored, over the nights that got
new queries, on 32 bytes a query that go to a temporary file when they become many.
"""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING

import numpy as np

from detector.ingest.nights import night_bounds, night_numbers, number_of
from detector.ingest.reading import id_hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import time

    import pyarrow as pa
    from numpy.typing import NDArray

    from detector.ingest.nights import ModelNight
    from detector.store.ingesting import IngestLane

_ROW = np.dtype([("id", "<u8"), ("ts", "<i8"), ("key_hi", "<i8"), ("key_lo", "<i8")])
_KEPT_IN_MEMORY = 1 << 18
_AT_A_TIME = 1 << 21


class ReusedIds:
    """Collects the ids of stored queries, and at the end flags those that are reused."""

    def __init__(self, lane: IngestLane, night_starts: time) -> None:
        self._lane = lane
        self._starts = night_starts
        self._disk = _Disk()
        self._fresh: dict[int, _Pile] = {}
        self._to_load: set[int] = set()

    def close(self) -> None:
        """Remove the temporary file."""
        self._disk.close()

    def load_later(self, pairs: set[ModelNight]) -> None:
        """Remember nights of which some queries were stored without passing through `add`."""
        self._to_load.update(number_of(night) for _, night in pairs)

    def add(self, table: pa.Table, ids: NDArray[np.uint64], older: Callable[[int, int], bool]) -> None:
        """Note stored rows of the table `query`.

        Args:
            table: the rows.
            ids: a hash of model and request id of each, 0 where it has none.
            older: whether the store may hold older queries between two microseconds.
        """
        for night, rows in _by_night(_noted(table, ids), self._starts):
            if night in self._to_load:
                continue
            if night not in self._fresh:
                if older(*night_bounds(night, self._starts)):
                    self._to_load.add(night)
                    continue
                self._fresh[night] = _Pile(self._disk)
            self._fresh[night].add(rows)

    def flag(self) -> None:
        """Flag every query whose id stands on another record too; the caller commits."""
        for night in sorted(self._fresh.keys() - self._to_load):
            self._flag(self._fresh[night])
        for night in sorted(self._to_load):
            pile = _Pile(self._disk)
            for table in self._lane.ids_between(*night_bounds(night, self._starts)):
                pile.add(_noted(table, id_hashes(table)))
            self._flag(pile)

    def _flag(self, pile: _Pile) -> None:
        for rows in pile.parts():
            reused = rows[_shared(rows)]
            if len(reused):
                self._lane.flag_reused(reused["ts"], reused["key_hi"], reused["key_lo"])


def _noted(table: pa.Table, ids: NDArray[np.uint64]) -> NDArray[np.void]:
    """Return what is kept of each query with an id."""
    there = np.flatnonzero(ids)
    rows = np.empty(len(there), _ROW)
    rows["id"] = ids[there]
    for name in ("ts", "key_hi", "key_lo"):
        rows[name] = np.asarray(table[name])[there]
    return rows


def _by_night(rows: NDArray[np.void], starts: time) -> Iterator[tuple[int, NDArray[np.void]]]:
    nights = night_numbers(rows["ts"], starts)
    for night in np.unique(nights).tolist():
        yield night, rows[nights == night]


def _shared(rows: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the places of rows whose id stands on more than one record; a record's queries share `key_hi`."""
    ids = np.sort(rows["id"])
    head = np.ones(len(ids), bool)
    head[1:] = ids[1:] != ids[:-1]
    if head.all():
        return np.empty(0, np.int64)
    order = np.argsort(rows["id"], kind="stable")
    starts, group = np.flatnonzero(head), np.cumsum(head) - 1
    keys = rows["key_hi"][order]
    several = np.minimum.reduceat(keys, starts) != np.maximum.reduceat(keys, starts)
    places: NDArray[np.int64] = order[several[group]]
    return places


class _Disk:
    """A temporary file that takes rows out of memory, made when it is first needed."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._size = 0

    def put(self, rows: NDArray[np.void]) -> int:
        """Append rows and return where they begin."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the whole
        at = self._size
        self._file.seek(at)
        self._size += self._file.write(rows.tobytes())
        return at

    def get(self, at: int, count: int) -> NDArray[np.void]:
        """Return rows that were put."""
        if self._file is None:
            return np.empty(0, _ROW)
        self._file.seek(at)
        return np.frombuffer(self._file.read(count * _ROW.itemsize), _ROW)

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()


class _Pile:
    """Rows of one night, on disk where they are many, and back in parts that keep equal ids together."""

    def __init__(self, disk: _Disk) -> None:
        self._disk = disk
        self._rows: list[NDArray[np.void]] = []
        self._held = 0
        self._away: list[tuple[int, int]] = []

    def add(self, rows: NDArray[np.void]) -> None:
        self._rows.append(rows)
        self._held += len(rows)
        if self._held > _KEPT_IN_MEMORY:
            self._away.append((self._disk.put(np.concatenate(self._rows)), self._held))
            self._rows, self._held = [], 0

    def parts(self) -> Iterator[NDArray[np.void]]:
        total = self._held + sum(count for _, count in self._away)
        count = np.uint64(max(1, -(-total // _AT_A_TIME)))
        for part in range(int(count)):
            found = [rows[rows["id"] % count == part] for rows in self._all()]
            if found:
                yield np.concatenate(found)

    def _all(self) -> Iterator[NDArray[np.void]]:
        for at, count in self._away:
            yield self._disk.get(at, count)
        yield from self._rows
