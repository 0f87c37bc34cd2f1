"""The peers do what their papers say: small cases by hand, and slow definitions in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from peer_blacklight import MISSING, Blacklight, fingerprints, shared_with_earlier
from peer_counts import CallsAnHour, busiest
from peer_distances import mean_to_nearest, nearest_earlier
from peer_graph import component_sums, neighbour_distance
from peer_logs import Night
from peer_neighbours import training_threshold
from peer_prada import growing_distances, judge, normality

SEED = 7


def night(view: np.ndarray, starts: list[int], label: np.ndarray | None = None) -> Night:
    n = len(view)
    return Night(
        model="m",
        number=20_000,
        clients=tuple(f"c{k}" for k in range(len(starts) - 1)),
        starts=np.array(starts),
        ts=np.arange(n, dtype=np.int64) * 1_000_000,
        view=view.astype(np.float32),
        label=np.zeros(n, dtype=np.int64) if label is None else label,
    )


def test_a_growing_set_takes_only_what_lies_beyond_its_threshold() -> None:
    # 0 opens the set; 4 joins (distance and threshold 4); 3 is 1 from it: no; 9 is 5 away and joins, which leaves the
    # threshold at 4.5 - 0.5 = 4; 6 is 2 from 4: no; 14 is 5 away: joins.
    view = np.array([[0], [4], [3], [9], [6], [14]], dtype=np.float32)
    distances = growing_distances(view, np.zeros(6, dtype=np.int64), 1)
    assert distances.tolist() == [4.0, 1.0, 5.0, 2.0, 5.0]


def test_classes_grow_sets_of_their_own() -> None:
    view = np.array([[0], [10], [1], [13]], dtype=np.float32)
    assert growing_distances(view, np.array([0, 1, 0, 1]), 2).tolist() == [1.0, 3.0]


def test_normal_distances_look_normal_two_heaps_do_not_and_a_constant_says_nothing() -> None:
    rng = np.random.default_rng(SEED)
    normal = normality(rng.normal(5, 1, 400))
    heaps = normality(np.tile([1.0, 9.0], 200))
    assert normal.min() > 0.95
    assert heaps.max() < 0.7
    assert normality(np.full(200, 3.0)).tolist() == [1.0] * len(normality(np.full(200, 3.0)))


def test_prada_alarms_on_small_steps_and_not_on_short_streams() -> None:
    rng = np.random.default_rng(SEED)
    ordinary = rng.normal(0.5, 0.15, (300, 16))
    # Copies of a few records, each moved by one step: distances of two sizes.
    steps = np.repeat(rng.normal(0.5, 0.15, (30, 16)), 10, axis=0) + rng.choice([0, 0.001], (300, 16))
    judged = judge(night(np.concatenate([ordinary, steps, ordinary[:50]]), [0, 300, 600, 650]))
    assert judged.alarms["delta 0.90"].tolist() == [False, True, False]
    assert judged.readings["lowest W"][2] == -1.0


def naive_shared(prints: np.ndarray, owner: np.ndarray) -> list[int]:
    sets = [set(row[row != MISSING].tolist()) for row in prints]
    return [
        max((len(sets[i] & sets[j]) for j in range(i) if owner[j] == owner[i]), default=0) for i in range(len(sets))
    ]


def test_shared_fingerprints_are_counted_as_sets_are_intersected() -> None:
    rng = np.random.default_rng(SEED)
    view = rng.random((6, 64))[rng.integers(0, 6, 60)]
    view[:, rng.integers(0, 64, 4)] += 0.3
    view[30:, :40] = 0.0
    prints = fingerprints(view.astype(np.float32))
    owner = rng.integers(0, 2, 60)
    assert shared_with_earlier(prints, owner).tolist() == naive_shared(prints, owner)


def test_blacklight_sees_copies_of_others_only_where_clients_are_put_together() -> None:
    rng = np.random.default_rng(SEED)
    own = rng.random((20, 100))
    logged = night(np.concatenate([own, own]), [0, 20, 40])
    assert Blacklight(shared=False).judge(logged).alarms["above 25 of 50"].tolist() == [False, False]
    assert Blacklight(shared=True).judge(logged).alarms["above 25 of 50"].tolist() == [False, True]


@pytest.mark.parametrize("window", [5000, 700])
def test_nearest_earlier_query_is_the_one_that_all_pairs_give(window: int) -> None:
    rng = np.random.default_rng(SEED)
    view = rng.random((1100, 5)).astype(np.float32)
    link, distance = nearest_earlier(view, window)
    assert (link[0], distance[0]) == (-1, np.inf)
    for i in (1, 511, 512, 1099):
        first = max(0, i // 512 * 512 - window)
        pairs = np.linalg.norm(view[first:i].astype(float) - view[i], axis=1)
        assert (link[i], distance[i]) == (first + pairs.argmin(), pytest.approx(pairs.min()))


def test_mean_distance_waits_for_enough_neighbours() -> None:
    view = np.array([[0.0], [1.0], [3.0], [4.0]], dtype=np.float32)
    assert mean_to_nearest(view, 2, 100).tolist() == pytest.approx([np.inf, np.inf, 2.5, 2.0])


def test_a_tenth_of_a_percent_of_the_training_data_lies_below_the_threshold() -> None:
    sample = np.random.default_rng(SEED).random((400, 8)).astype(np.float32)
    means = np.sort([np.sort(np.linalg.norm(sample - one, axis=1))[1:51].mean() for one in sample])
    assert training_threshold(sample) == pytest.approx(np.percentile(means, 0.1), rel=1e-4)


def test_linked_queries_form_components_and_weak_links_none() -> None:
    sums, component, kept = component_sums(np.array([-1, 0, 1, 2, 3]), np.array([0.0, 0.9, 0.8, 0.4, 0.7]))
    assert component.tolist() == [0, 0, 0, 1, 1]
    assert sums.tolist() == pytest.approx([1.7, 0.7])
    assert kept.tolist() == [0.0, 0.9, 0.8, 0.0, 0.7]


def test_neighbour_distance_ignores_copies() -> None:
    assert neighbour_distance(np.array([[0.0], [0.0], [1.0], [3.0]], dtype=np.float32)) == pytest.approx(1.0)


def test_calls_are_counted_in_any_hour() -> None:
    assert busiest(np.array([0, 10, 20, 29, 100]), 20) == 3
    hour = 3600 * 1_000_000
    logged = night(np.zeros((1102, 1)), [0, 501, 1102])
    slow = np.concatenate([np.arange(501) * 1_000_000, np.arange(601) * hour // 500])
    judged = CallsAnHour().learn(None)(Night(**{**vars(logged), "ts": slow}))  # type: ignore[arg-type]
    assert judged.alarms["above 500"].tolist() == [True, False]
