"""Gathering the context of incidents: one pass over the store for all of them, bounded memory for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.config import ModelSettings
from detector.evidence import bystanders, canaries, columns, convergence, crowd, nearness, phases, portraits, pursuit
from detector.evidence.clock import night_bounds
from detector.evidence.context import RECONSTRUCTING, IncidentContext, Inputs, Queries, Timeline, Trace
from detector.evidence.outline import read_outlines
from detector.evidence.reach import reach
from detector.evidence.samples import read_training
from detector.model import InputKind
from detector.store import evidence as kept
from detector.store import evidence_queries as stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from detector.canary.declared import Declared
    from detector.config import Settings
    from detector.evidence.bystanders import ClientNight
    from detector.evidence.canaries import Approach
    from detector.evidence.context import Bystanders, Pursuit, Training
    from detector.evidence.crowd import Crowd
    from detector.evidence.reach import Outline, Reach
    from detector.features.schema import ModelSchema
    from detector.model import Incident
    from detector.store.engine import Store
    from detector.store.evidence import StoredWindow

MAX_QUERIES = 50_000
"""Telling queries of an incident that are held in memory at most."""

INPUT_BYTES = 64 * 1024 * 1024
"""Bytes of inputs of an incident that are held in memory at most."""

_BEST_SHARE = 0.1
_BINS_PER_NIGHT = 96


@dataclass(frozen=True, eq=False)
class Gathering:
    """What the incidents of one model share.

    Attributes:
        outline: queries of all their clients over all their nights.
        history: queries of the same clients in earlier nights.
        crowd: the model's other clients in the incidents' nights.
        suspects: clients in any incident of those nights above low.
        training: samples to compare with.
        schema: what the model's inputs look like, None where that is not known.
        canaries: the model's canaries, None where none are declared.
    """

    store: Store
    settings: Settings
    model: str
    outline: Outline
    history: Outline
    crowd: Crowd
    suspects: frozenset[str]
    training: Training
    schema: ModelSchema | None
    canaries: Declared | None
    _window_cache: dict[date, tuple[StoredWindow, ...]] = field(default_factory=dict)
    _sent_cache: dict[date, Mapping[str, ClientNight]] = field(default_factory=dict)
    _open_cache: dict[date, frozenset[str]] = field(default_factory=dict)

    def context(self, incident: Incident) -> IncidentContext:
        """Return the context of one of the incidents; its raw lines are still to be pinned."""
        covered = reach(incident, self.outline)
        chosen = _bounded(self.outline, covered)
        queries = self._queries(self.outline.id[chosen])
        found: tuple[Pursuit, ...] = ()
        if RECONSTRUCTING.intersection(incident.techniques):
            found = pursuit.find(queries, _rows_of_targets(covered, chosen))
        inputs = self._inputs(queries, found)
        found = tuple(convergence.settled(one, queries, inputs) for one in found)
        trace = self._trace(incident, np.flatnonzero(covered.telling), chosen)
        near = trace.near[trace.held] if trace is not None else np.empty(0, dtype=np.float32)
        found = tuple(phases.refine(one, queries, near) for one in found)
        told = phases.find(queries, found, near)
        begins = int(queries.ts.min()) if len(queries) else incident.first_ts
        files = kept.source_files(self.store, {int(number) for number in np.unique(queries.file_id)})
        shares = _shares(queries)
        return IncidentContext(
            incident=incident,
            settings=self.settings.models.get(self.model, ModelSettings()),
            queries=queries,
            query_total=int(covered.telling.sum()),
            telling_ids=self.outline.id[covered.telling],
            trace=trace,
            bystanders=self._bystanders(incident),
            approach=self._approach(covered.telling),
            inputs=inputs,
            classes=self.crowd.classes or queries.probabilities.classes,
            pursuits=found,
            patterns=phases.patterns(len(queries), told, incident.technique),
            phases=told,
            files=files,
            before=crowd.before(self.store, incident, self.history, self.outline, begins),
            peers=self.crowd.reference,
            timeline=_timeline(incident, self.outline, covered, self.settings),
            portraits=portraits.paint(incident, self._windows, self.suspects),
            training=self.training,
            baseline=next((finding.baseline for finding in incident.findings if finding.baseline), None),
            coverage=_coverage(shares),
            shares=shares,
        )

    def _windows(self, night: date) -> tuple[StoredWindow, ...]:
        if night not in self._window_cache:
            self._window_cache[night] = kept.night_windows(self.store, self.model, night)
        return self._window_cache[night]

    def _trace(self, incident: Incident, telling: NDArray[np.int64], chosen: NDArray[np.int64]) -> Trace | None:
        if not len(telling):
            return None
        clients = self.outline.client[telling]
        near = nearness.measure(self.store, self.schema, self.outline.id[telling], clients)
        begins, _ = night_bounds(min(incident.nights), self.settings.night_starts)
        return Trace(self.outline.ts[telling], clients, near, np.searchsorted(telling, chosen), begins)

    def _approach(self, telling: NDArray[np.bool_]) -> Approach | None:
        ids, ts = self.outline.id[telling], self.outline.ts[telling]
        return canaries.approach(self.store, self.schema, self.canaries, ids, ts)

    def _bystanders(self, incident: Incident) -> Bystanders | None:
        nights = sorted(incident.nights)[-bystanders.MAX_NIGHTS :]
        for night in nights:
            if night not in self._sent_cache:
                self._sent_cache[night] = bystanders.read_night(
                    self.store, self.model, night, self.settings.night_starts, self._windows(night)
                )
                self._open_cache[night] = bystanders.open_clients(self.store, self.model, night)
        suspects = frozenset(incident.clients).union(*(self._open_cache[night] for night in nights))
        return bystanders.gathered({night: self._sent_cache[night] for night in nights}, suspects, self.crowd.decimals)

    def _queries(self, ids: NDArray[np.int64]) -> Queries:
        table = stored.read_details(self.store, [int(one) for one in ids])
        return columns.queries(table, self.crowd.names, self.crowd.positions)

    def _inputs(self, queries: Queries, found: Sequence[Pursuit]) -> Inputs:
        order = _telling_first(queries, found)
        sizes = queries.input_bytes[order]
        rows = np.sort(order[np.cumsum(sizes) <= INPUT_BYTES])
        rows = rows[queries.input_kind[rows] != InputKind.NONE]
        table = stored.read_inputs(self.store, [int(one) for one in queries.id[rows]])
        return columns.inputs(table, rows)


def gather(store: Store, settings: Settings, incidents: Sequence[Incident]) -> dict[str, Gathering]:
    """Return, by model, what the incidents of that model share."""
    by_model: dict[str, list[Incident]] = {}
    for incident in incidents:
        by_model.setdefault(incident.model, []).append(incident)
    return {model: _gathering(store, settings, model, group) for model, group in sorted(by_model.items())}


def _gathering(store: Store, settings: Settings, model: str, incidents: Sequence[Incident]) -> Gathering:
    nights = sorted({night for incident in incidents for night in incident.nights})
    clients = sorted({client for incident in incidents for client in incident.clients})
    outline = read_outlines(store, model, clients, [night_bounds(night, settings.night_starts) for night in nights])
    schema = nearness.read_schema(store, model)
    site = settings.models.get(model, ModelSettings())
    return Gathering(
        store=store,
        settings=settings,
        model=model,
        outline=outline,
        history=crowd.read_history(store, model, incidents, settings.night_starts),
        crowd=crowd.read_crowd(store, model, nights, settings.night_starts),
        suspects=frozenset(crowd.incident_clients(store, model, nights)),
        training=read_training(site),
        schema=schema,
        canaries=canaries.read(schema, site),
    )


def _bounded(outline: Outline, covered: Reach) -> NDArray[np.int64]:
    """Return the telling queries to hold: all, or evenly spaced ones and the best ones where there are too many."""
    rows = np.flatnonzero(covered.telling)
    if len(rows) <= MAX_QUERIES:
        return rows
    best = int(MAX_QUERIES * _BEST_SHARE)
    value = np.nan_to_num(outline.confidence[rows], nan=-1.0)
    targets = [outline.labels.index(name) for name in covered.targets if name in outline.labels]
    if targets:
        value = np.where(np.isin(outline.label[rows], targets), value, -1.0)
    top = np.argsort(-value, kind="stable")[:best]
    even = np.linspace(0, len(rows) - 1, MAX_QUERIES - best).astype(np.int64)
    return rows[np.union1d(top, even)]


def _rows_of_targets(covered: Reach, chosen: NDArray[np.int64]) -> dict[str, tuple[NDArray[np.int64], str]]:
    return {name: (np.flatnonzero(mask[chosen]), rule) for name, (mask, rule) in covered.targets.items()}


def _telling_first(queries: Queries, found: Sequence[Pursuit]) -> NDArray[np.int64]:
    """Return the queries in the order in which their inputs are wanted: the best ones, then evenly spaced ones."""
    best = [row for one in found for row in (*one.best, *pursuit.milestones(one))]
    best += [row for one in found for row in pursuit.best_candidates(one, queries)]
    count = len(queries)
    wanted = np.zeros(count, dtype=np.int64)
    wanted[:] = _spread(count) + len(best)
    for place, row in enumerate(dict.fromkeys(best)):
        wanted[row] = place
    return np.argsort(wanted, kind="stable")


def _spread(count: int) -> NDArray[np.int64]:
    """Return a rank for each of `count` places such that the first ranks are spread evenly over all places."""
    steps = np.arange(count)
    # Reversed bits: every prefix of the order covers the whole range.
    width = max(1, int(count - 1).bit_length()) if count else 1
    rank = np.zeros(count, dtype=np.int64)
    for bit in range(width):
        rank |= ((steps >> bit) & 1) << (width - 1 - bit)
    return rank


def _timeline(incident: Incident, outline: Outline, covered: Reach, settings: Settings) -> Timeline | None:
    first, _ = night_bounds(min(incident.nights), settings.night_starts)
    last, end = night_bounds(max(incident.nights), settings.night_starts)
    # The outline holds the nights of other incidents too.
    rows = np.flatnonzero(outline.of(incident.clients) & (outline.ts >= first) & (outline.ts < end))
    if not len(rows):
        return None
    nights = range(first, last + 1, end - last)
    width = (end - last) // _BINS_PER_NIGHT
    bins = (outline.ts[rows] - first) // width
    count = _BINS_PER_NIGHT * len(nights)
    return Timeline(
        first,
        width,
        np.bincount(bins, minlength=count),
        np.bincount(bins[covered.telling[rows]], minlength=count),
        tuple(nights),
    )


def _shares(queries: Queries) -> dict[str, float]:
    if not len(queries):
        return {}
    listed: dict[str, Any] = {
        "an input": queries.input_kind != InputKind.NONE,
        "a label": np.array([label is not None for label in queries.label]),
        "a confidence": np.isfinite(queries.confidence),
        "probabilities": np.isfinite(queries.probabilities.values).any(axis=1),
        "a status": np.isfinite(queries.status),
    }
    return {name: float(np.mean(mask)) for name, mask in listed.items()}


def _coverage(shares: Mapping[str, float]) -> tuple[str, ...]:
    """Return sentences about what the log did not let us see."""
    what = {
        "an input": "what they asked cannot be shown",
        "a label": "which class they were answered is not known",
        "a confidence": "how sure the model was of them is not known",
        "probabilities": "of their answers only the label is known",
        "a status": "whether they succeeded is not known",
    }
    return tuple(
        f"{'All' if share == 0 else f'{1 - share:.1%} of the'} telling queries lack {name}: {what[name]}."
        for name, share in shares.items()
        if share < 1
    )
