from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from baseline_making import NIGHTS, benign, row, rows_of

from detector.baseline import learn as learning
from detector.baseline.learn import learn
from detector.baseline.model import FEWEST_WINDOWS, Baseline, BaselineKind
from detector.errors import BaselineError
from detector.features.registry import BY_NAME, NAMES
from detector.model import EntityKind, Horizon

if TYPE_CHECKING:
    from detector.store.window_rows import WindowRow

ASCENT = NAMES.index("confidence_ascent")
ATTACK = {
    "confidence_ascent": 0.97, "confidence_rise": 0.9, "confidence_record_z": 60.0, "record_asymmetry": 40.0,
    "near_duplicate_ratio": 0.99, "input_psi_mean": 900.0, "input_psi_max": 2000.0, "sliced_wasserstein": 700.0,
    "accept_reject_asymmetry": 45.0, "nearest_previous_distance": 0.0,
}  # fmt: skip


def _learn(night: list[WindowRow], trailing: list[WindowRow] | None = None, **others: object) -> Baseline:
    windows = {Horizon.NIGHT: night, Horizon.TRAILING: night if trailing is None else trailing}
    return learn("m", 3, BaselineKind.LEARNED, NIGHTS, windows, **others)  # type: ignore[arg-type]


def _typical(clients: int, seed: int = 0) -> np.ndarray:
    """Return windows of clients that resemble each other: near the middle of every feature's distribution."""
    wide = benign(clients, seed)
    return np.median(benign(400), axis=0) * (1.0 + 0.05 * np.tanh(wide - wide.mean(axis=0)))


def _attackers(count: int) -> list[WindowRow]:
    middle = dict(zip(NAMES, np.median(benign(400), axis=0), strict=True))
    return [row(f"evil{number}", middle | ATTACK) for number in range(count)]


def test_a_baseline_holds_the_windows_of_clients_by_feature() -> None:
    night, trailing = benign(40), benign(30, seed=1)
    held = _learn(rows_of(night), rows_of(trailing, horizon=Horizon.TRAILING))
    assert (held.id, held.model, held.version, held.kind) == ("m@3", "m", 3, BaselineKind.LEARNED)
    assert (held.nights, held.clients, held.left_out) == (NIGHTS, 40, ())
    places = [p for p, name in enumerate(NAMES) if name != "query_count"]
    np.testing.assert_array_equal(night[:, places], held.night[:, places])
    np.testing.assert_array_equal(trailing[:, places], held.trailing[:, places])
    assert (held.night[:, NAMES.index("query_count")] == 100).all()


def test_features_that_a_window_does_not_have_are_null() -> None:
    night = benign(25)
    night[::2, ASCENT] = np.nan
    np.testing.assert_array_equal(np.isnan(night), np.isnan(_learn(rows_of(night)).night))


def test_networks_do_not_describe_clients() -> None:
    pooled = [row(f"10.0.{n}.0/24", {"confidence_ascent": 1.0}, kind=EntityKind.NETWORK) for n in range(50)]
    held = _learn(rows_of(benign(30)) + pooled)
    assert (len(held.night), held.clients, held.left_out) == (30, 30, ())
    with pytest.raises(BaselineError):
        _learn(pooled)


def test_suspects_are_left_out_and_named() -> None:
    held = _learn(rows_of(benign(40)), suspects=frozenset({"c0003", "c0007", "nobody"}))
    assert len(held.night) == 38
    assert held.clients == 38
    assert held.left_out == (("c0003", "in an incident"), ("c0007", "in an incident"))


def test_clients_far_out_in_several_features_are_left_out() -> None:
    held = _learn(rows_of(_typical(100)) + _attackers(4))
    assert [name for name, _ in held.left_out] == ["evil0", "evil1", "evil2", "evil3"]
    assert {why for _, why in held.left_out} == {"far from the other clients in several features at once"}
    assert len(held.night) == 100


def test_at_most_one_client_in_twenty_is_left_out_as_far() -> None:
    held = _learn(rows_of(_typical(90)) + _attackers(10))
    assert len(held.left_out) == 5
    assert all(name.startswith("evil") for name, _ in held.left_out)


def test_a_client_far_out_in_volume_and_one_feature_is_normal() -> None:
    middle = dict(zip(NAMES, np.median(benign(400), axis=0), strict=True))
    large = row("large", middle | {"peak_rate_per_minute": 1e9, "confidence_ascent": 0.99}, queries=10**9)
    assert _learn([*rows_of(_typical(60)), large]).left_out == ()


def test_one_of_fewer_than_twenty_clients_would_be_more_than_one_in_twenty() -> None:
    assert _learn((rows_of(_typical(18)) + _attackers(1)) * 2).left_out == ()
    assert len(_learn((rows_of(_typical(19)) + _attackers(1)) * 2).left_out) == 1


def test_a_client_counts_once_however_many_nights_it_was_seen() -> None:
    night = rows_of(_typical(30))
    held = _learn(night * 3)
    assert (held.clients, len(held.night)) == (30, 90)


def test_a_poisoned_night_hardly_moves_the_tail() -> None:
    clean, poisoned = _learn(rows_of(benign(200))), _learn(rows_of(benign(200)) + _attackers(10))
    highs = [np.quantile(held.night[:, ASCENT], 0.99) for held in (clean, poisoned)]
    assert highs[1] == pytest.approx(highs[0], abs=0.03)
    assert len(poisoned.left_out) == 10


@pytest.mark.parametrize("count", [0, 1, FEWEST_WINDOWS - 1])
def test_too_few_windows_are_the_stages_own_error(count: int) -> None:
    with pytest.raises(BaselineError, match=f"only {count} client windows of model 'm' could be used") as caught:
        _learn(rows_of(benign(count)))
    assert caught.value.expected == f"at least {FEWEST_WINDOWS}"


def test_a_large_site_learns_from_evenly_spaced_windows_of_all_its_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_MOST_WINDOWS", 50)
    night = _typical(300)
    held = _learn(rows_of(night) + _attackers(3))
    assert len(held.night) == 50
    assert [name for name, _ in held.left_out] == ["evil0", "evil1", "evil2"]
    np.testing.assert_array_equal(night[[0, -1], ASCENT], held.night[[0, -1], ASCENT])


def test_the_order_of_windows_changes_no_distribution() -> None:
    rows = rows_of(_typical(100)) + _attackers(4)
    one, two = _learn(rows), _learn(rows[::-1])
    assert one.left_out == two.left_out
    for left, right in zip(one.sorted_columns[Horizon.NIGHT], two.sorted_columns[Horizon.NIGHT], strict=True):
        np.testing.assert_array_equal(left, right)


def test_nights_are_kept_in_order() -> None:
    windows = {h: rows_of(benign(30)) for h in Horizon}
    held = learn("m", 1, BaselineKind.PROVISIONAL, (date(2026, 11, 12), date(2026, 11, 10)), windows)
    assert held.nights == (date(2026, 11, 10), date(2026, 11, 12))


def test_every_feature_has_a_side_that_is_suspicious() -> None:
    assert {BY_NAME[name].suspicious for name in NAMES} == {"high", "low", "both"}
