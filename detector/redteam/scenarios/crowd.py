"""The ordinary clients of a model, and how a client becomes a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.nights import HOUR, Nights
from detector.redteam.randomness import stream
from detector.redteam.sessions import Quarry, Session, Strike
from detector.redteam.traffic import Asking, Client, Pace
from detector.redteam.workloads.batch import NightlyBatch
from detector.redteam.workloads.ordinary import OrdinaryTraffic
from detector.redteam.workloads.probe import HealthProbe
from detector.redteam.workloads.retry import RetryStorm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.redteam.attacks.base import Attack
    from detector.redteam.models import TargetModel
    from detector.redteam.workloads.base import AnyWorkload

# Most clients want a label, some its confidence, few everything, the fewest the top classes.
_ASKING_SHARES = (0.42, 0.28, 0.2, 0.1)
_CROWD = 32
_CROWD_QUERIES = 2_100
_LARGEST_SHARE = 0.25
_PUBLIC = 40
_PUBLIC_QUERIES = 2_800
# Of all load in a trace of a shared prediction service, by its busiest client.
_GIANT_SHARE = 0.29
_LEAST_VOLUME = 5.0
_SERVANTS = 2


def asking_habits(model: TargetModel) -> tuple[Asking, ...]:
    """Return the ways in which ordinary clients ask, in the order of `_ASKING_SHARES`."""
    top = Asking(probabilities=True, top_k=min(3, len(model.classes) - 1))
    return (Asking(), Asking(confidence=True), Asking(probabilities=True), top)


def ordinary_users(model: TargetModel, seed: int) -> Iterator[Session]:
    """Yield the benign clients of `model`: a crowd with a heavy tail, a nightly job, a monitor, a retrying client."""
    rng = stream(seed, model.name, "crowd")
    shares = rng.pareto(1.3, size=_CROWD) + 0.15
    askings = asking_habits(model)
    for number, share in enumerate(np.minimum(shares / shares.sum(), _LARGEST_SHARE)):
        traffic = OrdinaryTraffic(
            volume=max(2.0, float(share) * _CROWD_QUERIES),
            busiest_hour=float(rng.normal(13.0, 3.0)) % 24,
            session=float(rng.uniform(4.0, 30.0)),
            gap_s=float(rng.uniform(2.0, 20.0)),
            asking=askings[int(rng.choice(len(askings), p=_ASKING_SHARES))],
        )
        yield user(f"{model.name} client {number}", model, traffic, seed)
    yield user(f"{model.name} nightly batch", model, NightlyBatch(hour=float(rng.uniform(1.0, 4.0))), seed)
    yield user(f"{model.name} monitor", model, HealthProbe(), seed)
    yield user(f"{model.name} retrying", model, RetryStorm(), seed)


def public(model: TargetModel, seed: int) -> Iterator[Session]:
    """Yield a larger crowd: heavy tails in who asks how much, in bursts and in gaps, and a giant among the clients."""
    rng = stream(seed, model.name, "public")
    shares = np.sort(rng.pareto(1.2, size=_PUBLIC) + 0.1)
    shares[:-1] *= (1 - _GIANT_SHARE) / shares[:-1].sum()
    shares[-1] = _GIANT_SHARE
    for number, share in enumerate(shares.tolist()):
        yield user(f"{model.name} public {number}", model, habitual(model, share * _PUBLIC_QUERIES, rng), seed)
    for number in range(_SERVANTS):
        batch = NightlyBatch(size=int(rng.integers(150, 500)), hour=float(rng.uniform(0.0, 5.0)))
        yield user(f"{model.name} batch {number}", model, batch, seed)
        probe = HealthProbe(every_s=float(rng.choice([120.0, 300.0, 600.0])))
        yield user(f"{model.name} probe {number}", model, probe, seed)
        yield user(f"{model.name} impatient {number}", model, RetryStorm(float(rng.uniform(20.0, 80.0))), seed)


def habitual(model: TargetModel, volume: float, rng: np.random.Generator) -> OrdinaryTraffic:
    """Draw the habits of an ordinary client with about `volume` queries a night."""
    askings = asking_habits(model)
    return OrdinaryTraffic(
        volume=max(_LEAST_VOLUME, volume),
        busiest_hour=float(rng.normal(13.0, 3.0)) % 24,
        night_share=float(rng.uniform(0.02, 0.5)),
        session=float(rng.uniform(2.0, 30.0)),
        gap_s=float(np.exp(rng.uniform(np.log(0.3), np.log(20.0)))),
        asking=askings[int(rng.choice(len(askings), p=_ASKING_SHARES))],
        tail=float(rng.uniform(1.2, 2.5)),
        weekend=float(rng.uniform(0.2, 1.1)),
    )


def user(name: str, model: TargetModel, workload: AnyWorkload, seed: int) -> Session:
    """Return a benign client called `name`."""
    return Session(name, Client.draw(stream(seed, name)), model.name, workload)


def attacker(
    name: str,
    model: TargetModel,
    attack: Attack,
    begins: int,
    *,
    seed: int,
    quarry: Quarry | None = None,
) -> Session:
    """Return an attacker with an ordinary past, who strikes once on the night that `begins` then, and ends on it."""
    rng = stream(seed, name, "habits")
    past = OrdinaryTraffic(
        volume=float(rng.uniform(10.0, 50.0)),
        busiest_hour=float(rng.normal(13.0, 3.0)) % 24,
        asking=attack.asking,
    )
    strike = Strike(attack, begins + int(rng.uniform(0.5, 20.0) * HOUR), Pace(float(rng.uniform(0.08, 0.6))), quarry)
    return Session(name, Client.draw(stream(seed, name)), model.name, past, strike)


def opening(nights: Nights, clean: int) -> int:
    """Return the first night, from 0, on which others than ordinary users come: after `clean` ones, if there are."""
    return min(clean, nights.count - 1)
