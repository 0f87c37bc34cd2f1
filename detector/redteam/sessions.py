"""One client's part in a drill, and how it is played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.attacks.base import Attack, Knowledge, Outcome
from detector.redteam.evasions.staging import Stage, perform
from detector.redteam.evasions.tactic import PLAIN, Tactic
from detector.redteam.models import Sample, TargetModel
from detector.redteam.randomness import stream
from detector.redteam.workloads.base import Desk, carry_out

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.nights import Nights
    from detector.redteam.recorder import Activity, Service
    from detector.redteam.traffic import Client, Pace
    from detector.redteam.workloads.base import AnyWorkload

_POOL = 2_500
_EXAM_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Quarry:
    """The people an attacker is after, and what is true of them."""

    known: Sample
    """What the attacker knows of them; NaN where it does not."""
    truth: IntArray
    """What it wants to know, shape (n,): 1 for a member and 0 for others, or the level of a field."""


@dataclass(frozen=True, slots=True, eq=False)
class Strike:
    """One attack at one time."""

    attack: Attack
    begins: int
    """UTC microseconds."""
    pace: Pace
    quarry: Quarry | None = None
    tactic: Tactic = PLAIN
    """How the attacker hides."""


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What one client does on one model: ordinary work, an attack, or both."""

    name: str
    """Names the session's random stream; unlike any other in the scenario."""
    client: Client
    model: str
    workload: AnyWorkload | None = None
    """What the client does besides. Where several accounts share an attack, each does as much."""
    strike: Strike | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Struck:
    """A strike that took place."""

    strike: Strike
    crew: tuple[Client, ...]
    """The accounts that were to send the attack's queries, the session's client first."""
    activity: dict[str, Activity]
    """The attack's queries by account; without those accounts whose turn never came."""
    knowledge: Knowledge
    outcome: Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A session that took place."""

    session: Session
    struck: Struck | None = None


def play(session: Session, service: Service, nights: Nights, seed: int) -> Played:
    """Carry out `session` against `service`; its queries are recorded there."""
    strike = session.strike
    tactic = PLAIN if strike is None else strike.tactic
    crew = tactic.crew(session.client, stream(seed, session.name, "accounts"))
    if session.workload is not None:
        for number, client in enumerate(crew):
            names = ("workload",) if number == 0 else ("workload", number)
            rng = stream(seed, session.name, *names)
            carry_out(session.workload, Desk(service, client, rng), nights, rng)
    if strike is None:
        return Played(session)
    knowledge = outsider(service.model, strike.quarry, stream(seed, session.name, "knowledge"))
    stage = Stage(service, crew, strike.pace, strike.begins, nights.ends, seed, session.name)
    outcome, activity = perform(strike.attack, tactic, knowledge, stage)
    return Played(session, Struck(strike, crew, activity, knowledge, outcome))


def outsider(model: TargetModel, quarry: Quarry | None, rng: np.random.Generator) -> Knowledge:
    """Return what someone outside knows of `model`: its documentation, and records from the field."""
    order = rng.permutation(len(model.field))
    exam, own = np.split(model.field.rows[order], [int(_EXAM_SHARE * len(order))])
    copies = model.vary(own[rng.integers(len(own), size=max(0, _POOL - len(own)))], rng)
    nobody = Sample(np.empty((0, len(model.form.low))), np.empty(0, dtype=np.int64))
    return Knowledge(
        classes=model.classes,
        low=model.form.low,
        high=model.form.high,
        levels=model.form.levels,
        pool=np.vstack([own, copies]),
        exam=exam,
        candidates=nobody if quarry is None else quarry.known,
    )


def membership_quarry(model: TargetModel, count: int, rng: np.random.Generator) -> Quarry:
    """Return `count` people, half of them members (rounded down), the others from the hold-out, in random order."""
    members = rng.choice(len(model.train), size=count // 2, replace=False)
    others = rng.choice(len(model.holdout), size=count - count // 2, replace=False)
    inside, outside = model.train.take(members), model.holdout.take(others)
    order = rng.permutation(count)
    known = Sample(np.vstack([inside.rows, outside.rows]), np.concatenate([inside.labels, outside.labels]))
    return Quarry(known.take(order), (order < len(inside)).astype(np.int64))


def attribute_quarry(model: TargetModel, column: int, count: int, rng: np.random.Generator) -> Quarry:
    """Return `count` members of whom everything but the field `column` is known."""
    people = model.train.take(rng.choice(len(model.train), size=count, replace=False))
    masked: FloatArray = people.rows.copy()
    masked[:, column] = np.nan
    return Quarry(Sample(masked, people.labels), people.rows[:, column].astype(np.int64))
