"""The drawn sections of an incident page: climbs, distributions, reconstructions, features."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.comparison import told as told_verdict
from detector.evidence.shapes import is_channels_first
from detector.features.registry import BY_NAME
from detector.model import InputKind
from detector.report import alike, rulebook, words
from detector.report.charts import distribution, picture, strip, trajectory
from detector.report.view import (
    ClimbView,
    DistributionView,
    PhaseRow,
    PictureView,
    PortraitView,
    ReconstructionView,
    StripView,
)
from detector.report.visible import name, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup
    from numpy.typing import NDArray

    from detector.evidence.checklist import Dossier
    from detector.evidence.confidence import Distribution
    from detector.evidence.context import IncidentContext, Peculiarity, Pursuit, WindowPortrait
    from detector.evidence.reconstruction import Frame, Reconstruction
    from detector.report.view import Fact

_LONGEST_TEXT = 2_000
_MOST_FIELDS = 60
_LONGEST_VALUE = 120
_WIDE = 4_096


def climbs(dossier: Dossier, titles: Mapping[str, str]) -> tuple[ClimbView, ...]:
    """Return the climbs whose answers told a probability; `titles` are those of the rules."""
    scored = [pursuit for pursuit in dossier.context.pursuits if pursuit.scored]
    return tuple(_climb(f"climb{i}", pursuit, titles) for i, pursuit in enumerate(scored))


def _climb(key: str, pursuit: Pursuit, titles: Mapping[str, str]) -> ClimbView:
    phases = tuple(
        PhaseRow(one.name, f"queries {one.first + 1:,} to {one.end:,}", one.meaning) for one in pursuit.stretches
    )
    told = f"{words.plural(len(pursuit.rows), 'query', 'queries')}, {_went(pursuit)}, by {_whom(pursuit)}"
    by = titles.get(pursuit.named_by, pursuit.named_by)
    return ClimbView(name(pursuit.target), told, name(by, 200), trajectory.draw(key, pursuit), phases)


def _went(pursuit: Pursuit) -> str:
    return f"from {words.probability(pursuit.start)} to {words.probability(pursuit.final)}"


def _whom(pursuit: Pursuit) -> str:
    return name(pursuit.clients[0]) if len(pursuit.clients) == 1 else f"{len(pursuit.clients):,} clients"


def distributions(dossier: Dossier) -> tuple[DistributionView, ...]:
    """Return the confidences of the attack above those to compare them with."""
    found = dossier.confidence.distributions
    return tuple(_distribution(i, one, last=i == len(found) - 1) for i, one in enumerate(found))


def _distribution(place: int, one: Distribution, *, last: bool) -> DistributionView:
    drawn = distribution.draw(f"dist{place}", one, attack=one.distance is None, axis=last)
    apart = "" if one.distance is None else f"KS distance to the attack {one.distance:.2f}"
    return DistributionView(one.name, one.note, apart, drawn)


def reconstructions(dossier: Dossier) -> tuple[ReconstructionView, ...]:
    """Return what was reached of each class."""
    found = dossier.reconstruction.reconstructions
    return tuple(_reconstruction(dossier, f"rec{i}", one) for i, one in enumerate(found))


def _reconstruction(dossier: Dossier, key: str, one: Reconstruction) -> ReconstructionView:
    context, comparison = dossier.context, dossier.comparison
    close = next((row for row in comparison.closeness if row.row == one.best[0].row), None)
    drawn, told = None, ""
    if close is not None and comparison.spacing is not None:
        title = "Distance of the reconstruction to the nearest training record"
        whose = "hold-out records" if close.to_other is not None else "training records"
        drawn = strip.draw(f"{key}-near", title, close.to_member, comparison.spacing, whose)
        told = f"Each dot is one of the {whose}, at its own distance to the nearest training record: left is nearer."
    best = _picture(context, f"{key}-best", one, one.best[0], "The reconstruction")
    # Pictures are told apart at a glance; of anything else the two ends are enough.
    milestones = one.path if one.shape is not None else one.path[:1]
    path = tuple(
        _picture(context, f"{key}-{i}", one, frame, "First query" if i == 0 else "On the way")
        for i, frame in enumerate(milestones)
    )
    frame = one.best[0]
    reached = (
        f"reached {words.probability(frame.probability)} at query {frame.place:,}" if one.scored else "labels only"
    )
    verdict = told_verdict(close) if close is not None else ""
    shown = ReconstructionView(name(one.target), reached, verdict, best, path, drawn, told)
    return alike.add(shown, close) if close is not None else shown


def _picture(context: IncidentContext, key: str, one: Reconstruction, frame: Frame, caption: str) -> PictureView:
    detail = f"query {frame.place:,}"
    if one.scored:
        detail += f", probability {words.probability(frame.probability)}"
    if frame.vector is not None:
        return PictureView(caption, detail, drawing=_drawn(context, key, one, frame.vector, f"{caption}, {detail}"))
    payload = frame.payload or b""
    if one.kind is InputKind.RECORD:
        return PictureView(caption, detail, fields=_fields(payload))
    text = visible(payload[: 4 * _LONGEST_TEXT].decode("utf-8", "replace"))
    return PictureView(caption, detail, text=text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…")


def _drawn(context: IncidentContext, key: str, one: Reconstruction, vector: NDArray[np.float32], title: str) -> Markup:
    if one.shape is not None:
        first = is_channels_first(context.settings.image_shape)
        return picture.image(key, title, vector, one.shape, (one.low, one.high), channels_first=first)
    usual, whose = None, ""
    if context.peers is not None and context.peers.vectors.shape[1:] == vector.shape:
        usual, whose = context.peers.vectors, "nine tenths of benign clients' inputs"
    step = max(1, len(vector) // _WIDE)
    return picture.profile(key, title, vector[::step], usual[:, ::step] if usual is not None else None, whose)


def _fields(payload: bytes) -> tuple[Fact, ...]:
    try:
        loaded = json.loads(payload)
    except ValueError:
        return (("unreadable", ""),)
    items = loaded.items() if isinstance(loaded, dict) else (("value", loaded),)
    shown = [(name(str(key)), name(_told(value), _LONGEST_VALUE)) for key, value in items][:_MOST_FIELDS]
    return tuple(shown)


def _told(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def portraits(dossier: Dossier) -> tuple[PortraitView, ...]:
    """Return the features of the incident's windows."""
    return tuple(_portrait(f"win{i}", one) for i, one in enumerate(dossier.context.portraits))


