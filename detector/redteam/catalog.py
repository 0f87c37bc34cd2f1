"""The scenarios by name, light enough for a help text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScenarioEntry:
    """What a user needs to know to choose a scenario."""

    name: str
    summary: str
    nights: int
    """How many nights it covers unless told otherwise."""
    models: tuple[str, ...]
    selectable: bool = False
    """Whether models, families and the number of clients can be chosen."""


CATALOG = (
    ScenarioEntry("demo", "ordinary nights, then one model inversion by an existing client", 3, ("digits",)),
    ScenarioEntry("clean", "ordinary nights and nothing else", 3, ("digits",)),
    ScenarioEntry(
        "drill",
        "ordinary nights, then inversion, membership, attribute inference, extraction and evasion on two models",
        3,
        ("digits", "clinic"),
    ),
    ScenarioEntry(
        "workloads",
        "clean nights, then benign workloads that look like attacks; nobody attacks",
        5,
        ("digits", "clinic"),
        selectable=True,
    ),
    ScenarioEntry(
        "laboratory",
        "clean nights, then every benign workload and every attack",
        5,
        ("digits", "clinic"),
        selectable=True,
    ),
    ScenarioEntry(
        "campaigns",
        "clean nights, then attacks by one account and by 10, 50 and 200 together",
        5,
        ("digits",),
        selectable=True,
    ),
    ScenarioEntry(
        "evasions",
        "clean nights, then a week of slow attacks, cover traffic, noise, decoys and coarse answers",
        10,
        ("digits",),
        selectable=True,
    ),
)
DEFAULT_START = "2026-11-10"
