"""Item 4: signs of access to the weights, and what the model file tells; nothing in it is ever run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.evidence.context import WHITE_BOX
from detector.evidence.weights.file import look_at
from detector.model import EvidenceItem, EvidenceStatus

if TYPE_CHECKING:
    from detector.evidence.context import IncidentContext
    from detector.evidence.weights.architecture import Architecture, Port
    from detector.evidence.weights.file import WeightsFile

NUMBER = 4
TITLE = "Model architecture and weights"
_PORTS = 8


@dataclass(frozen=True)
class WeightsEvidence:
    """Item 4.

    Attributes:
        item: the line of the checklist.
        calls: operations that tell about the weights, and how many of the queries held asked for each.
        file: the model file, None where none is named or readable.
    """

    item: EvidenceItem
    calls: tuple[tuple[str, int], ...]
    file: WeightsFile | None


def examine(context: IncidentContext) -> WeightsEvidence:
    """Return signs of white-box access and what the model file tells."""
    counts = Counter(str(name) for name in context.queries.operation if name in WHITE_BOX)
    calls = tuple(sorted(counts.items()))
    path = context.settings.weights
    file, problem = None, None
    if path is not None:
        try:
            file = look_at(path)
        except OSError as error:
            problem = f"The weights file {path.name} named in the configuration cannot be read: {error.strerror}."
    return WeightsEvidence(_item(context, calls, file, problem), calls, file)


def _item(
    context: IncidentContext, calls: tuple[tuple[str, int], ...], file: WeightsFile | None, problem: str | None
) -> EvidenceItem:
    facts = tuple((f"Queries to {name}", f"{count:,}") for name, count in calls)
    signs = (
        "The client asked for gradients or explanations, whose answers tell about the weights. "
        if calls
        else "Nothing in the log shows access to the weights. "
    )
    if file is not None:
        reason = f"{signs}{_told(file)}"
        return EvidenceItem(NUMBER, TITLE, EvidenceStatus.CAPTURED, reason, (*facts, *_facts(file)))
    if problem is not None:
        return EvidenceItem(NUMBER, TITLE, EvidenceStatus.UNAVAILABLE, f"{signs}{problem}", facts)
    if calls:
        where = f'weights = FILE under [models."{context.incident.model}"] in detector.toml'
        reason = f"{signs}To record which weights were exposed, name the file: {where}. It is read and never run."
        return EvidenceItem(NUMBER, TITLE, EvidenceStatus.UNAVAILABLE, reason, facts)
    reason = f"{signs}The attack used the prediction API alone."
    return EvidenceItem(NUMBER, TITLE, EvidenceStatus.NOT_APPLICABLE, reason)


def _told(file: WeightsFile) -> str:
    parts = ["The model file was hashed; nothing in it was run."]
    if file.unread is not None:
        parts.append(f"Its architecture could not be read: {file.unread}.")
    if file.scan is not None:
        parts.append(file.scan.told)
    if file.architecture is not None:
        parts += file.architecture.warnings
    if file.beside is not None:
        parts.append(f"The file that it names, {file.beside.name}, was hashed too.")
        parts += [file.beside.scan.told] if file.beside.scan is not None else []
    return " ".join(parts)


def _facts(file: WeightsFile) -> tuple[tuple[str, str], ...]:
    found = [
        ("File", file.path),
        ("Size", f"{file.size_bytes:,} bytes"),
        ("Format", file.format),
        ("SHA-256", file.sha256),
        *(_of_architecture(file.architecture) if file.architecture is not None else ()),
    ]
    if file.scan is not None:
        found.append(
            ("Opcode scan", "dangerous or unclear" if file.scan.dangerous else "nothing known to be dangerous")
        )
    if file.beside is not None:
        found += [(f"{file.beside.name}: {name}", value) for name, value in _facts(file.beside)[1:]]
    return tuple(found)


def _of_architecture(one: Architecture) -> list[tuple[str, str]]:
    facts = [("Framework", one.framework)] if one.framework else []
    if one.layer_count:
        facts.append(("Layers", f"{one.layer_count:,}"))
    if one.parameters is not None:
        facts.append(("Parameters", f"{one.parameters:,}"))
    facts += [(f"Input {port.name}", _port(port)) for port in one.inputs[:_PORTS]]
    facts += [(f"Output {port.name}", _port(port)) for port in one.outputs[:_PORTS]]
    return [*facts, *one.notes]


def _port(port: Port) -> str:
    return f"{port.kind}, {port.shape}"
