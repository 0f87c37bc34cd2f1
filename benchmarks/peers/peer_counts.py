"""What teams do today: a limit on calls an hour, and an isolation forest on counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from peer_kinds import Judged
from sklearn.ensemble import IsolationForest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from peer_kinds import Judge
    from peer_logs import Night, Site

LIMIT = 500
_MINUTE = 60_000_000
_HOUR = 60 * _MINUTE
_TREES = 200


class CallsAnHour:
    """An alarm for whoever calls more than 500 times within any 60 minutes."""

    name = "500 calls an hour"
    source = "a cloud vendor's rule"

    def learn(self, site: Site) -> Judge:
        """Learn nothing: the limit is fixed."""
        del site
        return _judge_calls


def _judge_calls(night: Night) -> Judged:
    most = np.array([busiest(night.ts[rows], _HOUR) for rows in night.streams()], dtype=float)
    return Judged({f"above {LIMIT}": most > LIMIT}, {"busiest hour": most})


class CountsForest:
    """An isolation forest on what a rate dashboard shows, fitted to the learning nights."""

    name = "Isolation forest on counts"
    source = "Liu, Ting, Zhou, ICDM 2008"

    def learn(self, site: Site) -> Judge:
        """Fit the forest to the client-nights of the learning nights."""
        rows = np.concatenate([counts(night) for night in site.learning])
        forest = IsolationForest(n_estimators=_TREES, random_state=0).fit(rows)

        def judge(night: Night) -> Judged:
            score = -forest.score_samples(counts(night))
            return Judged({"above 0.5": score > 0.5}, {"score": score})

        return judge


def counts(night: Night) -> NDArray[np.float64]:
    """Return queries, busiest hour, busiest minute, hours with a query, median gap; shape (clients, 5), logarithms."""
    rows = []
    for stream in night.streams():
        ts = night.ts[stream]
        hours = len(np.unique(ts // _HOUR))
        gap = float(np.median(np.diff(ts))) / 1e6 if len(ts) > 1 else 86_400.0
        rows.append((len(ts), busiest(ts, _HOUR), busiest(ts, _MINUTE), hours, gap))
    return np.log1p(np.asarray(rows, dtype=float))


def busiest(ts: NDArray[np.int64], span: int) -> int:
    """Return the largest number of moments within any `span` (microseconds) of ascending `ts`."""
    return int((np.arange(1, len(ts) + 1) - np.searchsorted(ts, ts - span, side="right")).max())
