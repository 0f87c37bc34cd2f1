from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incident_making import HOUR, campaign, finding, network, night

from detector.config import ClientSettings, Settings
from detector.incidents import profile
from detector.incidents.building import build
from detector.incidents.document import moment
from detector.incidents.grouping import Group
from detector.incidents.profile import _Stretch, most_queries
from detector.model import RESEMBLANCE, EntityKind, Finding, Horizon, Member, Segment, Severity, Technique, Trigger
from detector.store.incident_bodies import StoredFinding

INVERSION, MEMBERSHIP, ATTRIBUTE, EXTRACTION, EVASION, PROBING = Technique


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (
            [
                finding(technique=PROBING, level=Severity.LOW),
                finding(technique=INVERSION, level=Severity.MEDIUM),
                finding(technique=EXTRACTION, level=Severity.HIGH),
            ],
            (EXTRACTION, INVERSION, PROBING),
        ),
        (
            [
                finding(technique=INVERSION, rule="a"),
                finding(technique=EVASION, rule="b"),
                finding(technique=EVASION, rule="c"),
            ],
            (EVASION, INVERSION),
        ),
        (
            [
                finding(technique=EVASION, rule="b"),
                finding(technique=EVASION, rule="c"),
                finding(technique=MEMBERSHIP, rule=RESEMBLANCE),
            ],
            (MEMBERSHIP, EVASION),
        ),
        (
            [
                finding(technique=EVASION, level=Severity.HIGH),
                finding(technique=MEMBERSHIP, level=Severity.MEDIUM, rule=RESEMBLANCE),
            ],
            (EVASION, MEMBERSHIP),
        ),
        ([finding(technique=EVASION), finding(technique=ATTRIBUTE)], (ATTRIBUTE, EVASION)),
    ],
)
def test_techniques(findings: list[Finding], expected: tuple[Technique, ...]) -> None:
    assert profile.rank_techniques(findings) == expected


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([finding(p=0.01), finding(p=0.2)], 0.99),
        ([finding(p=0.2), finding(level=Severity.MEDIUM)], 0.9),
        ([finding(level=Severity.LOW)], 0.5),
        ([finding(level=Severity.HIGH)], 0.99),
        ([finding(level=Severity.CRITICAL)], 0.999),
        ([finding(p=0.0)], 0.99),
        ([finding(p=1e-6, level=Severity.MEDIUM)], 0.9),
        ([finding(rule=RESEMBLANCE, p=0.0005)], 0.9995),
        ([finding(rule=RESEMBLANCE, p=0.0005, level=Severity.LOW)], 0.5),
        ([finding(rule=RESEMBLANCE, p=0.04, level=Severity.MEDIUM), finding(p=1e-6, level=Severity.LOW)], 0.96),
    ],
)
def test_score(findings: list[Finding], expected: float) -> None:
    assert profile.score(findings) == expected


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([finding()], None),
        ([finding(p=0.2), finding(p=0.01), finding()], 0.01),
        ([finding(p=1e-6), finding(rule=RESEMBLANCE, p=0.04), finding(rule=RESEMBLANCE, p=0.03)], 0.03),
    ],
)
def test_the_tail_of_one_feature_is_not_how_rare_all_of_it_is(findings: list[Finding], expected: float | None) -> None:
    assert profile.rarity(findings) == expected


def test_atlas_ids_come_from_the_findings_or_else_from_the_technique() -> None:
    findings = [finding(atlas=("AML.T0024.001", "AML.T0021")), finding(technique=EVASION)]
    assert profile.atlas(findings, (EVASION, INVERSION)) == ("AML.T0043.001", "AML.T0024.001", "AML.T0021")


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([finding("a"), network("10.0.0.0/24", ["a"])], (EntityKind.CLIENT, "a")),
        ([finding("a"), network("10.0.0.0/24", ["a", "b"])], (EntityKind.NETWORK, "10.0.0.0/24")),
        ([network("10.0.0.0/24", ["a"]), campaign("x", ["a", "b"])], (EntityKind.CAMPAIGN, "x")),
        (
            [campaign("x", ["a", "b"], level=Severity.LOW), campaign("y", ["a", "b"], 1)],
            (EntityKind.CAMPAIGN, "y"),
        ),
        ([network("10.0.0.0/24", [])], (EntityKind.NETWORK, "10.0.0.0/24")),
    ],
)
def test_entity(findings: list[Finding], expected: tuple[EntityKind, str]) -> None:
    found = profile.entity(findings)
    assert (found.kind, found.id) == expected


