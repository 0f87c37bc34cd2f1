"""Which nights queries belong to."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.arrays import whole
from detector.model import TRAILING_NIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import time

    import pyarrow as pa
    from numpy.typing import NDArray

# 2000-01-01 and 2100-01-01: a clock outside was not set, and a fixed bound gives the same rows whenever one reads.
EARLIEST_PLAUSIBLE, LATEST_PLAUSIBLE = 946_684_800_000_000, 4_102_444_800_000_000
_DAY = 86_400_000_000
ModelNight = tuple[str, str]


def _shift(starts: time) -> int:
    return ((starts.hour * 60 + starts.minute) * 60 + starts.second) * 1_000_000 + starts.microsecond


def night_numbers(ts: NDArray[np.int64], starts: time) -> NDArray[np.int64]:
    """Return the day number since 1970 of the night that each UTC microsecond belongs to."""
    return np.floor_divide(ts - _shift(starts), _DAY)


def night_bounds(number: int, starts: time) -> tuple[int, int]:
    """Return the first and last microsecond of a night, both part of it."""
    first = number * _DAY + _shift(starts)
    return first, first + _DAY - 1


def touched(table: pa.Table, starts: time) -> set[ModelNight]:
    """Return the distinct (model, night as ISO date) of rows of the table `query`."""
    if not table.num_rows:
        return set()
    models = whole(table["model"]).dictionary_encode()
    nights = night_numbers(np.asarray(table["ts"]), starts)
    names = models.dictionary.to_pylist()
    first = int(nights.min())
    span = int(nights.max()) - first + 1
    pairs = np.unique(np.asarray(models.indices).astype(np.int64) * span + (nights - first))
    return {(names[pair // span], _iso(first + pair % span)) for pair in pairs.tolist()}


def _iso(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def made_stale(stored: Iterable[ModelNight], scanned: set[ModelNight]) -> set[ModelNight]:
    """Return the scanned nights that late rows reach: their own, and those whose trailing window covers it."""
    stale = set()
    for model, night in stored:
        day = date.fromisoformat(night)
        for later in range(min(TRAILING_NIGHTS, (date.max - day).days + 1)):
            pair = (model, (day + timedelta(days=later)).isoformat())
            if pair in scanned:
                stale.add(pair)
    return stale


def dumped(pairs: Iterable[ModelNight]) -> str:
    """Return pairs as the ledger keeps them: a JSON list of [model, night], sorted."""
    return json.dumps(sorted((list(pair) for pair in pairs), key=lambda pair: (pair[1], pair[0])), ensure_ascii=False)


def number_of(night: str) -> int:
    """Return the day number since 1970 of an ISO date."""
    return date.fromisoformat(night).toordinal() - date(1970, 1, 1).toordinal()


def loaded(text: str) -> set[ModelNight]:
    """Return what `dumped` wrote."""
    return {(model, night) for model, night in json.loads(text)}
