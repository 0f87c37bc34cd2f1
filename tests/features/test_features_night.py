from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from feature_making import START, answers, ordinary, schema_of
from query_making import queries, shuffled

from detector.config import IdentitySettings
from detector.features import families, night
from detector.features.assemble import Reading, assemble, label_codes
from detector.features.contact import Contacts
from detector.features.night import EntityStates, Roster, measure_night, network_of
from detector.features.state import stacked
from detector.model import EntityKind

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = schema_of(ordinary(256))
READING = Reading(SCHEMA, {})
IDENTITY = IdentitySettings()
CLIENTS = 12
# What a cut loses is the comparison across it; these columns hold none.
ADDITIVE = (
    "queries", "hours", "first_ts", "last_ts", "cell_queries", "field_bins", "label_counts", "hashed", "scored",
    "unscored", "operations", "with_params", "margins", "low_margins", "statuses", "errors", "flagged", "reused",
)  # fmt: skip


def _night(addresses: Sequence[str] | None = None) -> pa.Table:
    """Return a night of clients of very different sizes, their queries interleaved."""
    parts = []
    for number in range(CLIENTS):
        view = ordinary(10 + 40 * number, number)
        told = answers(view)
        parts.append(
            queries(
                view, told, labels=["abc"[code] for code in told.argmax(axis=1)], client_id=f"c{number:02d}",
                source_ip=addresses[number] if addresses else f"10.0.{number // 3}.{number}", first=10_000 * number,
                ts=START + 7_000_000 * np.arange(len(view)) + number, params=f'{{"k":{number % 3}}}', status=200,
            )
        )  # fmt: skip
    return pa.concat_tables(parts)


NIGHT = _night()


def _measured(table: pa.Table, batch: int = 10_000) -> tuple[EntityStates, ...]:
    batches = [table.slice(at, batch) for at in range(0, table.num_rows, batch)]
    return measure_night(batches, table.num_rows, READING, Contacts(), IDENTITY).entities


def _same(one: Sequence[EntityStates], two: Sequence[EntityStates]) -> None:
    assert [part.kind for part in one] == [part.kind for part in two]
    for left, right in zip(one, two, strict=True):
        assert (left.names, left.clients) == (right.names, right.clients)
        for column in families.LAYOUT.columns:
            # A matrix product may round its last bit by the rows beside it; everything else is the same to the bit.
            tolerance = 1e-5 if column.name in {"outside", "normality"} else 0.0
            np.testing.assert_allclose(
                left.states[column.name], right.states[column.name], rtol=tolerance, err_msg=column.name
            )


def test_clients_come_sorted_then_the_networks_that_several_share() -> None:
    clients, networks = _measured(NIGHT)
    assert clients.kind is EntityKind.CLIENT
    assert clients.names == tuple(f"c{number:02d}" for number in range(CLIENTS))
    assert clients.clients == tuple((name,) for name in clients.names)
    assert clients.states["queries"].tolist() == [10 + 40 * number for number in range(CLIENTS)]
    assert networks.kind is EntityKind.NETWORK
    assert networks.names == tuple(f"10.0.{number}.0/24" for number in range(4))
    assert networks.clients[1] == ("c03", "c04", "c05")
    assert networks.states["queries"].tolist() == [sum(10 + 40 * n for n in range(3 * k, 3 * k + 3)) for k in range(4)]


def test_the_order_of_rows_and_batches_does_not_matter() -> None:
    whole = _measured(NIGHT)
    for seed, batch in ((1, 10_000), (2, 37)):
        _same(whole, _measured(shuffled(NIGHT, seed), batch))


