"""From logs and labels to the table: reading, budgets, what counts as found."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from peer_counts import CallsAnHour
from peer_logs import Encoder, read_sites
from peer_table import BEGIN, END, into_page, markdown
from peer_truth import Truth, allowing, best_threshold, measure
from run import ALLOWED, KNOWN, OWN, compare

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "client_id,model,is_attack,technique,family,variant,trace_id,first_ts,last_ts,n_attack_queries,n_queries,success\n"
)


def truth() -> Truth:
    """Two workloads of 100 client-nights and one of 2, then two attackers, the first in two nights."""
    return Truth(
        site=np.zeros(205, dtype=np.int64),
        workload=np.array(["benign_a"] * 100 + ["benign_b"] * 100 + ["benign_c"] * 2 + [""] * 3),
        attacker=np.array([-1] * 202 + [0, 0, 1]),
        techniques=np.array(["inversion", "membership"]),
        shared=np.array([False, True]),
    )


def test_an_attacker_is_found_by_one_of_its_nights_and_workloads_are_shares_of_client_nights() -> None:
    alarm = np.zeros(205, dtype=bool)
    alarm[[0, 1, 201, 203]] = True
    found = measure(truth(), alarm)
    assert found.found == {"inversion": (1, 1), "membership": (0, 1), "several accounts": (0, 1), "all": (1, 2)}
    assert found.rates == {"benign_a": 0.02, "benign_b": 0.0, "benign_c": 0.5}
    assert (found.worst, found.worst_rate, found.mean_rate) == ("benign_c", 0.5, pytest.approx(0.52 / 3))


def test_the_best_threshold_spends_the_budget_of_no_workload_twice() -> None:
    reading = np.zeros(205)
    reading[[0, 1, 100]] = [9.0, 5.0, 8.0]
    reading[[202, 203, 204]] = [0.0, 7.0, 5.0]
    name, alarm = best_threshold(truth(), {"useless": np.zeros(205), "useful": reading})
    # One alarm of a hundred is allowed to a and to b, none to c: the second of a, at 5, sets the threshold.
    assert name == "useful"
    assert np.flatnonzero(alarm).tolist() == [0, 100, 203]


def test_an_allowed_workload_neither_binds_nor_counts() -> None:
    reading = np.zeros(205)
    reading[[200, 203]] = [9.0, 8.0]
    free = allowing(truth(), ["benign_c"])
    assert np.flatnonzero(best_threshold(truth(), {"one": reading})[1]).tolist() == []
    assert np.flatnonzero(best_threshold(free, {"one": reading})[1]).tolist() == [200, 203]
    assert set(measure(free, reading > 0).rates) == {"benign_a", "benign_b"}


def test_a_threshold_by_site_ranks_among_the_site_s_own_benign_nights() -> None:
    two = Truth(
        site=np.repeat([0, 1], 101),
        workload=np.array((["benign_a"] * 100 + [""]) * 2),
        attacker=np.array(([-1] * 100 + [0]) + ([-1] * 100 + [1])),
        techniques=np.array(["inversion", "inversion"]),
        shared=np.zeros(2, dtype=bool),
    )
    reading = np.concatenate([np.arange(101), 1000 + np.arange(101)]).astype(float)
    name, alarm = best_threshold(two, {"reading": reading})
    assert name == "reading, by site"
    assert measure(two, alarm).found["all"] == (2, 2)
    assert measure(two, alarm).rates["benign_a"] <= 0.01


@pytest.mark.parametrize(
    ("sample", "given", "expected"),
    [
        ([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.25], [None, 1.0], "x"], [[0.5, 0.25], [0.5, 1.0], [0.5, 0.5]]),
        (
            [{"age": 0, "sex": "f"}, {"age": 1, "sex": "m"}],
            [{"age": 0.5, "sex": "m"}, {"sex": "x"}],
            [[0.5, 0.0, 0.5**0.5], [0.5, 0.0, 0.0]],
        ),
    ],
)
def test_inputs_become_vectors_of_one_scale(sample: list[object], given: list[object], expected: list[object]) -> None:
    assert Encoder(sample)(given) == pytest.approx(np.array(expected), abs=1e-6)


def test_equal_texts_are_equal_vectors_and_others_not() -> None:
    one, same, other = Encoder(["some text"])(["some text", "some text", "quite another"])
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def write_logs(folder: Path) -> Path:
    """Two nights of a quiet client and, in the second, one who calls 600 times in ten minutes."""
    rng = np.random.default_rng(1)
    for day in ("10", "11"):
        calls = [("quiet", f"2026-11-{day}T{hour:02d}:00:00Z") for hour in range(24)]
        if day == "11":
            calls += [("fast", f"2026-11-11T05:{k // 60:02d}:{k % 60:02d}Z") for k in range(600)]
        with gzip.open(folder / f"m_2026-11-{day}.jsonl.gz", "wt", encoding="utf-8") as file:
            for client, moment in calls:
                row = {"timestamp": moment, "client_id": client, "model": "m", "input": rng.random(4).tolist()}
                file.write(json.dumps({**row, "output": {"label": "a"}}) + "\n")
    (folder / "labels.csv").write_text(
        HEADER
        + "quiet,m,False,benign,benign_ordinary,plain,t0,2026-11-10T00:00:00Z,2026-11-11T23:00:00Z,0,48,\n"
        + "fast,m,True,inversion,inv_x,plain,t1,2026-11-11T05:00:00Z,2026-11-11T05:10:00Z,600,600,True\n"
    )
    return folder


def test_a_log_is_read_by_night_and_client(tmp_path: Path) -> None:
    (site,) = read_sites(write_logs(tmp_path))
    assert [night.clients for night in site.nights] == [("quiet",), ("fast", "quiet")]
    assert site.nights[1].starts.tolist() == [0, 600, 624]
    assert all((np.diff(night.ts[rows]) > 0).all() for night in site.nights for rows in night.streams())


def test_the_table_holds_each_detector_with_both_thresholds(tmp_path: Path) -> None:
    run = compare([write_logs(tmp_path)], [CallsAnHour()], ("benign_ordinary",), product=False)
    assert [(row.threshold, row.measured.found["all"], row.measured.worst_rate) for row in run.rows] == [
        (OWN, (1, 1), 0.0),
        (KNOWN, (1, 1), 0.0),
        (ALLOWED, (1, 1), 0.0),
    ]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    into_page(run, page)
    assert page.read_text() == f"before\n{BEGIN}\n{markdown(run)}\n{END}\nafter\n"
