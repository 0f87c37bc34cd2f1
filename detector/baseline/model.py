"""What normal looks like for a model: feature distributions of benign windows, frozen and versioned."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from detector.errors import BaselineError
from detector.features.npz import read_npz
from detector.features.registry import BY_NAME, NAMES
from detector.model import Horizon

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd
    from numpy.typing import NDArray

FEWEST_WINDOWS = 20
TAIL_SHARE = 0.05
# Beyond the largest benign value an exponential tail is trusted for two more decades, no further.
TRUSTED_DECADES = 2.0
FINEST = 0.01


class BaselineKind(StrEnum):
    """Where a baseline comes from."""

    PROVISIONAL = "provisional"
    LEARNED = "learned"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Baseline:
    """A frozen description of the benign windows of a model.

    Attributes:
        id: `MODEL@VERSION`.
        model, version, kind: which model, which try, from where.
        nights: the nights that it was learned from.
        clients: how many clients gave windows.
        left_out: clients that were left out, with the reason.
        night: float64 (W, F) benign nightly windows, a column a registered feature, NaN is null.
        trailing: the same for trailing windows.
    """

    id: str
    model: str
    version: int
    kind: BaselineKind
    nights: tuple[date, ...]
    clients: int
    left_out: tuple[tuple[str, str], ...]
    night: NDArray[np.float64]
    trailing: NDArray[np.float64]

    def matrix(self, horizon: Horizon) -> NDArray[np.float64]:
        """Benign windows of one horizon; nightly ones stand in where there are too few trailing ones."""
        if horizon is Horizon.TRAILING and len(self.trailing) >= FEWEST_WINDOWS:
            return self.trailing
        return self.night

    def tails(self, frame: pd.DataFrame, horizon: Horizon) -> pd.DataFrame:
        """Return `<feature>_tail` columns: minus log10 of each value's tail probability among benign windows.

        Args:
            frame: windows of one horizon, a column a feature.
            horizon: which.
        """
        import pandas as pd

        columns = {}
        for position, name in enumerate(NAMES):
            benign = self.sorted_columns[horizon][position]
            columns[f"{name}_tail"] = tail(frame[name].to_numpy(dtype=np.float64), benign, BY_NAME[name].suspicious)
        return pd.DataFrame(columns, index=frame.index)

    @cached_property
    def sorted_columns(self) -> dict[Horizon, list[NDArray[np.float64]]]:
        """Each feature's benign values, ascending, without nulls."""
        return {h: [np.sort(column[~np.isnan(column)]) for column in self.matrix(h).T] for h in Horizon}

    def body(self) -> str:
        """What is not an array, as canonical JSON."""
        told = {
            "features": NAMES,
            "nights": [night.isoformat() for night in self.nights],
            "clients": self.clients,
            "left_out": self.left_out,
            "windows": {"night": len(self.night), "trailing": len(self.trailing)},
        }
        return json.dumps(told, sort_keys=True, ensure_ascii=True)

    def arrays(self) -> bytes:
        """The arrays as npz bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, night=self.night, trailing=self.trailing)
        return buffer.getvalue()


def load_arrays(blob: bytes, told: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read what `arrays` wrote, its columns put in the order of the features registered today.

    Args:
        blob: npz bytes.
        told: the features registered when it was written.

    Raises:
        BaselineError: the bytes are damaged.
    """
    try:
        night, trailing = read_npz(blob, "night", "trailing")
    except ValueError as error:
        raise BaselineError(f"the baseline's arrays cannot be read: {error}") from error
    if night.shape[1:] != (len(told),) or trailing.shape[1:] != (len(told),):
        raise BaselineError("the baseline's arrays belong to other features", expected=f"{len(told)} columns")
    place = {name: position for position, name in enumerate(told)}
    return _reordered(night, place), _reordered(trailing, place)


def _reordered(matrix: NDArray[np.float64], place: dict[str, int]) -> NDArray[np.float64]:
    out = np.full((len(matrix), len(NAMES)), np.nan)
    for position, name in enumerate(NAMES):
        if name in place:
            out[:, position] = matrix[:, place[name]]
    return out


def tail(values: NDArray[np.float64], benign: NDArray[np.float64], suspicious: str) -> NDArray[np.float64]:
    """Return minus log10 of the probability that a benign value lies as far out; null without enough to compare.

    Args:
        values: (n,) what was measured.
        benign: (m,) benign values, ascending.
        suspicious: "high", "low", or "both" (twice the smaller probability).
    """
    if len(benign) < FEWEST_WINDOWS:
        return np.full(len(values), np.nan)
    high = _upper_tail(values, benign)
    if suspicious == "high":
        out = high
    else:
        low = _upper_tail(-values, -benign[::-1])
        out = low if suspicious == "low" else np.maximum(np.maximum(high, low) - np.log10(2.0), 0.0)
    return np.where(np.isnan(values), np.nan, out)


def _upper_tail(values: NDArray[np.float64], benign: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(benign)
    at_least = count - np.searchsorted(benign, values, side="left")
    empirical = -np.log10((at_least + 1.0) / (count + 1.0))
    start = benign[int(np.ceil((1.0 - TAIL_SHARE) * count)) - 1]
    excess = benign[benign > start] - start
    # Where benign values hardly differ, a hair's breadth beyond them is no surprise either.
    mean = max(float(excess.mean()) if len(excess) else 0.0, FINEST * (1.0 + abs(float(start))))
    beyond = -np.log10(TAIL_SHARE) + (values - start) / mean / np.log(10.0)
    limit = np.log10(count + 1.0) + TRUSTED_DECADES
    return np.where(values > benign[-1], np.clip(beyond, empirical, limit), empirical)