@pytest.mark.parametrize("rows", [100, 700])
def test_a_night_in_many_parts_is_the_night_in_one(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    whole = _measured(NIGHT)
    monkeypatch.setattr(night, "PART_ROWS", rows)
    _same(whole, _measured(NIGHT))
    _same(whole, _measured(shuffled(NIGHT, 3), 50))


def test_each_client_is_measured_as_if_it_were_alone() -> None:
    clients, _ = _measured(NIGHT)
    for number in (0, 5, 11):
        mine = NIGHT.filter(pa.array([name == f"c{number:02d}" for name in NIGHT["client_id"].to_pylist()]))
        (alone,) = _measured(mine)
        row = clients.states.take(np.array([number]))
        _same((alone,), (EntityStates(EntityKind.CLIENT, alone.names, alone.clients, row),))


def test_a_client_in_stretches_adds_up_to_the_client_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = _measured(NIGHT)
    monkeypatch.setattr(night, "STRETCH_ROWS", 100)
    cut, _ = _measured(NIGHT)
    assert cut.names == whole.names
    for name in ADDITIVE:
        np.testing.assert_array_equal(whole.states[name], cut.states[name], err_msg=name)
    # A stretch compares within itself: each cut loses one gap and at most sixteen neighbours.
    pieces = np.ceil(whole.states["queries"] / 100)
    np.testing.assert_array_equal(whole.states["gaps"] - cut.states["gaps"], pieces - 1)
    assert (cut.states["compared"] <= whole.states["compared"]).all()


def test_the_best_climb_of_the_stretches_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    told = np.random.default_rng(1).dirichlet(np.ones(3), 900).astype(np.float32)
    told[300:500, 0] = np.linspace(0.01, 0.99, 200)
    told[300:500, 1:] = (1 - told[300:500, :1]) / 2
    table = queries(ordinary(900), told, client_id="c", ts=START + 1_000_000 * np.arange(900))
    whole = _measured(table)[0].states
    monkeypatch.setattr(night, "STRETCH_ROWS", 300)
    cut = _measured(table)[0].states
    for name in ("ascent", "target", "climb_first", "climb_last", "rise"):
        assert cut[name][0] == pytest.approx(whole[name][0], rel=0.05)


def test_merged_stretches_are_the_merge_of_their_states() -> None:
    table = NIGHT.append_column("client", pa.array([int(name[1:]) for name in NIGHT["client_id"].to_pylist()]))
    codes, owner, blocks = assemble(table, "client", READING, 100)
    parts = stacked([families.measure(block, SCHEMA, Contacts()) for block in blocks])
    assert codes.tolist() == list(range(CLIENTS))
    assert sorted(set(owner)) == list(range(CLIENTS))
    merged = parts.merged(owner, CLIENTS)
    np.testing.assert_array_equal([10 + 40 * n for n in range(CLIENTS)], merged["queries"])


def test_equal_times_keep_the_order_of_the_file() -> None:
    ladder = np.linspace(0.05, 0.95, 120)
    told = np.stack([ladder, 1 - ladder, np.zeros(120)], axis=1)
    table = queries(ordinary(120), told, client_id="c", ts=np.full(120, START))
    states = _measured(shuffled(table, 4))[0].states
    assert states["ascent"][0] == pytest.approx(1.0)


def test_entities_without_a_code_are_left_out() -> None:
    table = NIGHT.append_column("network", pa.array([-1 if n == "c00" else 3 for n in NIGHT["client_id"].to_pylist()]))
    codes, _, blocks = assemble(table, "network", READING, 10**6)
    assert codes.tolist() == [3]
    assert sum(len(block.ts) for block in blocks) == NIGHT.num_rows - 10


def test_a_client_behind_many_networks_counts_in_each() -> None:
    table = queries(ordinary(40), answers(ordinary(40)), client_id=["a", "b"] * 20,
                    source_ip=["10.1.0.1", "10.1.0.2", "10.2.0.1", "10.2.0.2"] * 10)  # fmt: skip
    _, networks = _measured(table)
    assert networks.names == ("10.1.0.0/24", "10.2.0.0/24")
    assert networks.clients == (("a", "b"), ("a", "b"))
    assert networks.states["queries"].tolist() == [20.0, 20.0]


def test_networks_of_one_client_or_no_address_have_no_window() -> None:
    addresses = [f"10.{n}.0.1" for n in range(CLIENTS - 3)] + ["", "unknown", "10.0.0.1:443"]
    assert len(_measured(_night(addresses))) == 1


@pytest.mark.parametrize("name", ["", "'; --", "ü\n", "😀", "a" * 5000, "c\x00"])
def test_a_client_may_have_any_name(name: str) -> None:
    table = queries(ordinary(30), answers(ordinary(30)), client_id=name)
    assert _measured(table)[0].names == (name,)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.0/24"),
        ("::ffff:10.1.2.3", "10.1.2.0/24"),
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", None),
        ("unknown", None),
        ("10.1.2", None),
        ("10.1.2.3:443", None),
        ("10.1.2.3, 10.9.9.9", None),
        ("10.1.2.3/8", None),
    ],
)
def test_addresses_have_networks(address: str, network: str | None) -> None:
    assert network_of(address, IDENTITY) == network


