from __future__ import annotations

import numpy as np
import pytest
from ingest_making import Bench, line

from detector.errors import UsageError
from detector.ingest.kernels.times import TimeState, parse_iso


def _parse(text: str) -> tuple[int, int]:
    raw = np.frombuffer(text.encode() or b" ", np.uint8)
    micros, state = parse_iso(raw, np.array([0]), np.array([len(text.encode())]))
    return int(micros[0]), int(state[0])


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-11-10T03:14:15.926535Z", 1794280455926535),
        ("2026-11-10T03:14:15.926535897Z", 1794280455926535),
        ("2026-11-10T03:14:15,5Z", 1794280455500000),
        ("2026-11-10 03:14:15+00:00", 1794280455000000),
        ("2026-11-10t03:14:15z", 1794280455000000),
        ("2026-11-10T04:14:15+01", 1794280455000000),
        ("2026-11-10T04:14:15+0100", 1794280455000000),
        ("2026-11-09T17:44:15-09:30", 1794280455000000),
        ("2026-11-10T03:14Z", 1794280440000000),
        ("2026-11-10 03:14:15 UTC", 1794280455000000),
        ("  2026-11-10T03:14:15Z  ", 1794280455000000),
        ("2016-12-31T23:59:60Z", 1483228800000000),
        ("2024-02-29T00:00:00Z", 1709164800000000),
        ("2000-02-29T00:00:00Z", 951782400000000),
    ],
)
def test_times_with_a_zone(text: str, micros: int) -> None:
    assert _parse(text) == (micros, TimeState.READ)


@pytest.mark.parametrize("text", ["2026-11-10T03:14:15", "2026-11-10 03:14:15.926535", "2026-11-10T03:14"])
def test_times_without_a_zone(text: str) -> None:
    assert _parse(text)[1] == TimeState.WITHOUT_ZONE


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-11-10", "2026-11-10T", "2026-13-10T00:00:00Z", "2026-00-10T00:00:00Z", "2026-11-31T00:00:00Z",
        "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-11-10T24:00:00Z", "2026-11-10T00:60:00Z",
        "2026-11-10T00:00:61Z", "2026-11-10T00:00:00.Z", "2026-11-10T00:00:00+24:00", "2026-11-10T00:00:00+1:00",
        "2026-11-10T00:00:00+01:60", "2026-11-10T00:00:00X", "2026-11-10T00:00:00 CET", "2026/11/10T00:00:00Z",
        "2026-11-10_00:00:00Z", "+2026-11-10T00:00:00Z", "0000-01-01T00:00:00Z", "infinity", "epoch", "1794280455",
        "2026-11-10T00:00:00Zx", "\uff12\uff10\uff12\uff16-11-10T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    assert _parse(text)[1] == TimeState.UNREADABLE


def test_an_assumed_zone_with_its_summer(bench: Bench) -> None:
    times = {
        "2026-01-15T12:00:00": 1768474800000000,
        "2026-07-15T12:00:00": 1784109600000000,
        "2026-10-25T02:30:00": 1792888200000000,  # twice: the first
        "2026-03-29T02:30:00": 1774746000000000,  # never: the moment after the gap
        "2026-07-15T12:00:00Z": 1784116800000000,
    }
    bench.read(*(line(timestamp=text, request_id=text) for text in times), assume_tz="Europe/Berlin")
    assert {row["request_id"]: row["ts"] for row in bench.rows()} == times


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe/Berlin\0"])
def test_a_zone_that_does_not_exist_is_told_before_anything_is_touched(bench: Bench, zone: str) -> None:
    with pytest.raises(UsageError):
        bench.read(line(), assume_tz=zone)
    assert bench.ledger() == []


def test_records_of_one_time_keep_their_order(bench: Bench) -> None:
    bench.read(*(line(request_id=f"r{i}") for i in range(50)))
    with bench.store.begin() as connection:
        found = connection.exec_driver_sql("SELECT request_id FROM query ORDER BY ts, file_id, line, row_index").all()
    assert [name for (name,) in found] == [f"r{i}" for i in range(50)]
