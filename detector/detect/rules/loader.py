"""Loading rules: the built-in folder, the site's folders, and how correlations and filters find what they name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRuleLocation
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule

from detector.detect.rules import checks
from detector.detect.rules.compiler import compile_detection
from detector.detect.rules.correlation_parts import parse_correlation
from detector.detect.rules.documents import read_documents, rule_files
from detector.detect.rules.model import Correlation, Filter, Rule, RuleSet
from detector.detect.rules.sources import builtin_folder
from detector.detect.rules.vocabulary import PRODUCT, Category
from detector.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from detector.detect.rules.documents import Document

_Loaded = Rule | Correlation | Filter

_SIGMA_PARSERS: dict[str, Callable[..., object]] = {
    "rule": SigmaRule.from_dict,
    "correlation": SigmaCorrelationRule.from_dict,
    "filter": SigmaFilter.from_dict,
}


@dataclass(frozen=True)
class _Entry:
    document: Document
    loaded: _Loaded


def load_rules(extra: Sequence[Path] = ()) -> RuleSet:
    """Load the built-in rules and those of a site.

    Args:
        extra: more rule files or folders; filters may lie anywhere in them.

    Raises:
        RuleError: a file that is not a rule, says something unknown, or names a rule that there is not; with file and
            line.
    """
    rules, errors = examine_rules(extra)
    if errors:
        raise errors[0]
    return rules


def examine_rules(extra: Sequence[Path] = ()) -> tuple[RuleSet, tuple[RuleError, ...]]:
    """Load what can be loaded and return it with every error, one a document."""
    return load_folder([builtin_folder(), *extra])


def load_folder(paths: Sequence[Path]) -> tuple[RuleSet, tuple[RuleError, ...]]:
    """Load the rules under some files and folders and nothing else."""
    errors: list[RuleError] = []
    entries: list[_Entry] = []
    for document in _documents(paths, errors):
        try:
            loaded = _load(document)
            _refuse_repeated(document, loaded, entries)
        except RuleError as error:
            errors.append(error)
            continue
        entries.append(_Entry(document, loaded))
    return _assemble(entries, errors), tuple(errors)


def _documents(paths: Sequence[Path], errors: list[RuleError]) -> Iterator[Document]:
    """Yield every document once, however often a file is named."""
    seen: set[Path] = set()
    for path in paths:
        try:
            for file in rule_files([path]):
                if file.resolve() not in seen:
                    seen.add(file.resolve())
                    yield from _documents_of(file, errors)
        except RuleError as error:
            errors.append(error)


def _documents_of(file: Path, errors: list[RuleError]) -> Iterator[Document]:
    try:
        yield from read_documents(file)
    except RuleError as error:
        errors.append(error)


def _load(document: Document) -> _Loaded:
    kind = checks.kind_of_document(document)
    checks.check_keys(document, kind)
    if kind == "filter":
        loaded: _Loaded = _filter(document)
    elif kind == "correlation":
        parts = parse_correlation(document)
        loaded = Correlation(**_about(document, Category.CORRELATION), **parts)
    else:
        loaded = _rule(document)
    _ask_pysigma(document, kind)
    return loaded


def _about(document: Document, category: Category) -> dict[str, Any]:
    data = document.data
    return {
        "id": data["id"].lower(),
        "name": data.get("name"),
        "title": data["title"],
        "description": " ".join(data["description"].split()),
        "status": data["status"],
        "level": checks.level_of(document),
        "technique": checks.technique_of(document),
        "atlas": checks.atlas_of(document),
        "tags": tuple(data["tags"]),
        "falsepositives": tuple(data["falsepositives"]),
        "author": data["author"],
        "date": data["date"],
        "sentence": checks.sentence_of(document, category),
        "family": data["ml"].get("family"),
        "tests": checks.tests_of(document, category),
        "file": document.file,
        "line": document.line(),
    }


def _category(document: Document) -> Category:
    source = document.data["logsource"]
    expected = f"product: {PRODUCT} and category: {Category.WINDOW} or {Category.QUERY}"
    if not isinstance(source, dict):
        raise document.error("logsource is not a mapping", "logsource", expected=expected)
    checks.refuse_unknown(document, source, {"product", "category", "definition"}, "logsource")
    if source.get("product") != PRODUCT:
        raise document.error(f"unknown product {source.get('product')!r}", "logsource", "product", expected=expected)
    if source.get("category") not in (Category.WINDOW.value, Category.QUERY.value):
        message = f"unknown category {source.get('category')!r}"
        raise document.error(message, "logsource", "category", expected=expected)
    return Category(source["category"])


def _rule(document: Document) -> Rule:
    category = _category(document)
    return Rule(
        **_about(document, category),
        category=category,
        condition=compile_detection(document, "detection", category),
        minimum=document.data["ml"].get("minimum", 1),
    )


def _filter(document: Document) -> Filter:
    category = _category(document)
    condition = compile_detection(document, "filter", category)
    named = document.data["filter"].get("rules")
    listed = named if isinstance(named, list) else [named]
    if not listed or not all(isinstance(rule, str) for rule in listed):
        expected = "any, or the ids or names of rules"
        raise document.error("filter.rules is missing or malformed", "filter", "rules", expected=expected)
    return Filter(
        id=document.data["id"].lower(),
        title=document.data["title"],
        category=category,
        rules=frozenset() if named == "any" else frozenset(listed),
        condition=condition,
        file=document.file,
        line=document.line(),
    )


def _ask_pysigma(document: Document, kind: str) -> None:
    """Let pySigma judge the whole document, as every other Sigma tool would."""
    location = SigmaRuleLocation(document.file, document.line())
    try:
        _SIGMA_PARSERS[kind](dict(document.data), source=location)
    except SigmaError as error:
        # SigmaLevelError speaks of level, SigmaTagError of tags
        subject = type(error).__name__.removeprefix("Sigma").removesuffix("Error").lower()
        key = next((key for key in document.data if subject and subject in (key, key.rstrip("s"))), kind)
        message = str(error.args[0]) if error.args else str(error)
        raise document.error(f"is not valid Sigma: {message}", key) from error
    except (TypeError, AttributeError, ValueError) as error:
        raise document.error(f"is not valid Sigma: {error}") from error


def _refuse_repeated(document: Document, loaded: _Loaded, entries: Iterable[_Entry]) -> None:
    for entry in entries:
        other = entry.loaded
        where = f"{other.file}:{other.line}"
        if other.id == loaded.id:
            raise document.error(f"id {loaded.id} is already used at {where}", "id", expected="an id of its own")
        names = {rule.name for rule in (loaded, other) if not isinstance(rule, Filter)} - {None}
        if len(names) == 1 and not isinstance(loaded, Filter) and loaded.name == getattr(other, "name", None):
            raise document.error(f"name {loaded.name!r} is already used at {where}", "name")


def _assemble(entries: Sequence[_Entry], errors: list[RuleError]) -> RuleSet:
    rules = {entry.loaded.id: entry.loaded for entry in entries if isinstance(entry.loaded, Rule)}
    by_name = {rule.name: rule.id for rule in rules.values() if rule.name}
    correlations: list[Correlation] = []
    filters: list[Filter] = []
    for entry in entries:
        try:
            if isinstance(entry.loaded, Correlation):
                correlations.append(_resolved_correlation(entry.document, entry.loaded, rules, by_name))
            elif isinstance(entry.loaded, Filter):
                filters.append(_resolved_filter(entry.document, entry.loaded, rules, by_name))
        except RuleError as error:
            errors.append(error)
    filtered = (replace(rule, filters=tuple(f for f in filters if _applies(f, rule))) for rule in rules.values())
    return RuleSet(
        tuple(sorted(filtered, key=lambda rule: (rule.technique, rule.title, rule.id))),
        tuple(sorted(correlations, key=lambda rule: (rule.technique, rule.title, rule.id))),
        tuple(filters),
    )


def _resolve(document: Document, reference: str, rules: dict[str, Rule], names: dict[str, str], *place: Any) -> str:  # noqa: ANN401 - a path's steps
    rule = names.get(reference, reference.lower())
    if rule not in rules:
        expected = "the id or name of a rule over windows or queries"
        raise document.error(f"there is no rule {reference!r}", *place, expected=expected)
    return rule


def _resolved_correlation(
    document: Document, loaded: Correlation, rules: dict[str, Rule], names: dict[str, str]
) -> Correlation:
    resolved = tuple(
        _resolve(document, reference, rules, names, "correlation", "rules", index)
        for index, reference in enumerate(loaded.rules)
    )
    return replace(loaded, rules=resolved)


def _resolved_filter(document: Document, loaded: Filter, rules: dict[str, Rule], names: dict[str, str]) -> Filter:
    resolved = frozenset(
        _resolve(document, reference, rules, names, "filter", "rules") for reference in sorted(loaded.rules)
    )
    for rule in resolved:
        if rules[rule].category is not loaded.category:
            message = f"rule {rules[rule].title!r} is not about category {loaded.category}"
            raise document.error(message, "filter", "rules", expected="rules of the filter's own log source")
    return replace(loaded, rules=resolved)


def _applies(exclusion: Filter, rule: Rule) -> bool:
    return exclusion.category is rule.category and (not exclusion.rules or rule.id in exclusion.rules)
