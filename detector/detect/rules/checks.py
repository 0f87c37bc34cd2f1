"""What a rule must say of itself, checked before pySigma sees it so that every error has its line."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from detector.detect.rules.model import RuleTest
from detector.detect.rules.sentences import parse_sentence
from detector.detect.rules.vocabulary import SENTENCE_EXTRAS, Category, Kind, fields
from detector.model import Severity, Technique

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from detector.detect.rules.documents import Document, Step
    from detector.detect.rules.sentences import Sentence

# what the Sigma specification allows in every document
_SPECIFIED = frozenset({
    "title", "id", "name", "related", "taxonomy", "status", "description", "license", "author", "references", "date",
    "modified", "logsource", "fields", "falsepositives", "level", "tags", "scope",
})  # fmt: skip
_RULE_KEYS = _SPECIFIED | {"detection", "ml", "tests"}
_CORRELATION_KEYS = (_SPECIFIED | {"correlation", "ml", "tests"}) - {"logsource"}
_FILTER_KEYS = _SPECIFIED | {"filter"}
_COMMON = ("title", "id", "status", "description", "level", "tags", "falsepositives", "author", "date", "ml", "tests")
_TEXTS = ("title", "id", "name", "status", "description", "level", "author")
_LISTS = ("tags", "falsepositives")
_LEVELS = {"informational": Severity.LOW, **{level.value: level for level in Severity}}
_ATLAS = re.compile(r"atlas\.aml-t\d{4}(\.\d{3})?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
# what an event of a correlation's test may hold, beside the fields of a finding
_FINDING_EXTRAS = frozenset({"at"})


def kind_of_document(document: Document) -> str:
    """Return which of Sigma's three kinds a document is: correlation, filter or rule."""
    return next((kind for kind in ("correlation", "filter") if kind in document.data), "rule")


