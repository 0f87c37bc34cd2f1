"""An evaluation as JSON values: names and shapes are described in docs/evaluation.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detector.evaluate.results import (
        Attack,
        Campaign,
        DetectionRate,
        Evaluation,
        PrefixRate,
        Purity,
        Replay,
        WorkloadAlarms,
    )

_DIGITS = 6


def evaluation_document(one: Evaluation) -> dict[str, Any]:
    """Return what `detector evaluate --json` prints."""
    return {
        "fail_on": one.fail_on.value,
        "seed": one.seed,
        "resamples": one.resamples,
        "log": {
            "models": list(one.models),
            "nights": [night.isoformat() for night in one.nights],
            "queries": one.queries,
            "absent_attacks": one.absent,
            "unlabelled_clients": one.unlabelled,
            "unlabelled_alarming_clients": one.unlabelled_alarms,
        },
        "detection": [_rate(rate) for rate in one.detection],
        "confusion": {
            "actual": list(one.confusion.actual),
            "told": list(one.confusion.told),
            "counts": [list(row) for row in one.confusion.counts],
        },
        "workloads": [_workload(workload) for workload in one.workloads],
        "purity": _purity(one.purity),
        "queries_to_detection": _replay(one.replay),
        "attacks": [_attack(attack) for attack in one.attacks],
    }


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _rate(one: DetectionRate) -> dict[str, Any]:
    return {
        "grouping": one.grouping.value,
        "name": one.name,
        "attacks": one.attacks,
        "attacks_found": one.attacks_found,
        "clients": one.clients,
        "clients_found": one.clients_found,
        "rate": _share(one.rate),
        "low": _share(one.interval.low),
        "high": _share(one.interval.high),
        "interval": one.interval.method,
        "technique_right": one.technique_right,
        "technique_accuracy": _share(one.technique_accuracy),
    }


def _workload(one: WorkloadAlarms) -> dict[str, Any]:
    return {
        "family": one.family,
        "client_nights": one.client_nights,
        "alarming_nights": one.alarming_nights,
        "rate": _share(one.rate),
        "clients": one.clients,
        "alarming_clients": one.alarming_clients,
        "upper": _share(one.upper),
    }


def _purity(one: Purity) -> dict[str, Any]:
    return {
        "incidents": one.incidents,
        "attackers": one.attackers,
        "benign": one.benign,
        "unlabelled": one.unlabelled,
        "benign_share": _share(one.benign_share),
        "most_benign": _share(one.most_benign),
        "mixed": one.mixed,
        "campaigns": [_campaign(campaign) for campaign in one.campaigns],
    }


def _campaign(one: Campaign) -> dict[str, Any]:
    return {
        "model": one.model,
        "trace_id": one.trace,
        "technique": one.technique,
        "family": one.family,
        "variant": one.variant,
        "accounts": one.accounts,
        "found": one.found,
        "attributed": one.attributed,
        "attributed_share": _share(one.attributed / one.accounts),
        "incidents": one.incidents,
    }


def _replay(one: Replay) -> dict[str, Any]:
    return {
        "prefixes": list(one.prefixes),
        "note": one.note,
        "groups": [_prefix_rate(rate, one.prefixes) for rate in one.rates],
    }


def _prefix_rate(one: PrefixRate, prefixes: tuple[int, ...]) -> dict[str, Any]:
    return {
        "grouping": one.grouping.value,
        "name": one.name,
        "attacks_found": one.attacks,
        "within": [
            {"queries": prefix, "attacks": count, "share": _share(count / one.attacks)}
            for prefix, count in zip(prefixes, one.within, strict=True)
        ],
    }


def _attack(one: Attack) -> dict[str, Any]:
    return {
        "model": one.model,
        "trace_id": one.trace,
        "technique": one.technique,
        "family": one.family,
        "variant": one.variant,
        "attack_queries": one.attack_queries,
        "clients": one.accounts,
        "clients_found": one.found,
        "incident": one.incident,
        "told": one.told,
        "first_prefix": one.first_prefix,
    }
