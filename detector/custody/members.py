"""The members of a bundle, in their order: names fixed here, never taken from a log."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detector.custody import figures, queries, surroundings, tables
from detector.custody.layout import Packed, pack
from detector.custody.manifest import MemberEntry, SourceEntry, entry, plain_text
from detector.custody.plain import document, plain
from detector.custody.readme import README

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detector.custody.queries import Exported
    from detector.custody.surroundings import RuleText
    from detector.evidence.checklist import Dossier
    from detector.evidence.context import IncidentContext
    from detector.model import Incident
    from detector.report.writer import WrittenPage
    from detector.store.engine import Store

REPORT = "report.html"
_WITHOUT_SAMPLES = frozenset({"queries", "confidence", "weights", "privacy", "controls", "phases", "preconditions"})
"""Items that hold no input and no record: what --redact leaves whole."""


@dataclass(frozen=True, eq=False)
class Sealed:
    """Members ready to be laid out, with their lines of the manifest."""

    packed: tuple[Packed, ...]
    entries: tuple[MemberEntry, ...]

    def __add__(self, other: Sealed) -> Sealed:
        return Sealed(self.packed + other.packed, self.entries + other.entries)


@dataclass(frozen=True, eq=False)
class Contents:
    """What the bundles of an incident share, whichever night they lie in.

    Attributes:
        sealed: every member but the report.
        sources: the log files.
        limits: what was left out for want of room, in sentences.
    """

    sealed: Sealed
    sources: tuple[SourceEntry, ...]
    limits: tuple[str, ...]


def contents(store: Store, page: WrittenPage, rules: Sequence[RuleText]) -> Contents:
    """Return what the bundles of a page's incident share."""
    context, redact = page.dossier.context, page.frame.redact
    exported = queries.export(store, context, redact=redact)
    limits = list(exported.limits)
    members = [
        ("README.txt", README.encode()),
        ("incident.json", document(_incident(page))),
        *_evidence(page.dossier, redact=redact),
        *_query_tables(store, exported, context, limits, redact=redact),
        *((f"figures/{name}.json", document(one)) for name, one in figures.figures(context).items()),
        ("configuration.json", document(surroundings.configuration(page.frame.settings))),
        ("versions.json", document(surroundings.versions())),
        *((one.member, one.text) for one in rules),
    ]
    return Contents(seal(members), sources(exported, context), tuple(limits))


def seal(members: Sequence[tuple[str, bytes]]) -> Sealed:
    """Return members packed and hashed; Parquet is compressed already."""
    packed = [pack(name, content, deflate=not name.endswith(".parquet")) for name, content in members]
    hashes = [hashlib.sha256(content).hexdigest() for _, content in members]
    return Sealed(tuple(packed), tuple(entry(one, sha) for one, sha in zip(packed, hashes, strict=True)))


def sources(exported: Exported, context: IncidentContext) -> tuple[SourceEntry, ...]:
    """Return the log files of an incident and what became of them."""
    found = []
    for file in exported.files:
        pinned = [one for one in context.pinned if one.file_sha256 == file.sha256]
        hashed = sum(one.raw_sha256 is not None for one in pinned)
        found.append(
            SourceEntry(
                path=plain_text(file.path),
                format=file.format,
                sha256=file.sha256,
                size=file.size_bytes,
                lines=hashed,
                at_hand=bool(hashed) if pinned else None,
                told=_source_told(len(pinned), hashed),
            )
        )
    return tuple(found)


def _source_told(pinned: int, hashed: int) -> str:
    if not pinned:
        return "none of the lines kept with the incident lies in it"
    if not hashed:
        return "source no longer at hand: what the store kept of its queries is here"
    if hashed < pinned:
        return f"{pinned - hashed} of {pinned} lines could not be read again: source no longer at hand"
    return "read again when the lines were kept, and its hash agreed"


def _incident(page: WrittenPage) -> dict[str, Any]:
    incident: Incident = page.dossier.context.incident
    shown: dict[str, Any] = plain(incident)
    # Where an earlier run put the page is no part of the incident, and would differ in a repeated one.
    shown.pop("report", None)
    extra = {"severity_reasons": list(page.reasons), "events": list(page.events)}
    return shown | {name: plain(one) for name, one in extra.items()}


def _evidence(dossier: Dossier, *, redact: bool) -> Iterator[tuple[str, bytes]]:
    """Yield a document a part of the dossier, whatever parts it has."""
    for part in dataclasses.fields(dossier):
        if part.name == "context":
            continue
        value = getattr(dossier, part.name)
        if redact and part.name not in _WITHOUT_SAMPLES:
            value = {"item": getattr(value, "item", None)}
        yield f"evidence/{part.name}.json", document(value)


def _query_tables(
    store: Store, exported: Exported, context: IncidentContext, limits: list[str], *, redact: bool
) -> Iterator[tuple[str, bytes]]:
    kept = queries.lines(context.pinned, redact=redact)
    yield "queries/queries.csv", tables.csv(exported.table, without={"probabilities"})
    yield "queries/queries.parquet", tables.parquet(exported.table)
    yield "queries/lines.csv", tables.csv(kept)
    yield "queries/lines.parquet", tables.parquet(kept)
    if redact:
        return
    sent, told = queries.inputs(store, exported)
    limits.extend(told)
    yield "queries/inputs.parquet", tables.parquet(sent)
