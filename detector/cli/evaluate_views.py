"""What `evaluate` prints for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from detector.cli.terminal import safe, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from detector.evaluate.results import Confusion, Evaluation, Purity, Replay, WorkloadAlarms

_WIDTH = 60
_NONE = "-"


def evaluation_tables(one: Evaluation) -> None:
    """Print an evaluation as tables."""
    show(*_parts(one))


def _parts(one: Evaluation) -> Iterator[RenderableType]:
    first, last = one.nights[0], one.nights[-1]
    models = ", ".join(safe(model, _WIDTH) for model in one.models[:8])
    yield Text(f"{one.queries:,} queries of {models}; nights {first} to {last}; alarms from {one.fail_on}")
    if one.absent:
        yield Text(f"{one.absent:,} labelled attacks are not in the log")
    if one.unlabelled:
        yield Text(f"{one.unlabelled:,} clients have no label; {one.unlabelled_alarms:,} of them alarm")
    yield from (Text(), Text("What is found (attacking clients; 95 % interval over attacks)"))
    yield _detection(one)
    yield from (Text(), Text("What the incidents call it (attacks; the last row: benign clients)"))
    yield _confusion(one.confusion)
    yield from (Text(), Text("Alarms on benign workloads (upper: 95 % bound on the share of clients that alarm)"))
    yield _workloads(one.workloads)
    yield from (Text(), *_purity(one.purity), Text())
    yield from _replay(one.replay)


def _detection(one: Evaluation) -> Table:
    headers = ("", "group", "attacks", "found", "clients", "found", "rate", "interval", "technique right")
    return _grid(
        headers,
        (
            (
                rate.grouping.value,
                rate.name,
                f"{rate.attacks:,}",
                f"{rate.attacks_found:,}",
                f"{rate.clients:,}",
                f"{rate.clients_found:,}",
                _share(rate.rate),
                f"{_share(rate.interval.low)} to {_share(rate.interval.high)}",
                _NONE if rate.technique_accuracy is None else _share(rate.technique_accuracy),
            )
            for rate in one.detection
        ),
    )


def _confusion(one: Confusion) -> Table:
    rows = ((name, *(f"{n:,}" for n in counts)) for name, counts in zip(one.actual, one.counts, strict=True))
    return _grid(("labelled", *one.told), rows, texts=1)


def _workloads(found: Sequence[WorkloadAlarms]) -> Table:
    headers = ("workload", "client-nights", "alarming", "rate", "clients", "alarming", "upper")
    rows = (
        (
            w.family,
            f"{w.client_nights:,}",
            f"{w.alarming_nights:,}",
            f"{w.rate:.2%}",
            f"{w.clients:,}",
            f"{w.alarming_clients:,}",
            f"{w.upper:.2%}",
        )
        for w in found
    )
    return _grid(headers, rows, texts=1)


def _purity(one: Purity) -> Iterator[RenderableType]:
    share = _NONE if one.benign_share is None else _share(one.benign_share)
    yield Text(
        f"Incidents with an attacker: {one.incidents:,}; their labelled members: {one.attackers:,} attackers, "
        f"{one.benign:,} benign ({share}); incidents of several attacks: {one.mixed:,}"
    )
    if one.campaigns:
        headers = ("attack over several accounts", "family", "accounts", "found", "in one incident", "incidents")
        rows = (
            (c.trace, f"{c.family}/{c.variant}", f"{c.accounts:,}", f"{c.found:,}", f"{c.attributed:,}",
             f"{c.incidents:,}")
            for c in one.campaigns
        )  # fmt: skip
        yield _grid(headers, rows)


def _replay(one: Replay) -> Iterator[RenderableType]:
    if one.note:
        yield Text(f"Queries until detection: not measured: {safe(one.note, 200)}")
        return
    yield Text("Found attacks that would be found if every attack ended after so many queries")
    headers = ("", "group", "attacks", *(f"{prefix:,}" for prefix in one.prefixes))
    yield _grid(
        headers,
        (
            (r.grouping.value, r.name, f"{r.attacks:,}", *(_share(count / r.attacks) for count in r.within))
            for r in one.rates
        ),
    )


def _grid(headers: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 2) -> Table:
    """Return a table whose first `texts` columns are words and the rest numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        table.add_column(header, justify="left" if position < texts else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell, _WIDTH)) for cell in row))
    return table


def _share(value: float) -> str:
    return f"{value:.1%}"