def check_keys(document: Document, kind: str) -> None:
    """Refuse unknown keys, missing ones, and texts and lists that are something else.

    Raises:
        RuleError: at the line of the key.
    """
    allowed = {"rule": _RULE_KEYS, "correlation": _CORRELATION_KEYS, "filter": _FILTER_KEYS}[kind]
    refuse_unknown(document, document.data, allowed)
    required = {
        "rule": (*_COMMON, "logsource", "detection"),
        "correlation": _COMMON,
        "filter": ("title", "id", "description", "author", "date", "logsource"),
    }[kind]
    for key in required:
        if document.data.get(key) in (None, "", []):
            raise document.error(f"{key} is missing", key, expected=f"every {kind} to have it")
    for key in _TEXTS:
        value = document.data.get(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise document.error(f"{key} is not a text", key)
    for key in _LISTS:
        _check_texts(document, key)
    _check_identity(document)


def refuse_unknown(document: Document, data: Mapping[str, Any], allowed: Collection[str], *path: Step) -> None:
    """Refuse keys that mean nothing here, which are mistakes more often than not.

    Raises:
        RuleError: at the line of the key.
    """
    for key in data:
        if key not in allowed:
            raise document.error(f"unknown field {key!r}", *path, key, expected=", ".join(sorted(allowed)))


def _check_texts(document: Document, key: str) -> None:
    values = document.data.get(key, [])
    if not isinstance(values, list):
        raise document.error(f"{key} is not a list", key, expected="a list of texts")
    for index, value in enumerate(values):
        if not (isinstance(value, str) and value.strip()):
            raise document.error(f"{key} holds something that is not a text", key, index)


def _check_identity(document: Document) -> None:
    try:
        UUID(document.data["id"])
    except ValueError as error:
        raise document.error(f"{document.data['id']!r} is not an id", "id", expected="a UUID") from error
    name = document.data.get("name")
    if name is not None and not _NAME.fullmatch(name):
        raise document.error(f"{name!r} cannot be a name", "name", expected="letters, digits and underscores")
    when = document.data["date"]
    if isinstance(when, datetime) or not isinstance(when, date):
        raise document.error(f"{when!r} is not a date", "date", expected="a date like 2026-11-01")


def level_of(document: Document) -> Severity:
    """Return the severity that a rule's level stands for.

    Raises:
        RuleError: it is not one of Sigma's levels.
    """
    level = document.data["level"]
    if level not in _LEVELS:
        raise document.error(f"{level!r} is not a level", "level", expected=", ".join(_LEVELS))
    return _LEVELS[level]


def technique_of(document: Document) -> Technique:
    """Return the technique that a rule's tags name.

    Raises:
        RuleError: there is none, more than one, or an unknown one.
    """
    tags: list[str] = document.data["tags"]
    named = [(index, tag.removeprefix("technique.")) for index, tag in enumerate(tags) if tag.startswith("technique.")]
    expected = "one of " + ", ".join(f"technique.{technique}" for technique in Technique)
    if len(named) != 1:
        raise document.error(f"{len(named)} tags name a technique, not one", "tags", expected=expected)
    index, name = named[0]
    if name not in list(Technique):
        raise document.error(f"unknown technique {name!r}", "tags", index, expected=expected)
    return Technique(name)


def atlas_of(document: Document) -> tuple[str, ...]:
    """Return the MITRE ATLAS ids that a rule's tags name: atlas.aml-t0024.001 is AML.T0024.001.

    Raises:
        RuleError: there is none, or one is malformed.
    """
    found = []
    for index, tag in enumerate(document.data["tags"]):
        if "." not in tag.strip("."):
            raise document.error(f"tag {tag!r} has no namespace", "tags", index, expected="namespace.name")
        if not tag.startswith("atlas."):
            continue
        if not _ATLAS.fullmatch(tag):
            raise document.error(f"malformed ATLAS tag {tag!r}", "tags", index, expected="atlas.aml-t0024.001")
        found.append(tag.removeprefix("atlas.").upper().replace("-", ".", 1))
    if not found:
        raise document.error("no tag names an ATLAS technique", "tags", expected="a tag like atlas.aml-t0024.001")
    return tuple(found)


def sentence_of(document: Document, category: Category) -> Sentence:
    """Return the parsed template of a rule's sentence, with the `ml` block's keys checked.

    Raises:
        RuleError: the block is malformed, or the sentence names a field that there is not.
    """
    block = document.data["ml"]
    if not isinstance(block, dict):
        raise document.error("ml is not a mapping", "ml", expected="family and sentence")
    extra = {"minimum"} if category is Category.QUERY else set()
    refuse_unknown(document, block, {"family", "sentence"} | extra, "ml")
    template = block.get("sentence")
    if not (isinstance(template, str) and template.strip()):
        raise document.error("ml.sentence is missing", "ml", "sentence", expected="a sentence in plain words")
    family = block.get("family")
    if family is not None and not isinstance(family, str):
        raise document.error("ml.family is not a text", "ml", "family")
    minimum = block.get("minimum", 1)
    if not isinstance(minimum, int) or isinstance(minimum, bool) or minimum < 1:
        raise document.error("ml.minimum is not a count", "ml", "minimum", expected="a whole number from 1")
    try:
        sentence = parse_sentence(template)
    except ValueError as error:
        raise document.error(f"ml.sentence: {error}", "ml", "sentence", expected="{field} or {field:.2f}") from error
    for field in sorted(sentence.fields - fields(category).keys() - SENTENCE_EXTRAS[category]):
        raise document.error(f"ml.sentence names the unknown field {field!r}", "ml", "sentence")
    return sentence


def tests_of(document: Document, category: Category) -> tuple[RuleTest, ...]:
    """Return a rule's inline tests.

    Raises:
        RuleError: a test is malformed, or there is no hit or no near-miss.
    """
    listed = document.data["tests"]
    if not isinstance(listed, list):
        raise document.error("tests is not a list", "tests", expected="a list of name, expect, events")
    tests = tuple(_test(document, category, index, test) for index, test in enumerate(listed))
    if {test.hit for test in tests} != {True, False}:
        raise document.error("tests lack a hit or a near-miss", "tests", expected="at least one of each")
    names = [test.name for test in tests]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise document.error(f"two tests are named {name!r}", "tests", index)
    return tests


def _test(document: Document, category: Category, index: int, test: object) -> RuleTest:
    place = ("tests", index)
    if not isinstance(test, dict):
        raise document.error("a test is not a mapping", *place, expected="name, expect, events")
    refuse_unknown(document, test, {"name", "expect", "events"}, *place)
    if not isinstance(test.get("name"), str):
        raise document.error("a test has no name", *place, "name", expected="a text")
    if test.get("expect") not in ("hit", "miss"):
        raise document.error("a test expects neither hit nor miss", *place, "expect", expected="hit or miss")
    events = test.get("events")
    listed: list[Any] = events if isinstance(events, list) else [events]
    if not listed or not all(isinstance(event, dict) for event in listed):
        raise document.error("a test has no events", *place, "events", expected="a mapping, or a list of them")
    for number, event in enumerate(listed):
        inside = (*place, "events", number) if isinstance(events, list) else (*place, "events")
        _check_event(document, category, event, inside)
    return RuleTest(test["name"], test["expect"] == "hit", tuple(listed), document.line(*place))


def _check_event(document: Document, category: Category, event: Mapping[str, Any], place: tuple[Step, ...]) -> None:
    known = fields(category)
    extras = _FINDING_EXTRAS if category is Category.CORRELATION else frozenset[str]()
    refuse_unknown(document, event, known.keys() | extras, *place)
    if category is Category.CORRELATION:
        return
    for field, value in event.items():
        number = isinstance(value, int | float)
        if value is not None and known[field] is Kind.NUMBER and not number:
            raise document.error(f"{field} is a number, {value!r} is not", *place, field)
        if value is not None and known[field] is Kind.TEXT and not (number or isinstance(value, str)):
            raise document.error(f"{field} is a text, {value!r} is not", *place, field)