def _portrait(key: str, one: WindowPortrait) -> PortraitView:
    told = f"{one.night.isoformat()}, {words.plural(one.query_count, 'query', 'queries')}"
    strips = tuple(strip_of(f"{key}-{i}", peculiarity) for i, peculiarity in enumerate(one.peculiarities))
    return PortraitView(one.entity_kind.value, name(one.entity_id), told, strips)


def strip_of(key: str, one: Peculiarity) -> StripView:
    """Return one feature among those of others; `key` is unique on the page."""
    spec = BY_NAME.get(one.feature)
    meaning = "; ".join(part for part in (rulebook.formula(one.feature), rulebook.meaning(one.feature)) if part)
    return StripView(
        feature=name(one.feature),
        family=spec.family if spec is not None else "",
        meaning=meaning,
        value=words.number(one.value),
        standing=_standing(one),
        rare=_rare(one.tail),
        triggered=one.triggered,
        chart=strip.draw(key, one.feature, one.value, one.peers),
    )


def _standing(one: Peculiarity) -> str:
    if not len(one.peers):
        return "no other client to compare with"
    count = words.plural(len(one.peers), "other client")
    above = float(np.mean(one.peers > one.value))
    if max(one.below, above) == 1:
        return f"{'higher' if one.below else 'lower'} than {'all ' if len(one.peers) > 1 else ''}{count}"
    if one.below >= above:
        return f"higher than {words.share(one.below)} of {count}"
    return f"lower than {words.share(above)} of {count}"


def _rare(tail: float | None) -> str:
    """Return how rare a value is under the baseline, in words; nothing where there is no baseline."""
    if tail is None:
        return ""
    return f"{words.one_in(10.0**-tail)} so extreme"
