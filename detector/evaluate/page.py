"""An evaluation as one HTML page."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, FileSystemLoader

from detector import __version__
from detector.evaluate.page_view import PageView, Section, TableView
from detector.evaluate.results import Grouping
from detector.report import words
from detector.report.environment import environment, style
from detector.report.files import write_page
from detector.report.visible import name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from detector.evaluate.results import Confusion, DetectionRate, Evaluation, Purity, Replay

PAGE = "evaluation.html"
_MOST_ATTACKS = 2_000
_TITLES = {
    Grouping.ALL: "All attacks",
    Grouping.TECHNIQUE: "By technique",
    Grouping.FAMILY: "By family",
    Grouping.VARIANT: "By variant",
    Grouping.OUTCOME: "By outcome",
    Grouping.HISTORY: "By history of the client",
}


def write_evaluation(one: Evaluation, out: Path, as_of: datetime) -> Path:
    """Write the page into the folder `out` and return where it lies; the same evaluation gives the same bytes.

    Raises:
        ReportError: the folder cannot be written.
    """
    path = out / PAGE
    write_page(path, _engine().get_template(PAGE).render(style=style(), page=_view(one, as_of)))
    return path


@cache
def _engine() -> Environment:
    """Return the reports' engine, with this page's template before theirs."""
    shared = environment()
    if shared.loader is None:
        raise TypeError("the reports' engine has no templates")
    own = FileSystemLoader(Path(__file__).resolve().parent / "templates")
    return shared.overlay(loader=ChoiceLoader([own, shared.loader]))


def _view(one: Evaluation, as_of: datetime) -> PageView:
    nights = words.plural(len(one.nights), "night")
    models = words.listed([name(model) for model in one.models])
    return PageView(
        lead=f"{words.plural(one.queries, 'query', 'queries')} of {models} in {nights}, {one.nights[0]} to "
        f"{one.nights[-1]}; an incident of severity {one.fail_on} or higher counts as an alarm.",
        numbers=tuple(_numbers(one)),
        warnings=tuple(_warnings(one)),
        sections=(
            _detection(one),
            _confusion(one.confusion),
            _workloads(one),
            _purity(one.purity),
            _replay(one.replay),
            _attacks(one),
        ),
        version=__version__,
        as_of=words.minute(as_of),
    )


def _numbers(one: Evaluation) -> Iterator[tuple[str, str, str]]:
    for rate in one.detection:
        if rate.grouping is Grouping.ALL:
            yield "Attacking clients found", words.share(rate.rate), f"{rate.clients_found:,} of {rate.clients:,}"
            yield "Attacks found", words.share(rate.attacks_found / rate.attacks), words.plural(rate.attacks, "attack")
            if rate.technique_accuracy is not None:
                yield "Technique right", words.share(rate.technique_accuracy), "of the attacks found"
    nights = sum(workload.client_nights for workload in one.workloads)
    alarms = sum(workload.alarming_nights for workload in one.workloads)
    if nights:
        yield "Benign client-nights that alarm", words.share(alarms / nights), f"{alarms:,} of {nights:,}"


def _warnings(one: Evaluation) -> Iterator[str]:
    if one.absent:
        yield f"{words.plural(one.absent, 'labelled attack')} not in the log: not measured."
    if one.unlabelled:
        yield (
            f"{words.plural(one.unlabelled, 'client')} without a label, {one.unlabelled_alarms:,} of which alarm: "
            "in no rate below."
        )


def _detection(one: Evaluation) -> Section:
    headers = ("Group", "Attacks", "Found", "Clients", "Found", "Rate", "95 % interval", "Technique right")
    tables = []
    for grouping, title in _TITLES.items():
        rows = tuple(_rate(rate) for rate in one.detection if rate.grouping is grouping)
        if rows:
            tables.append(TableView(title, headers, rows))
    return Section(
        "detection",
        "What is found",
        "Rates are of attacking clients; an attack is found where one of its clients is. Intervals resample whole "
        f"attacks and then their clients ({one.resamples:,} times, seed {one.seed}); where all went the same way they "
        "are exact ones over attacks.",
        tuple(tables),
    )


def _rate(rate: DetectionRate) -> tuple[str, ...]:
    right = rate.technique_accuracy
    return (
        name(rate.name.replace("_", " ") if rate.grouping is Grouping.HISTORY else rate.name),
        words.count(rate.attacks),
        words.count(rate.attacks_found),
        words.count(rate.clients),
        words.count(rate.clients_found),
        words.share(rate.rate),
        f"{words.share(rate.interval.low)} to {words.share(rate.interval.high)}",
        words.NONE if right is None else words.share(right),
    )


def _confusion(one: Confusion) -> Section:
    rows = tuple((label, *map(words.count, counts)) for label, counts in zip(one.actual, one.counts, strict=True))
    return Section(
        "confusion",
        "What the incidents call it",
        "Rows: as labelled; columns: the first technique of the incident that holds most of the attack's clients. The "
        "row benign counts clients, by their gravest incident.",
        (TableView("", ("Labelled", *one.told), rows),),
    )


def _workloads(one: Evaluation) -> Section:
    headers = ("Workload", "Client-nights", "Alarming", "Rate", "Clients", "Alarming", "Bound on clients")
    rows = tuple(
        (
            name(w.family),
            words.count(w.client_nights),
            words.count(w.alarming_nights),
            words.share(w.rate),
            words.count(w.clients),
            words.count(w.alarming_clients),
            words.share(w.upper),
        )
        for w in one.workloads
    )
    return Section(
        "workloads",
        "Alarms on benign workloads",
        "The bound is the upper 95 % one (Clopper and Pearson) on the share of clients that alarm in any night: the "
        "nights of one client are not independent. before_attack: attacking clients in the nights before.",
        (TableView("", headers, rows),),
    )


def _purity(one: Purity) -> Section:
    share = words.NONE if one.benign_share is None else words.share(one.benign_share)
    rows = tuple(
        (
            name(c.trace),
            name(f"{c.family}/{c.variant}"),
            words.count(c.accounts),
            words.count(c.found),
            words.count(c.attributed),
            words.count(c.incidents),
        )
        for c in one.campaigns
    )
    headers = ("Attack", "Family", "Accounts", "Found", "In one incident", "Incidents")
    return Section(
        "purity",
        "Who is named together",
        f"{words.plural(one.incidents, 'incident')} with an attacker, with {words.plural(one.attackers, 'attacker')} "
        f"and {one.benign:,} benign members ({share} of the labelled ones; at most {words.share(one.most_benign)} in "
        f"one incident); {one.mixed:,} with clients of several attacks. Attacks over several accounts:",
        (TableView("", headers, rows, words=2),),
    )


def _replay(one: Replay) -> Section:
    title = "Queries until detection"
    if one.note:
        return Section("replay", title, f"Not measured: {one.note}.", ())
    rows = tuple(
        (name(r.name), words.count(r.attacks), *(words.share(count / r.attacks) for count in r.within))
        for r in one.rates
    )
    return Section(
        "replay",
        title,
        "Share of the found attacks that are found when every attack ends after so many of its queries, with all else "
        "as it was.",
        (TableView("", ("Group", "Attacks found", *map(words.count, one.prefixes)), rows),),
    )


def _attacks(one: Evaluation) -> Section:
    headers = ("Attack", "Model", "Family", "Incident", "Called", "Queries", "Clients", "Found", "Found within")
    rows = tuple(
        (
            name(a.trace),
            name(a.model),
            name(f"{a.family}/{a.variant}"),
            a.incident or words.NONE,
            a.told or words.NONE,
            words.count(a.attack_queries),
            words.count(a.accounts),
            words.count(a.found),
            words.NONE if a.first_prefix is None else words.count(a.first_prefix),
        )
        for a in one.attacks[:_MOST_ATTACKS]
    )
    left = len(one.attacks) - len(rows)
    more = f" The first {_MOST_ATTACKS:,} of {len(one.attacks):,} are listed." if left else ""
    text = f"Found within: the smallest replayed number of queries with which the attack is found.{more}"
    return Section("attacks", "Attack by attack", text, (TableView("", headers, rows, words=5),))