def test_members_are_the_clients_whose_queries_are_evidence() -> None:
    findings = [
        StoredFinding(finding("a", 0, query_count=300)),
        StoredFinding(finding("a", 0, rule="other", query_count=300)),
        StoredFinding(finding("a", 1, query_count=200, level=Severity.LOW)),
        StoredFinding(campaign("x", ["a", "b"], 1, query_count=900), shares=(("a", 200), ("b", 700))),
    ]
    found = profile.members(findings)
    assert found == (
        Member("b", (night(1),), 700, Severity.HIGH),
        Member("a", (night(0), night(1)), 500, Severity.HIGH),
    )
    assert profile.query_count(findings, found) == 1200


def test_a_night_of_weak_signs_alone_is_no_night_of_the_accused() -> None:
    findings = [
        StoredFinding(finding("a", 0, level=Severity.LOW)),
        StoredFinding(finding("a", 1, level=Severity.MEDIUM)),
        StoredFinding(finding("b", 0, level=Severity.LOW)),
        StoredFinding(finding("b", 2, level=Severity.LOW)),
    ]
    found = {one.client: one.nights for one in profile.members(findings)}
    assert found == {"a": (night(1),), "b": (night(0), night(2))}


def test_windows_that_overlap_are_not_counted_twice() -> None:
    findings = [
        StoredFinding(finding("a", 0, query_count=300)),
        StoredFinding(finding("a", 6, query_count=350, horizon=Horizon.TRAILING)),
        StoredFinding(finding("a", 7, query_count=100)),
        StoredFinding(finding("a", 7, query_count=120, horizon=Horizon.TRAILING)),
    ]
    assert profile.members(findings)[0].query_count == 450


stretches = st.lists(
    st.builds(
        lambda first, length, count: _Stretch(first, first + length, count),
        st.integers(0, 20),
        st.sampled_from([0, 6]),
        st.integers(0, 50),
    ),
    max_size=8,
)


@given(stretches)
def test_the_count_is_the_heaviest_choice_without_overlap(made: list[_Stretch]) -> None:
    best = 0
    for choice in range(1 << len(made)):
        chosen = sorted(
            (one for index, one in enumerate(made) if choice >> index & 1), key=lambda one: (one.first, one.last)
        )
        if all(one.last < other.first for one, other in pairwise(chosen)):
            best = max(best, sum(one.count for one in chosen))
    assert most_queries(made) == best


def test_a_summary_names_the_workload_that_explains() -> None:
    lowered = replace(finding(level=Severity.LOW), explained_by="a LIME explainer: no class is pursued")
    assert "in a way that behaves like a LIME explainer: no class is pursued; what it" in summary_of([lowered], {})
    unlike = finding("b", level=Severity.MEDIUM)
    assert "in a way that resembles" in summary_of([lowered, unlike], {})


def summary_of(findings: list[Finding], clients: dict[str, ClientSettings]) -> str:
    group = Group("INC-000000000000", tuple(StoredFinding(one) for one in findings))
    return build(group, Settings(clients=clients)).incident.summary


def test_a_commander_reads_who_what_how_far_since_when_and_how_sure() -> None:
    findings = [
        finding("svc", family="miface", target="7", p=0.001, trigger=(Trigger("final_confidence", 0.973),)),
        finding("svc", 2, technique=PROBING, rule="sweep", level=Severity.LOW, query_count=64),
    ]
    assert summary_of(findings, {"svc": ClientSettings(workload="nightly batch")}) == (
        "Client svc queried the model digits in a way that resembles model inversion: steering queries by the answers "
        "towards an input that looks like a training record (closest known form: miface). The best confidence reached "
        "towards class 7 is 0.97. Seen in 2 nights since 2026-11-10, last on 2026-11-12: 1,064 queries. How sure: "
        "strong evidence; about 1 in 1,000 benign windows looks like this (2 rules, the highest level high). "
        "Signs of probing go with it. Declared by the site: svc as 'nightly batch'; "
        "check whether that workload explains what was seen."
    )


