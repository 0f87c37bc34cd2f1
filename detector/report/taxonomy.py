"""The attack's names in public taxonomies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.model import ATLAS_BY_TECHNIQUE, Technique
from detector.report.view import TermRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ATLAS: Mapping[str, str] = {
    "AML.T0021": "Establish Accounts",
    "AML.T0024": "Exfiltration via AI Inference API",
    "AML.T0024.000": "Infer Training Data Membership",
    "AML.T0024.001": "Invert AI Model",
    "AML.T0024.002": "Extract AI Model",
    "AML.T0034.000": "Excessive Queries",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0043.001": "Black-Box Optimization",
    "AML.T0044": "Full AI Model Access",
}
OWASP: Mapping[Technique, tuple[str, str]] = {
    Technique.INVERSION: ("ML03", "Model Inversion Attack"),
    Technique.ATTRIBUTE: ("ML03", "Model Inversion Attack"),
    Technique.MEMBERSHIP: ("ML04", "Membership Inference Attack"),
    Technique.EXTRACTION: ("ML05", "Model Theft"),
    Technique.EVASION: ("ML01", "Input Manipulation Attack"),
}
NIST: Mapping[Technique, str] = {
    Technique.INVERSION: "Data reconstruction",
    Technique.ATTRIBUTE: "Data reconstruction",
    Technique.MEMBERSHIP: "Membership inference",
    Technique.EXTRACTION: "Model extraction",
    Technique.EVASION: "Black-box evasion",
}


def terms(techniques: Iterable[Technique], atlas: Iterable[str]) -> tuple[TermRow, ...]:
    """Return the names of `techniques`, and of the ATLAS ids that findings carry."""
    listed = list(techniques)
    ids = dict.fromkeys([*atlas, *(one for technique in listed for one in ATLAS_BY_TECHNIQUE[technique])])
    rows = [TermRow("MITRE ATLAS", one, ATLAS.get(one, "")) for one in ids]
    rows += [TermRow("OWASP ML Top 10", *OWASP[technique]) for technique in listed if technique in OWASP]
    rows += [TermRow("NIST AI 100-2", "", NIST[technique]) for technique in listed if technique in NIST]
    return tuple(dict.fromkeys(rows))
