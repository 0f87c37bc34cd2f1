"""From a night in the store to its windows: schema, states, trailing merge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from detector.errors import FeatureError
from detector.features.assemble import Reading
from detector.features.contact import Contacts
from detector.features.learn import SAMPLE_COLUMNS, SAMPLE_ROWS, learn_schema
from detector.features.night import measure_night
from detector.features.schema import ModelSchema
from detector.features.windows import NightStates, mixed_windows, trailing_nights, windows_of
from detector.model import EntityKind
from detector.store import scanning, window_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from detector.config import Settings
    from detector.model import MixedWindows, Windows
    from detector.store.engine import Store

_FEWEST_SAMPLED = 2000


@dataclass(frozen=True)
class NightBounds:
    """A night as a range of UTC microseconds; the end is not part of it."""

    night: date
    first_ts: int
    last_ts: int

    @classmethod
    def of(cls, night: date, starts: time) -> NightBounds:
        """Return the bounds of the night that begins on `night` at `starts`."""
        first = datetime.combine(night, starts, tzinfo=UTC)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        micro = timedelta(microseconds=1)
        return cls(night, (first - epoch) // micro, (first + timedelta(days=1) - epoch) // micro)


@dataclass(frozen=True)
class ScannedNight:
    """What measuring a night gives.

    Attributes:
        windows: of clients and shared networks, both horizons.
        mixed: of the clients that do two things, both parts; None where there are none.
        own: the night's states, to be stored.
        schema: the schema that they were measured by.
        is_new_schema: whether this night was the model's first.
        queries: how many queries the night has.
    """

    windows: Windows
    mixed: MixedWindows | None
    own: NightStates
    schema: ModelSchema
    is_new_schema: bool
    queries: int


def measure(
    store: Store,
    model: str,
    bounds: NightBounds,
    settings: Settings,
    contacts_of: Callable[[ModelSchema], Contacts] | None = None,
    watch: Callable[[pa.Table], None] | None = None,
    watch_columns: tuple[str, ...] = (),
) -> ScannedNight:
    """Measure one night of one model.

    Args:
        store: where the queries are.
        model: which model.
        bounds: which night.
        settings: for the width of networks.
        contacts_of: reads the declared training records and canaries as views.
        watch: is shown every batch of queries, with `watch_columns` besides those that features need.
        watch_columns: see `watch`.

    Raises:
        FeatureError: the night has no query of the model, or its stored schema is damaged.
    """
    with store.begin() as connection:
        most = scanning.count_at_most(connection, bounds.first_ts, bounds.last_ts)
        names = scanning.class_names(connection, model)
        stored = scanning.latest_schema(connection, model)
    if stored:
        schema = ModelSchema.load(stored.model, stored.version, stored.night, stored.body, stored.arrays)
    else:
        schema = learn_schema(_sample(store, model, bounds, most), model, 1, bounds.night.isoformat(), names)
    reading = Reading(schema, names)
    contacts = contacts_of(schema) if contacts_of else Contacts()
    columns = tuple(dict.fromkeys((*scanning.SCAN_COLUMNS, *watch_columns)))
    stream = scanning.stream_queries(store, model, bounds.first_ts, bounds.last_ts, columns)
    with ThreadPoolExecutor(1, thread_name_prefix="week") as beside:
        coming = beside.submit(_week, store, model, bounds.night, schema)
        measured = measure_night(_watched(_ahead(stream), watch), most, reading, contacts, settings.identity)
        week = coming.result()
    own = NightStates.of(measured.entities)
    rows = sum(int(part.states["queries"].sum()) for part in measured.entities if part.kind is EntityKind.CLIENT)
    windows = windows_of(model, bounds.night, own, week, schema)
    mixed = mixed_windows(model, bounds.night, measured.mixed, schema) if measured.mixed else None
    return ScannedNight(windows, mixed, own, schema, stored is None, rows)


def _ahead(stream: Generator[pa.Table]) -> Iterator[pa.Table]:
    """Yield what `stream` does, the next of it read while one is handled; one thread reads and closes it."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        coming = reader.submit(next, stream, None)
        try:
            while (table := coming.result()) is not None:
                coming = reader.submit(next, stream, None)
                yield table
        finally:
            reader.submit(stream.close)


def _watched(stream: Iterator[pa.Table], watch: Callable[[pa.Table], None] | None) -> Iterator[pa.Table]:
    for table in stream:
        if watch is not None:
            watch(table)
        yield table.select(list(scanning.SCAN_COLUMNS))


def _sample(store: Store, model: str, bounds: NightBounds, most: int) -> pa.Table:
    """Return about SAMPLE_ROWS queries of the night, chosen by their keys; all of them where these are few."""
    every = max(1, most // SAMPLE_ROWS)
    sample = _one_in(every, store, model, bounds)
    if every > 1 and (sample is None or sample.num_rows < _FEWEST_SAMPLED):
        with store.begin() as connection:
            own = scanning.count_queries(connection, model, bounds.first_ts, bounds.last_ts)
        sample = _one_in(max(1, own // SAMPLE_ROWS), store, model, bounds)
    if sample is None:
        raise FeatureError(f"the night {bounds.night} has no query of model {model!r}")
    return sample


def _one_in(every: int, store: Store, model: str, bounds: NightBounds) -> pa.Table | None:
    # All that are chosen are read: the databases hand rows over in different orders and batches.
    parts = list(scanning.stream_queries(store, model, bounds.first_ts, bounds.last_ts, SAMPLE_COLUMNS, every=every))
    return pa.concat_tables(parts).combine_chunks() if parts else None


def _week(store: Store, model: str, night: date, schema: ModelSchema) -> NightStates:
    """Return the states of the earlier nights that the trailing window covers."""
    earlier = [name for name in trailing_nights(night) if name != night.isoformat()]
    with store.begin() as connection:
        return NightStates.from_rows(window_rows.load_states(connection, model, earlier, schema.version))
