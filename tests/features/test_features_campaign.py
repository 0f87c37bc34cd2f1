from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from feature_making import SECOND, ordinary, schema_of
from query_making import climb, sent, shuffled

from detector.config import IdentitySettings
from detector.features import campaign, night
from detector.features.assemble import Reading
from detector.features.campaign import active_rows, evidence_of, groups_of, link, nearness_null, quotas
from detector.features.contact import Contacts
from detector.features.families import LAYOUT
from detector.features.night import measure_night
from detector.features.pool import pooled
from detector.features.state import States
from detector.model import EntityKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.night import EntityStates

SCHEMA = schema_of(ordinary(1024))
READING = Reading(SCHEMA, {})


def _crowd(clients: int = 20, each: int = 60) -> pa.Table:
    """Return customers who ask about unrelated people all day."""
    return pa.concat_tables(
        [
            sent(ordinary(each, 100 + number), [f"user{number:02d}"] * each, at=0.01 * number, every=85_000 / each)
            for number in range(clients)
        ]
    )


def _shared(
    view: NDArray[np.float32], accounts: int, stretch: int = 1, prefix: str = "acc", at: float = 6.0
) -> pa.Table:
    names = [f"{prefix}{number // stretch % accounts:03d}" for number in range(len(view))]
    return sent(view, names, at=at)


def _campaigns(*tables: pa.Table) -> tuple[EntityStates, ...]:
    table = pa.concat_tables(tables)
    measured = measure_night([table], table.num_rows, READING, Contacts(), IdentitySettings()).entities
    return tuple(part for part in measured if part.kind is EntityKind.CAMPAIGN)


def _accounts(count: int, prefix: str = "acc") -> tuple[str, ...]:
    return tuple(f"{prefix}{number:03d}" for number in range(count))


CROWD = _crowd()


def test_customers_are_no_campaign() -> None:
    assert _campaigns(CROWD) == ()


@pytest.mark.parametrize(("accounts", "stretch"), [(2, 1), (10, 8), (40, 1)])
def test_accounts_that_share_a_climb_are_one_campaign(accounts: int, stretch: int) -> None:
    (found,) = _campaigns(CROWD, _shared(climb(800), accounts, stretch))
    assert found.clients == (_accounts(accounts),)
    assert found.states["queries"][0] >= min(800, 256 * accounts) * 0.9


def test_a_climb_by_one_account_is_no_campaign() -> None:
    assert _campaigns(CROWD, _shared(climb(800), 1)) == ()


def test_two_attacks_at_the_same_time_are_two_campaigns() -> None:
    one, other = _shared(climb(500, 1), 10), _shared(climb(500, 2), 12, prefix="zed")
    (found,) = _campaigns(CROWD, one, other)
    assert sorted(found.clients) == [_accounts(10), _accounts(12, "zed")]


def test_two_attackers_who_each_use_one_account_are_no_campaign() -> None:
    one, other = _shared(climb(500, 1), 1), _shared(climb(500, 2), 1, prefix="zed")
    assert _campaigns(CROWD, one, other) == ()


def test_whose_probe_the_attack_starts_from_is_no_member() -> None:
    asked = climb(600)
    probe = sent(np.repeat(asked[:1], 300, axis=0), ["probe"] * 300, at=5.0, every=30.0)
    (found,) = _campaigns(CROWD, probe, _shared(asked, 10))
    assert found.clients == (_accounts(10),)


def test_the_order_of_rows_the_names_and_the_parts_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.concat_tables([CROWD, _shared(climb(500), 10)])
    (whole,) = _campaigns(table)
    monkeypatch.setattr(night, "PART_ROWS", 300)
    (again,) = _campaigns(shuffled(table, 5))
    assert (again.names, again.clients) == (whole.names, whole.clients)
    np.testing.assert_allclose(again.states["queries"], whole.states["queries"])
    np.testing.assert_allclose(again.states["kin"], whole.states["kin"])


def test_a_campaign_is_named_after_its_members() -> None:
    (one,) = _campaigns(CROWD, _shared(climb(500), 10))
    (same,) = _campaigns(CROWD, _shared(climb(500, 3), 10))
    (other,) = _campaigns(CROWD, _shared(climb(500), 11))
    assert one.names == same.names
    assert one.names != other.names


def test_unrelated_inputs_surprise_as_often_as_the_null_says() -> None:
    view = ordinary(4000, 9)
    client = np.arange(4000) % 50
    surplus = link(view, client, SCHEMA).surplus[600:]
    # The mean of what an exponential exceeds 1 by is 1 / e.
    assert 0.15 < surplus.mean() < 0.45
    assert not active_rows(link(view, client, SCHEMA)).mean() > 0.2


def test_nearer_is_more_surprising_and_too_few_reference_inputs_surprise_nobody() -> None:
    view = ordinary(3, 4)
    far = np.exp(np.quantile(nearness_null(SCHEMA), 0.9)) * np.ones((3, campaign.NEAREST))
    told = [evidence_of(far * scale, view, SCHEMA).mean() for scale in (1e-3, 0.3, 30.0)]
    assert told[0] == 4.0
    assert told[0] >= told[1] > told[2]
    assert evidence_of(1e-3 * far, view, schema_of(ordinary(64))).tolist() == [0.0, 0.0, 0.0]
    assert evidence_of(1e-3 * far, view, schema_of(np.ones((512, 8)))).tolist() == [0.0, 0.0, 0.0]


def test_groups_are_none_where_nobody_comes_near() -> None:
    far = 100.0 * np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    linked = link(far, np.arange(400) % 8, SCHEMA)
    assert groups_of(linked).tolist() == [-1] * 8


def _states(**columns: list[float]) -> States:
    rows = len(next(iter(columns.values())))
    values = {column.name: np.zeros((rows, column.width)) for column in LAYOUT.columns}
    return States.of(LAYOUT, values | {name: np.array(given) for name, given in columns.items()}, rows)


def test_no_client_fills_the_pool_and_the_suspicious_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    states = _states(
        queries=[1e6, 40, 2, 300, 50], looked_at=[64, 40, 2, 64, 50], off_manifold=[64, 0, 2, 0, 0],
        kin_compared=[1e6, 40, 2, 300, 50], kin=[0, 0, 0, 0, 40],
    )  # fmt: skip
    assert quotas(states).tolist() == [256, 40, 0, 256, 50]
    monkeypatch.setattr(campaign, "POOL_ROWS", 300)
    monkeypatch.setattr(campaign, "_UNSUSPICIOUS_ROWS", 40)
    assert quotas(states).tolist() == [256, 40, 0, 0, 0]


def test_a_client_is_pooled_evenly_over_its_night() -> None:
    heavy = sent(ordinary(1000), ["heavy"] * 1000)
    light = sent(ordinary(10, 2), ["light"] * 10, at=1.0)
    coded = [table.append_column("client", pa.array([code] * len(table))) for code, table in enumerate((heavy, light))]
    table = pooled(coded, np.array([100, 100]))
    assert table is not None
    ts, client = table["ts"].to_numpy(), table["client"].to_numpy()
    assert (np.diff(ts) >= 0).all()
    assert np.bincount(client).tolist() == [100, 10]
    assert np.unique(np.diff(ts[client == 0])).tolist() == [50 * SECOND]
    assert pooled(coded[:1], np.array([100, 100])) is None
