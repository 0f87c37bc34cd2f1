"""Rules, windows and findings for tests."""

from __future__ import annotations

import textwrap
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from detector.detect.rules.findings import finding_id
from detector.detect.rules.loader import load_folder
from detector.model import EntityKind, Finding, Horizon, Segment, Severity, Technique, Windows

if TYPE_CHECKING:
    from pathlib import Path

    from detector.detect.rules.model import RuleSet
    from detector.errors import RuleError

NIGHT = date(2026, 11, 12)
HOUR = 3_600_000_000

WINDOW_RULE = """\
title: Test rule
id: 11111111-1111-4111-8111-111111111111
name: test_rule
status: test
description: It is a test. It says nothing.
level: medium
tags: [atlas.aml-t0024.001, technique.inversion]
author: Tests
date: 2026-11-01
falsepositives: [Tests]
logsource:
  product: ml_inference
  category: window
detection:
{detection}
ml:
  sentence: Measured {{confidence_ascent:.2f}} on class {{target}}.
tests:
  - {{name: hit, expect: hit, events: {{confidence_ascent: 1.0}}}}
  - {{name: miss, expect: miss, events: {{confidence_ascent: 0.0}}}}
"""

QUERY_RULE = """\
title: Query rule
id: 22222222-2222-4222-8222-222222222222
name: query_rule
status: test
description: It is a test. It says nothing.
level: low
tags: [atlas.aml-t0040, technique.probing]
author: Tests
date: 2026-11-01
falsepositives: [Tests]
logsource:
  product: ml_inference
  category: query
detection:
{detection}
ml:
  minimum: {minimum}
  sentence: "{{client_id}} did it {{matches}} times with {{operation}}."
tests:
  - {{name: hit, expect: hit, events: {{operation: gradients}}}}
  - {{name: miss, expect: miss, events: {{operation: predict}}}}
"""

CORRELATION = """\
title: Correlation
id: 33333333-3333-4333-8333-333333333333
status: test
description: It is a test. It says nothing.
level: high
tags: [atlas.aml-t0024.001, technique.inversion]
author: Tests
date: 2026-11-01
falsepositives: [Tests]
correlation:
{correlation}
ml:
  sentence: "{{entity_id}}: {{count}} on {{night_count}} nights by {{client_count}} ({{rule_titles}})."
tests:
  - {{name: hit, expect: hit, events: {{rule: test_rule}}}}
  - {{name: miss, expect: miss, events: {{rule: test_rule}}}}
"""


def window_rule(detection: str) -> str:
    """Return the YAML of a rule over windows with the `detection` section given."""
    return WINDOW_RULE.format(detection=textwrap.indent(textwrap.dedent(detection).strip(), "  "))


def query_rule(detection: str, minimum: int = 1) -> str:
    """Return the YAML of a rule over queries."""
    indented = textwrap.indent(textwrap.dedent(detection).strip(), "  ")
    return QUERY_RULE.format(detection=indented, minimum=minimum)


def correlation(block: str) -> str:
    """Return the YAML of a correlation."""
    return CORRELATION.format(correlation=textwrap.indent(textwrap.dedent(block).strip(), "  "))


def loaded(folder: Path, *texts: str) -> tuple[RuleSet, tuple[RuleError, ...]]:
    """Write each text to a file of its own and load them without the built-in rules."""
    for number, text in enumerate(texts):
        (folder / f"rule{number}.yml").write_text(text, encoding="utf-8")
    return load_folder([folder])


def rules_of(folder: Path, *texts: str) -> RuleSet:
    """Load texts that are meant to be right."""
    rules, errors = loaded(folder, *texts)
    assert errors == ()
    return rules


def windows(*rows: dict[str, Any], model: str = "digits", baseline: str | None = None) -> Windows:
    """Return windows with these fields; identity is made up where it is not given."""
    filled = [
        {
            "entity_kind": "client", "entity_id": f"client-{number}", "horizon": "night", "query_count": 500,
            "first_ts": 1_000, "last_ts": 9_000, "clients": (row.get("entity_id", f"client-{number}"),),
            "target": None, "segment_first": float("nan"), "segment_last": float("nan"),
        }
        | row
        for number, row in enumerate(rows)
    ]  # fmt: skip
    return Windows(model, NIGHT, pd.DataFrame(filled), baseline)


def finding(
    rule: str = "11111111-1111-4111-8111-111111111111",
    entity: str = "a",
    night: int = 12,
    at: float = 1.0,
    kind: EntityKind = EntityKind.CLIENT,
    clients: tuple[str, ...] | None = None,
    horizon: Horizon = Horizon.NIGHT,
    target: str | None = None,
    model: str = "digits",
    queries: int = 100,
) -> Finding:
    """Return a finding of one rule about one entity, `at` hours after the night's begin, an hour long."""
    when = date(2026, 11, night)
    start = int(datetime(2026, 11, night, tzinfo=UTC).timestamp()) * 1_000_000 + round(at * HOUR)
    return Finding(
        id=finding_id(rule, model, entity_kind=kind, entity_id=entity, horizon=horizon, night=when),
        rule=rule,
        title=f"Title of {rule[:8]}",
        level=Severity.LOW,
        technique=Technique.INVERSION,
        model=model,
        entity_kind=kind,
        entity_id=entity,
        horizon=horizon,
        night=when,
        clients=(entity,) if clients is None else clients,
        trigger=(),
        sentence="",
        query_count=queries,
        segment=Segment(start, start + HOUR, target),
    )
