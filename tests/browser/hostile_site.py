"""A site whose log was written by somebody who wants the reader's browser."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence_making import AS_OF, BEGINS, NIGHT, SECOND, AttackedSite, climb_incident, finding, save
from sqlalchemy import insert

from detector.config import ClientSettings, ModelSettings, Settings
from detector.evidence.clock import moment
from detector.ingest.options import IngestOptions
from detector.ingest.pipeline import ingest
from detector.model import EntityKind, Member, Segment, Severity, Technique, Trigger
from detector.store import tables
from detector.store.engine import Store
from detector.store.incident_bodies import clean
from detector.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.model import Incident

HOSTILE = (
    "<script>window.pwned=1</script>",
    "</title><script>window.pwned=2</script>",
    "</style><script>window.pwned=3</script>",
    '"><img src=x onerror=window.pwned=4>',
    "' onmouseover='window.pwned=5' x='",
    "<svg/onload=window.pwned=6>",
    "javascript:window.pwned=7",
    "<iframe src='https://evil.example/'></iframe>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{background:url(https://evil.example/x.png)}</style>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "-->]]><![CDATA[<b>bold</b>",
    "\u202eevil\u202c \u2066isolated",
    "zero\u200bwidth\u2060\ufeff",
    "\x1b[31mred\x1b]0;title\x07",
    "nul\x00byte and \ud800 alone",
    "line\nbreak\ttab\rreturn",
    "<details open ontoggle=window.pwned=8>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "&lt;script&gt;window.pwned=9&lt;/script&gt;",
    "עברית and العربية turned",
    "a" * 5_000,
    "W" * 400,
)
MODEL = "m</title><script>window.pwned=10</script>\u202e"
TARGET = HOSTILE[0]
TOGETHER = 3


def hostile_site(folder: Path) -> AttackedSite:
    """Return a site of which every name, label, text and answer is hostile."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "x<script>window.pwned=11<\u2215script>.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in _lines()), encoding="utf-8", errors="surrogatepass")
    store = Store(f"sqlite:///{folder / 'detector.db'}")
    upgrade(store)
    with contextlib.chdir(folder):
        ingest(store, [Path(log.name)], IngestOptions(as_of=AS_OF))
    groups = [HOSTILE[i : i + TOGETHER] for i in range(0, len(HOSTILE), TOGETHER)]
    incidents = [_incident(i, group) for i, group in enumerate(groups)]
    model = clean(MODEL)
    with store.begin() as connection:
        connection.execute(insert(tables.night).values(**_night(model)))
        save(connection, *incidents, reasons=HOSTILE)
    store.close()
    workloads = {name: ClientSettings(workload=name) for name in HOSTILE if "\x00" not in name}
    settings = Settings(models={model: ModelSettings(sensitivity="health")}, clients=workloads)
    return AttackedSite(folder, store, settings, incidents[0])


def _lines() -> list[dict[str, Any]]:
    """Return, for each hostile client, a climb over hostile texts towards a hostile class."""
    lines = []
    for i, client in enumerate(HOSTILE):
        for step in range(30):
            part = 0.02 + 0.96 * step / 29
            at = BEGINS + i * 600 * SECOND + step * SECOND
            lines.append(
                {
                    "timestamp": moment(at).isoformat().replace("+00:00", "Z"),
                    "request_id": f"{client}{step}",
                    "client_id": client,
                    "user_agent": client,
                    "model": MODEL,
                    "endpoint": client,
                    "status": 200,
                    "input": f"{client} {HOSTILE[step % len(HOSTILE)]} {step}",
                    "output": {
                        "label": TARGET if part > 0.5 else HOSTILE[1],
                        "confidence": max(part, 1 - part),
                        "probabilities": {TARGET: part, HOSTILE[1]: 1 - part},
                    },
                }
            )
    return lines


def _incident(number: int, names: Sequence[str]) -> Incident:
    """Return an incident of several clients, the first of which lends its name to everything else."""
    model, clients = clean(MODEL), tuple(clean(name) for name in names)
    client = clients[0]
    first = BEGINS + number * len(clients) * 600 * SECOND
    last = first + len(clients) * 600 * SECOND
    found = finding(
        id=f"{number:016x}",
        rule=client[:300],
        title=client,
        model=model,
        entity_kind=EntityKind.NETWORK,
        entity_id=client,
        clients=clients,
        trigger=(Trigger(client, client, client, 3.0), Trigger("confidence_ascent", 0.9, 0.4, None)),
        sentence=f"{client} did {client}",
        segment=Segment(first, last, TARGET),
        baseline=client,
    )
    return climb_incident(
        id=f"INC-{number:012x}",
        model=model,
        entity_kind=EntityKind.NETWORK,
        entity_id=client,
        members=tuple(Member(one, (NIGHT,), 30, Severity.HIGH) for one in clients),
        first_ts=first,
        last_ts=last,
        findings=(found,),
        atlas=("<script>window.pwned=12</script>",),
        techniques=(Technique.INVERSION, Technique.MEMBERSHIP),
        summary=f"Client {client} did {client}.",
        query_count=60,
    )


def _night(model: str) -> dict[str, Any]:
    return {
        "model": model,
        "night": NIGHT.isoformat(),
        "query_count": 30 * len(HOSTILE),
        "stale": False,
        "baseline_id": HOSTILE[0],
        "schema_version": 1,
        "coverage": json.dumps({HOSTILE[0]: 0.5}),
        "scanned_at": AS_OF.isoformat(),
    }