def test_networks_are_as_wide_as_the_site_says() -> None:
    wide = IdentitySettings(network_prefix_v4=16, network_prefix_v6=64)
    assert network_of("10.1.2.3", wide) == "10.1.0.0/16"
    assert network_of("2001:db8:1:2::7", wide) == "2001:db8:1:2::/64"


def test_a_roster_forgets_addresses_but_no_client_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night, "_MOST_ADDRESSES", 5)
    roster = Roster(IDENTITY)
    for number in range(40):
        roster.encode(queries([None], client_id=f"c{number}", source_ip=f"10.0.{number % 4}.{number}"))
    assert len(roster.addresses) <= 5
    assert len(roster.clients) == 40
    assert {network: len(members) for network, members in roster.shared_networks().items()} == dict.fromkeys(
        range(4), 10
    )


def test_labels_become_places_among_the_classes() -> None:
    column = pa.chunked_array([["b", "", "a", "zzz", "b"]])
    assert label_codes(column, ("a", "b")).tolist() == [1, -1, 0, -1, 1]
    assert label_codes(pa.chunked_array([pa.array([], pa.string())]), ("a",)).tolist() == []


def _assembled(table: pa.Table, reading: Reading = READING) -> np.ndarray:
    _, _, (block,) = assemble(table.append_column("client", pa.array([0] * table.num_rows)), "client", reading, 10**6)
    return block.probabilities


def test_answers_that_name_some_classes_leave_the_rest_evenly_to_the_others() -> None:
    reading = Reading(SCHEMA, {7: "b"})
    named = np.array([(7, 0.8)], dtype=[("code", "<u4"), ("value", "<f4")]).tobytes()
    table = queries([None, None, None, None], labels=["a", "b", "zzz", ""], confidence=[0.7, 0.1, 0.9, 0.9])
    place = table.column_names.index
    table = table.set_column(place("probability_kind"), "probability_kind", pa.array([0, 2, 0, 0]))
    table = table.set_column(place("probabilities"), "probabilities", pa.array([b"", named, b"", b""], pa.binary()))
    expected = [[0.7, 0.15, 0.15], [0.1, 0.8, 0.1], [np.nan] * 3, [np.nan] * 3]
    np.testing.assert_allclose(expected, _assembled(table, reading), rtol=1e-6)


def test_probabilities_above_one_leave_nothing_to_the_others() -> None:
    table = queries([None], labels=["a"], confidence=[1.5])
    np.testing.assert_allclose([[1.5, 0.0, 0.0]], _assembled(table))


def test_a_model_without_classes_has_no_probabilities() -> None:
    schema = schema_of(ordinary(64), classes=0)
    got = _assembled(queries([None] * 3, labels=["a", "b", "c"], confidence=[0.5] * 3), Reading(schema, {}))
    assert np.isnan(got).all()
