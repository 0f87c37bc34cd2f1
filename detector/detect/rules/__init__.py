"""Sigma rules over windows, queries and findings: loading, evaluation, inline tests."""

from detector.detect.rules.correlations import evaluate_correlations
from detector.detect.rules.loader import examine_rules, load_rules
from detector.detect.rules.model import Excluded, NotEvaluated, RuleResult, RuleSet
from detector.detect.rules.queries import QueryMatcher
from detector.detect.rules.windows import evaluate_windows

__all__ = [
    "Excluded",
    "NotEvaluated",
    "QueryMatcher",
    "RuleResult",
    "RuleSet",
    "evaluate_correlations",
    "evaluate_windows",
    "examine_rules",
    "load_rules",
]
