from __future__ import annotations

import numpy as np
from evidence_making import ATTACKER, BEGINS, SECOND, climb_incident, finding

from detector.evidence.reach import Outline, reach
from detector.model import Segment, Severity, Technique


def _outline(moments: list[float], client: list[int] | None = None) -> Outline:
    count = len(moments)
    ts = BEGINS + (np.array(moments) * SECOND).astype(np.int64)
    return Outline(
        id=np.arange(count),
        ts=ts,
        client=np.array(client or [0] * count, dtype=np.int32),
        label=np.zeros(count, dtype=np.int32),
        confidence=np.full(count, 0.5, dtype=np.float32),
        clients=(ATTACKER, "other"),
        labels=("3",),
    )


def _incident(*stretches: tuple[float, float, str | None]) -> object:
    findings = [
        finding(id=f"{i:016x}", segment=Segment(BEGINS + int(a * SECOND), BEGINS + int(b * SECOND), target))
        for i, (a, b, target) in enumerate(stretches)
    ]
    return climb_incident(findings=tuple(findings))


def test_a_stretch_is_followed_to_both_ends_of_its_burst() -> None:
    outline = _outline([i * 0.2 for i in range(300)])
    covered = reach(_incident((20, 30, "3")), outline)
    assert covered.telling.all()
    np.testing.assert_array_equal(covered.telling, covered.targets["3"][0])


def test_ordinary_queries_before_and_after_are_left_out() -> None:
    ordinary = [600.0 * i for i in range(10)]
    climb = [2500 + 0.1 * i for i in range(200)]
    outline = _outline(sorted([*ordinary, *climb]))
    covered = reach(_incident((0, 2519, "3")), outline)
    seconds = (outline.ts[covered.telling] - BEGINS) / SECOND
    assert len(seconds) == 200
    assert seconds.min() >= 2500


def test_a_pause_does_not_end_the_climb_but_a_long_one_does() -> None:
    first = [0.1 * i for i in range(100)]
    second = [300 + 0.1 * i for i in range(100)]
    third = [9000 + 0.1 * i for i in range(100)]
    covered = reach(_incident((2, 8, "3")), _outline([*first, *second, *third]))
    np.testing.assert_array_equal(covered.telling, [True] * 200 + [False] * 100)


def test_an_attacker_of_irregular_pace_is_kept_whole() -> None:
    rng = np.random.default_rng(3)
    moments = np.sort(np.cumsum(rng.exponential(60, size=80)))
    covered = reach(_incident((float(moments[10]) - 1, float(moments[60]) + 1, "3")), _outline(list(moments)))
    assert covered.telling[10:61].all()


def test_without_a_class_the_stretch_is_not_grown() -> None:
    outline = _outline([i * 0.2 for i in range(300)])
    covered = reach(_incident((20, 30, None)), outline)
    assert covered.telling.sum() == 51
    assert covered.targets == {}


def test_findings_that_say_where_come_before_those_of_whole_windows() -> None:
    outline = _outline([*(0.1 * i for i in range(100)), *(4000 + 0.1 * i for i in range(100))])
    covered = reach(_incident((0, 5000, None), (0, 9.9, "3")), outline)
    np.testing.assert_array_equal(covered.telling, [True] * 100 + [False] * 100)


def test_other_clients_are_no_evidence() -> None:
    outline = _outline([0.1 * i for i in range(100)], [i % 2 for i in range(100)])
    covered = reach(_incident((0, 10, "3")), outline)
    np.testing.assert_array_equal(covered.telling, [i % 2 == 0 for i in range(100)])


def test_a_stretch_that_holds_nothing_falls_back_on_the_incident() -> None:
    outline = _outline([10, 20, 30])
    incident = climb_incident(findings=(finding(segment=Segment(0, 1, "3")),))
    np.testing.assert_array_equal(reach(incident, outline).telling, [True] * 3)


def test_an_incident_of_anomalies_alone_has_evidence_too() -> None:
    odd = finding(technique=Technique.PROBING, level=Severity.LOW)
    incident = climb_incident(findings=(odd,), technique=Technique.PROBING, techniques=(Technique.PROBING,))
    assert reach(incident, _outline([1, 2, 3])).telling.all()


def test_an_empty_outline_covers_nothing() -> None:
    assert not reach(climb_incident(), _outline([])).telling.any()


def test_a_handful_of_ordinary_queries_hours_later_is_left_out_of_a_stretch_that_spans_the_night() -> None:
    climb = [0.2 * i for i in range(300)]
    later = [20_000 + 0.3 * i for i in range(8)]
    covered = reach(_incident((0, 21_000, "3")), _outline([*climb, *later]))
    np.testing.assert_array_equal(covered.telling, [True] * 300 + [False] * 8)


def test_a_second_session_hours_later_belongs_to_the_stretch() -> None:
    first, second = [0.2 * i for i in range(300)], [20_000 + 0.2 * i for i in range(100)]
    covered = reach(_incident((0, 21_000, "3")), _outline([*first, *second]))
    assert covered.telling.all()