@pytest.mark.parametrize(
    ("made", "opening"),
    [
        (campaign("x", ["a", "b", "c", "d", "e"]), "5 accounts acting together (a, b, c and 2 more) queried"),
        (network("10.0.0.0/24", ["a", "b"]), "2 clients in the network 10.0.0.0/24 (a and b) queried"),
        (network("10.0.0.0/24", []), "Clients in the network 10.0.0.0/24 queried"),
        (finding("x" * 70), f"Client {'x' * 59}… queried"),
    ],
)
def test_who(made: Finding, opening: str) -> None:
    assert summary_of([made], {}).startswith(opening)


@pytest.mark.parametrize(
    ("level", "p", "expected"),
    [
        (Severity.LOW, 1e-9, "weak"),
        (Severity.MEDIUM, 1e-9, "moderate"),
        (Severity.HIGH, 1e-9, "strong"),
        (Severity.CRITICAL, 1e-9, "very strong"),
        (Severity.CRITICAL, 0.05, "moderate"),
        (Severity.CRITICAL, 0.5, "weak"),
    ],
)
def test_rare_is_not_yet_an_attack(level: Severity, p: float, expected: str) -> None:
    assert f"How sure: {expected} evidence;" in summary_of([finding(level=level, p=p)], {})


def test_an_anomaly_is_not_called_an_attack() -> None:
    assert summary_of([finding(rule="anomaly.tail", level=Severity.LOW, technique=PROBING)], {}).startswith(
        "Client alice queried the model digits in an unusual way, in which no rule recognises an attack. Seen in"
    )


DAY = 86_400_000_000
AT = finding().segment.first_ts


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([finding(), finding(offset=2)], (AT, AT + 2 * DAY + HOUR)),
        ([finding(), finding(rule="anomaly.tail", segment=Segment(AT - DAY, AT + DAY))], (AT, AT + HOUR)),
        ([finding(), finding(horizon=Horizon.TRAILING, segment=Segment(AT - 6 * DAY, AT))], (AT, AT + HOUR)),
        (
            [
                finding(level=Severity.LOW),
                finding(horizon=Horizon.TRAILING, segment=Segment(AT - 6 * DAY, AT), rule="slow"),
            ],
            (AT - 6 * DAY, AT + HOUR),
        ),
        ([finding(rule="anomaly.tail", segment=Segment(AT - DAY, AT + DAY))], (AT - DAY, AT + DAY)),
    ],
)
def test_when_it_began_and_ended(findings: list[Finding], expected: tuple[int, int]) -> None:
    assert profile.span(findings) == expected


def test_a_target_is_told_although_nobody_measured_how_far_it_went() -> None:
    assert "It was directed towards classes 7 and 9." in summary_of([finding(target="7"), finding("b", target="9")], {})


@pytest.mark.parametrize(
    ("micros", "expected"),
    [
        (1_794_279_600_000_001, "2026-11-10T03:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (2**63 - 1, "9999-12-31T23:59:59.999999Z"),
        (-(2**63), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_moments_are_told_in_utc_with_microseconds(micros: int, expected: str) -> None:
    assert moment(micros) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (None, "how often benign clients look like this has not been measured"),
        (0.0, "no benign window measured looked like this"),
        (0.25, "25% of benign windows look like this"),
        (1 / 777, "about 1 in 780 benign windows looks like this"),
        (1 / 123_456, "about 1 in 120,000 benign windows looks like this"),
    ],
)
def test_how_sure(p: float | None, expected: str) -> None:
    assert expected in summary_of([finding(p=p)], {})


def test_nights_are_days_of_the_calendar() -> None:
    assert night(1) == date(2026, 11, 11)
