"""What the trees are taught of windows: which measurements, beside what is usual, and how much each window weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from detector.detect.learned.usual import Usual, beside
from detector.detect.learned.words import ORDINARY
from detector.features.registry import BY_NAME, NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Volume, pace and hours can be chosen, comparisons with other clients moved, and what a site gives may be missing.
_FAMILIES_LEFT_OUT = frozenset({"rhythm", "reference contact", "data quality"})
_LEFT_OUT = frozenset({"confidence_request_ratio", "confidence_request_lift", "parameter_rotation", "explain_ratio",
                       "gradient_ratio", "thread_length"})  # fmt: skip
# One natural query for each record, and nothing else: no window can show it, and to teach it is to accuse customers.
NOTHING_TO_SEE = frozenset({"extract_knockoff", "mia_score"})
# Customers are the many kinds that no workload is: they weigh as much as this many workloads.
_CUSTOMERS = 6.0
_BLINDED = 0.5
# Windows as they look on the first nights, when there is nothing usual yet.
_FIRST_NIGHTS = 0.5
READ = tuple(n for n in NAMES if BY_NAME[n].family not in _FAMILIES_LEFT_OUT and n not in _LEFT_OUT)
_OF_SCORES = tuple(
    n for n in READ
    if BY_NAME[n].family in {"confidence trajectory", "feedback"}
    or n in {"thread_ascent", "thread_rise", "parent_rank", "parent_rank_asymmetry", "offspring_selection",
             "offspring_asymmetry", "low_margin_ratio", "uncertainty_seeking"}
)  # fmt: skip
_DEVIATION = "usual_"
COLUMNS = (*READ, *(_DEVIATION + name for name in READ))


def beside_usual(table: pd.DataFrame) -> pd.DataFrame:
    """Return windows with the deviations of their measurements from what is usual for the clients of their model.

    Of what several clients send together nothing is known to be usual.
    """
    parts = []
    for _, own in table.groupby("model"):
        rows = own[list(READ)].to_numpy(dtype=np.float64)
        pooled = own["pooled"].to_numpy(dtype=bool)
        both = beside(rows, Usual.of(rows[~own["is_attack"].to_numpy(dtype=bool) & ~pooled]))
        both[pooled] = beside(rows[pooled], None)
        parts.append(pd.DataFrame(both, columns=list(COLUMNS), index=own.index))
    return pd.concat([table[["model", "kind", "is_attack"]], pd.concat(parts)], axis=1)


def _blinded(table: pd.DataFrame) -> pd.DataFrame:
    """Return benign windows once more as they look to whoever asks for labels alone.

    In the laboratory most workloads ask for scores; a forest that took labels alone for a sign would accuse customers.
    """
    benign = table[~table["is_attack"]].copy()
    benign[[*_OF_SCORES, *(_DEVIATION + name for name in _OF_SCORES)]] = np.nan
    return benign


def _of_first_nights(table: pd.DataFrame) -> pd.DataFrame:
    """Return windows once more as they look before the model has a baseline."""
    fresh = table.copy()
    fresh[[_DEVIATION + name for name in READ]] = np.nan
    return fresh


def weighed(table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return what to learn from, and its weights: every kind on every model alike, attacks together as benign work."""
    parts = (table, _blinded(table), _of_first_nights(table))
    share = np.repeat([1.0, _BLINDED, _FIRST_NIGHTS], [len(part) for part in parts])
    table = pd.concat(parts, ignore_index=True)
    weight = share / table.groupby(["kind", "model"])["kind"].transform("size").to_numpy()
    weight[(table["kind"] == ORDINARY).to_numpy()] *= _CUSTOMERS
    attack = table["is_attack"].to_numpy(dtype=bool)
    weight[attack] *= weight[~attack].sum() / max(weight[attack].sum(), 1e-12)
    return table, weight / weight.mean()
