"""The report's figures as the numbers that they are drawn from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.custody.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.evidence.context import IncidentContext, Peculiarity, Reference, WindowPortrait

_QUANTILES = 101


def figures(context: IncidentContext) -> Mapping[str, Any]:
    """Return each figure by the name of its file."""
    attack = context.queries.confidence[np.isfinite(context.queries.confidence)]
    groups = {"attack": np.sort(attack).tolist(), "before": _group(context.before), "benign": _group(context.peers)}
    return {
        "confidence": groups,
        "portraits": [plain(_bounded(one)) for one in context.portraits],
        "pursuits": plain(context.pursuits),
        "timeline": plain(context.timeline),
    }


def _group(reference: Reference | None) -> dict[str, Any] | None:
    """Return a comparison group's answers; its inputs are other people's and stay out."""
    if reference is None:
        return None
    known = np.sort(reference.confidence)
    return {"clients": reference.clients, "nights": list(reference.nights), "confidence": plain(known)}


def _bounded(portrait: WindowPortrait) -> WindowPortrait:
    return replace(portrait, peculiarities=tuple(_quantiles(one) for one in portrait.peculiarities))


def _quantiles(one: Peculiarity) -> Peculiarity:
    """Return the peers' values as percentiles where they are more: a model can have many thousand clients."""
    if len(one.peers) <= _QUANTILES:
        return one
    return replace(one, peers=np.quantile(one.peers, np.linspace(0, 1, _QUANTILES)))
