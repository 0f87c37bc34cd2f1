"""What an incident was judged with: settings without their secrets, versions, and the texts of the rules that fired."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from detector import __version__
from detector.custody.manifest import safe_name
from detector.detect.rules import examine_rules

if TYPE_CHECKING:
    from detector.config import Settings
    from detector.detect.rules import RuleSet
    from detector.model import Incident

HIDDEN = "(hidden)"
_ELSEWHERE = "(left out: where the store lies does not change what it holds)"

LIBRARIES = (
    "adbc-driver-postgresql", "adbc-driver-sqlite", "cryptography", "duckdb", "jinja2", "numba", "numpy", "pandas",
    "pyarrow", "pydantic", "pyod", "pysigma", "rfc8785", "scikit-learn", "scipy", "sqlalchemy",
)  # fmt: skip
_SECRET_NAME = re.compile(r"pass|secret|token|credential|authori[sz]ation|api_?key|headers", re.IGNORECASE)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/@\s]*@)?([^/?#\s]*)(\S*)", re.IGNORECASE)


@dataclass(frozen=True)
class RuleText:
    """The file of a rule that fired, under the name of its member."""

    member: str
    text: bytes


def configuration(settings: Settings) -> dict[str, Any]:
    """Return the settings in effect.

    Left out: where the database and the signing key lie. Hidden: whatever is called a secret, and of addresses all
    but scheme and host, because webhooks carry their secret in the path.
    """
    shown = {name: one for name, one in settings.model_dump(mode="json").items() if name not in {"db", "custody"}}
    masked: dict[str, Any] = _masked(shown)
    return {"db": _ELSEWHERE} | masked


def versions() -> dict[str, Any]:
    """Return the versions of everything that had a part in the result."""
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "inversion-detector": __version__,
        "libraries": libraries,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def rule_files(settings: Settings, rules: RuleSet | None) -> dict[str, RuleText]:
    """Return, by id, the text of every rule: of those that judged, or where nobody tells, of those that load now."""
    if rules is None:
        rules, _ = examine_rules([settings.rules] if settings.rules else [])
    found: dict[str, RuleText] = {}
    for rule in rules.everything:
        try:
            text = rule.file.read_bytes()
        except OSError:
            continue
        found[rule.id] = RuleText(f"rules/{safe_name(rule.id)}.yml", text)
    return found


def rules_of(incident: Incident, known: dict[str, RuleText]) -> tuple[RuleText, ...]:
    """Return the texts of the rules behind an incident, each once; statistical detectors have none."""
    texts = {known[rule].member: known[rule] for rule in sorted({one.rule for one in incident.findings} & set(known))}
    return tuple(texts[name] for name in sorted(texts))


def _masked(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {k: HIDDEN if _SECRET_NAME.search(str(k)) and one else _masked(one) for k, one in value.items()}
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return _ADDRESS.sub(_host_alone, value) if isinstance(value, str) else value


def _host_alone(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}" + (f"/{HIDDEN}" if match[3] not in {"", "/"} else "")
