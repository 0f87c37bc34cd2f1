"""How an attack is carried out under a tactic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.evasions.clocks import PacedClock
from detector.redteam.evasions.cover import cover_traffic
from detector.redteam.evasions.crew import Rota
from detector.redteam.evasions.disguise import Disguise
from detector.redteam.evasions.patience import PatientClock
from detector.redteam.nights import SECOND
from detector.redteam.oracle import Manner, Oracle
from detector.redteam.randomness import stream
from detector.redteam.recorder import Activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.redteam.arrays import IntArray
    from detector.redteam.attacks.base import Attack, Knowledge, Outcome
    from detector.redteam.evasions.tactic import Tactic
    from detector.redteam.recorder import Service
    from detector.redteam.traffic import Asking, Client, Pace

# Climbs that run side by side do not start in the same second.
_APART_S = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Where and when an attack takes place."""

    service: Service
    crew: tuple[Client, ...]
    """The accounts that send it, at least one."""
    pace: Pace
    begins: int
    """UTC microseconds."""
    ends: int
    """UTC microseconds at which the drill ends."""
    seed: int
    name: str
    """Names the random streams of all that happens here."""

    def chance(self, *names: str | int) -> np.random.Generator:
        """Return the generator of one actor."""
        return stream(self.seed, self.name, *names)


def perform(attack: Attack, tactic: Tactic, knowledge: Knowledge, stage: Stage) -> tuple[Outcome, dict[str, Activity]]:
    """Carry out `attack` under `tactic`.

    Returns:
        What came of it, and when each account sent how many of its queries; decoys count, cover does not. Accounts
        without a logged query are not named.
    """
    asking = replace(attack.asking, decimals=tactic.decimals)
    outcome, times = _run(attack, tactic, knowledge, stage, asking, climb=0)
    sent = [times]
    for number, decoy in enumerate(_decoys(attack, tactic, knowledge, stage), start=1):
        sent.append(_run(decoy, tactic, knowledge, stage, asking, climb=number)[1])
    together = {
        client.client_id: np.sort(np.concatenate([each[client.client_id] for each in sent if client.client_id in each]))
        for client in stage.crew
        if any(client.client_id in each for each in sent)
    }
    if tactic.cover:
        for client in stage.crew:
            _cover(client, together, tactic, knowledge, stage, asking)
    activity = {name: Activity(int(own[0]), int(own[-1]), len(own)) for name, own in together.items()}
    return outcome, activity


def _run(
    attack: Attack, tactic: Tactic, knowledge: Knowledge, stage: Stage, asking: Asking, *, climb: int
) -> tuple[Outcome, dict[str, IntArray]]:
    """Carry out one of the climbs that run side by side; number 0 is the one that matters."""
    suffix = () if climb == 0 else (climb,)
    line = stage.chance("line", *suffix)
    begins = stage.begins + int(climb * _APART_S * SECOND)
    clock = (
        PacedClock(stage.pace, line, begins)
        if tactic.nightly is None
        else PatientClock(tactic.nightly / (1 + tactic.decoys), stage.chance("hours", *suffix), begins)
    )
    disguise = (
        Disguise(stage.service.model.form, tactic.jitter, stage.chance("disguise", *suffix), fresh=tactic.fresh)
        if tactic.jitter or tactic.fresh
        else None
    )
    manner = Manner(Rota(stage.crew, tactic.stretch), clock, disguise, stage.ends)
    oracle = Oracle(stage.service, stage.crew[0], asking, stage.pace, line, begins=begins, manner=manner)
    outcome = attack.run(oracle, knowledge, stage.chance("attack", *suffix))
    if disguise is not None and outcome.best is not None:
        outcome = replace(outcome, best=disguise.sent_instead_of(outcome.best))
    return outcome, oracle.times


def _decoys(attack: Attack, tactic: Tactic, knowledge: Knowledge, stage: Stage) -> Iterator[Attack]:
    """Yield the same attack on other classes."""
    others = [number for number in range(len(knowledge.classes)) if number != getattr(attack, "target", None)]
    for target in stage.chance("decoys").permutation(others)[: tactic.decoys].tolist():
        yield replace(attack, target=target)  # type: ignore[type-var]


def _cover(
    client: Client,
    together: dict[str, IntArray],
    tactic: Tactic,
    knowledge: Knowledge,
    stage: Stage,
    asking: Asking,
) -> None:
    """Send natural queries between those of one account."""
    times = together.get(client.client_id, np.empty(0, dtype=np.int64))
    rng = stage.chance("cover", client.client_id)
    stage.service.serve(client, cover_traffic(times, tactic.cover, knowledge.pool, stage.service.model, asking, rng))
