"""The settings of an attacker's camouflage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from detector.redteam.attacks.base import Attack
    from detector.redteam.models import TargetModel
    from detector.redteam.traffic import Client


@dataclass(frozen=True, slots=True)
class Tactic:
    """What an attacker does against being found; all of it combines with any attack."""

    variant: str = "plain"
    """The tactic's name, as labels.csv gives it."""
    accounts: int = 1
    """Accounts that send the attack's queries in turn."""
    stretch: int = 1
    """Queries that one account sends in a row before the next one takes over."""
    one_network: bool = False
    """Whether all accounts have addresses in one /24; otherwise each has one of its own."""
    nightly: float | None = None
    """Mean queries a night, at the hours and in the bursts of an ordinary client; None for the attack's own pace."""
    cover: float = 0.0
    """Share of natural queries among all that the accounts send while the attack lasts, 0 to below 1."""
    decimals: int | None = None
    """Decimals of the probabilities that the service gives out; None for all of them. Not the attacker's choice."""
    jitter: float = 0.0
    """Standard deviation of noise on every number of every input, as a share of its column's range."""
    fresh: bool = False
    """Whether an input that was sent before is changed by a hair, so that no two are equal."""
    decoys: int = 0
    """Further classes that are climbed at the same time, with the same algorithm."""

    def fits(self, attack: Attack, model: TargetModel) -> bool:
        """Whether the tactic changes anything about `attack` on `model`."""
        numbers = 0 in model.form.levels
        return (
            (self.decimals is None or attack.asking.probabilities)
            and (numbers or not (self.jitter or self.fresh))
            and (not self.decoys or (hasattr(attack, "target") and len(model.classes) > self.decoys))
        )

    def crew(self, client: Client, rng: np.random.Generator) -> tuple[Client, ...]:
        """Return the accounts that attack together, `client` first."""
        others = (client.neighbour(rng) if self.one_network else client.draw(rng) for _ in range(self.accounts - 1))
        return (client, *others)


PLAIN = Tactic()
"""No camouflage."""
TACTICS: tuple[Tactic, ...] = (
    PLAIN,
    Tactic("accounts10", accounts=10),
    Tactic("accounts10_stretch", accounts=10, stretch=25),
    Tactic("accounts10_network", accounts=10, one_network=True),
    Tactic("accounts50", accounts=50),
    Tactic("accounts50_stretch", accounts=50, stretch=8),
    Tactic("accounts200", accounts=200),
    Tactic("slow", nightly=300.0),
    Tactic("cover80", cover=0.8),
    Tactic("coarse2", decimals=2),
    Tactic("coarse1", decimals=1),
    Tactic("jitter", jitter=0.01),
    Tactic("fresh", fresh=True),
    Tactic("decoys", decoys=3),
)
"""The tactics that drills stage; the first is none at all."""


def tactic(variant: str) -> Tactic:
    """Return the tactic of that name; KeyError if there is none."""
    return {each.variant: each for each in TACTICS}[variant]
