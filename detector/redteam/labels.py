"""What a drill knows of its clients: the truth, for measuring, and never for detecting."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.nights import iso
from detector.redteam.randomness import hex_ids, stream
from detector.redteam.referee import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Activity
    from detector.redteam.sessions import Played, Session, Struck
    from detector.redteam.traffic import Client


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one client on one model; the fields are the columns of labels.csv."""

    client_id: str
    model: str
    is_attack: bool
    technique: str
    """benign, inversion, membership, attribute, extraction or evasion."""
    family: str
    variant: str
    """How the attacker hid; plain if it did not."""
    trace_id: str
    """One for all accounts of an attack."""
    first_ts: str
    """ISO-8601 UTC: the attack's first query, or the client's if it is benign."""
    last_ts: str
    n_attack_queries: int
    n_queries: int
    target: str | None = None
    success: bool | None = None
    resembles: bool | None = None
    final_confidence: float | None = None
    """The highest confidence in the target that an inversion was shown."""


def labels_of(played: Played, model: TargetModel, seen: Mapping[str, Activity], seed: int) -> Iterator[Label]:
    """Yield the truth about each account of a session that took place; one that never asked has none.

    Args:
        played: the session.
        model: the model that it was played on.
        seen: all that each client did on that model, by its id.
        seed: the drill's.
    """
    session, struck = played.session, played.struck
    shared = hex_ids(stream(seed, session.name, "trace"), 1, 16)[0]
    verdict = None if struck is None else _verdict(struck, model)
    for client in (session.client,) if struck is None else struck.crew:
        if client.client_id not in seen:
            continue
        attacked = None if struck is None else struck.activity.get(client.client_id)
        if struck is None or verdict is None or attacked is None:
            names = ("trace",) if client == session.client else ("trace", client.client_id)
            trace = hex_ids(stream(seed, session.name, *names), 1, 16)[0]
            yield _peaceful(client, session, seen[client.client_id], trace)
        else:
            peaceful = _peaceful(client, session, seen[client.client_id], shared)
            yield _attacker(peaceful, struck, attacked, verdict)


def _peaceful(client: Client, session: Session, activity: Activity, trace: str) -> Label:
    """Return the label of an account that did its ordinary work."""
    first, last = iso(np.array([activity.first, activity.last]))
    return Label(
        client_id=client.client_id,
        model=session.model,
        is_attack=False,
        technique="benign",
        family=session.workload.family if session.workload else "benign",
        variant="plain",
        trace_id=trace,
        first_ts=first,
        last_ts=last,
        n_attack_queries=0,
        n_queries=activity.queries,
    )


def _attacker(peaceful: Label, struck: Struck, attacked: Activity, verdict: Verdict) -> Label:
    """Return the label of an attacker's account, given what it would be without the attack."""
    attack, outcome = struck.strike.attack, struck.outcome
    first, last = iso(np.array([attacked.first, attacked.last]))
    return replace(
        peaceful,
        is_attack=True,
        technique=attack.technique,
        family=attack.family,
        variant=struck.strike.tactic.variant,
        first_ts=first,
        last_ts=last,
        n_attack_queries=attacked.queries,
        target=outcome.target,
        success=verdict.success,
        resembles=verdict.resembles,
        final_confidence=outcome.confidence if attack.technique == "inversion" else None,
    )


def _verdict(struck: Struck, model: TargetModel) -> Verdict:
    return judge(struck.strike.attack.technique, model, struck.outcome, struck.knowledge, struck.strike.quarry)


def labels_csv(labels: tuple[Label, ...]) -> str:
    """Return the text of labels.csv, a line for each client and model."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in fields(Label)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in labels)
    return text.getvalue()
