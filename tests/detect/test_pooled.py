from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detect.pooled import attribute_networks
from detector.model import EntityKind, Finding, Horizon, Segment, Severity, Technique

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK = EntityKind.NETWORK
INVERSION, EXTRACTION = Technique.INVERSION, Technique.EXTRACTION


def _finding(
    *clients: str,
    kind: EntityKind = EntityKind.CLIENT,
    technique: Technique = INVERSION,
    level: Severity = Severity.HIGH,
    segment: Segment = Segment(10, 20),  # noqa: B008 - frozen
) -> Finding:
    return Finding(
        id="0" * 16, rule="r", title="t", level=level, technique=technique, model="m", entity_kind=kind,
        entity_id=clients[0] if kind is EntityKind.CLIENT else "10.0.0.0/24", horizon=Horizon.NIGHT,
        night=date(2026, 11, 10), clients=clients, trigger=(), sentence="s", query_count=9, segment=segment,
    )  # fmt: skip


class _Askers:
    """Counts the queries of clients within a segment, and remembers what it was asked."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts
        self.asked: list[tuple[Segment, tuple[str, ...]]] = []

    def __call__(self, segment: Segment, clients: tuple[str, ...]) -> Mapping[str, int]:
        self.asked.append((segment, clients))
        return {client: self.counts[client] for client in clients if self.counts.get(client)}


def test_findings_about_clients_and_campaigns_pass_through_unasked() -> None:
    askers = _Askers()
    given_ = (_finding("c"), _finding("a", "b", kind=EntityKind.CAMPAIGN))
    assert attribute_networks(given_, askers) == given_
    assert askers.asked == []


def test_a_campaign_of_which_some_are_found_alone_still_names_all() -> None:
    given_ = (_finding("a"), _finding("a", "b", "c", kind=EntityKind.CAMPAIGN))
    assert attribute_networks(given_, _Askers(a=79, b=20, c=1)) == given_


def test_what_one_client_did_with_bystanders_is_no_finding_of_a_campaign() -> None:
    alone, campaign = _finding("a"), _finding("a", "b", kind=EntityKind.CAMPAIGN)
    assert attribute_networks([alone, campaign], _Askers(a=80, b=20)) == (alone,)
    assert attribute_networks([_finding("a", technique=EXTRACTION), campaign], _Askers(a=80, b=20))[1:] == (campaign,)


def test_a_network_with_a_client_suspicious_by_itself_says_nothing_new() -> None:
    network = _finding("a", "b", kind=NETWORK)
    for order in ((_finding("a"), network), (network, _finding("a"))):
        kept = attribute_networks(order, _Askers(a=5, b=5))
        assert [one.entity_kind for one in kept] == [EntityKind.CLIENT]


def test_another_technique_or_a_low_finding_explains_nothing() -> None:
    network = _finding("a", "b", kind=NETWORK, level=Severity.LOW)
    for other in (_finding("a", technique=EXTRACTION), _finding("a", level=Severity.LOW), _finding("c")):
        assert attribute_networks([other, network], _Askers(a=5, b=5)) == (other, network)


def test_a_network_most_of_whose_queries_one_suspicious_client_sent_names_no_neighbours() -> None:
    alone, network = _finding("a", technique=EXTRACTION), _finding("a", "b", kind=NETWORK)
    assert attribute_networks([alone, network], _Askers(a=51, b=49)) == (alone,)


def test_a_network_does_not_explain_another_network() -> None:
    one, two = (_finding(*pair, kind=NETWORK, level=Severity.LOW) for pair in ("ab", "bc"))
    assert attribute_networks([one, two], _Askers(a=5, b=5, c=5)) == (one, two)


def test_only_the_clients_that_asked_in_the_stretch_are_named() -> None:
    askers = _Askers(zoe=500, alice=480, bystander=19, quiet=0)
    segment = Segment(100, 200, "cat")
    network = _finding("alice", "bystander", "quiet", "zoe", kind=NETWORK, segment=segment)
    (kept,) = attribute_networks([network], askers)
    assert kept.clients == ("alice", "zoe")
    assert askers.asked == [(segment, ("alice", "bystander", "quiet", "zoe"))]
    assert (kept.id, kept.entity_id, kept.segment) == (network.id, network.entity_id, segment)


def test_two_in_a_hundred_are_enough_to_be_named() -> None:
    (kept,) = attribute_networks([_finding("a", "b", kind=NETWORK)], _Askers(a=98, b=2))
    assert kept.clients == ("a", "b")


def test_what_one_client_did_among_its_neighbours_is_no_finding_of_the_network() -> None:
    for counts in ({"a": 100}, {"a": 99, "b": 1}, {}):
        assert attribute_networks([_finding("a", "b", kind=NETWORK)], _Askers(**counts)) == ()


@pytest.mark.parametrize(("clients", "level"), [("abcd", Severity.LOW), ("abcde", Severity.HIGH)])
def test_of_few_neighbours_each_would_be_seen_by_itself_so_what_they_ask_together_is_low(
    clients: str, level: Severity
) -> None:
    (kept,) = attribute_networks([_finding(*clients, kind=NETWORK)], _Askers(**dict.fromkeys(clients, 100)))
    assert (kept.clients, kept.level) == (tuple(clients), level)


NAMES = st.sampled_from(["a", "b", "c", "d"])
FINDINGS = st.builds(
    lambda clients, kind, technique, level: _finding(
        *sorted(clients), kind=kind, technique=technique, level=level
    ),
    st.sets(NAMES, min_size=1), st.sampled_from([EntityKind.CLIENT, NETWORK, EntityKind.CAMPAIGN]),
    st.sampled_from([INVERSION, EXTRACTION]), st.sampled_from(list(Severity)),
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.lists(FINDINGS, max_size=8), st.dictionaries(NAMES, st.integers(0, 200)))
def test_whatever_was_found_nobody_is_added_and_no_client_finding_is_lost(
    findings: list[Finding], counts: dict[str, int]
) -> None:
    kept = attribute_networks(findings, _Askers(**counts))
    others = [one for one in findings if one.entity_kind is EntityKind.CLIENT]
    assert [one for one in kept if one.entity_kind is EntityKind.CLIENT] == others
    campaigns = [one for one in findings if one.entity_kind is EntityKind.CAMPAIGN]
    assert all(one in campaigns for one in kept if one.entity_kind is EntityKind.CAMPAIGN)
    before = Counter(one.technique for one in findings if one.entity_kind is NETWORK)
    after = Counter(one.technique for one in kept if one.entity_kind is NETWORK)
    assert after <= before
    for one in kept:
        if one.entity_kind is NETWORK:
            assert one.level is Severity.LOW
            assert len(one.clients) > 1
            assert all(counts.get(client, 0) > 0 for client in one.clients)
