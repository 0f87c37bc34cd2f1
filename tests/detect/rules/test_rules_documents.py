from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from detector.detect.rules.documents import MAX_BYTES, read_documents, rule_files
from detector.errors import RuleError

if TYPE_CHECKING:
    from pathlib import Path


def _write(folder: Path, content: str | bytes) -> Path:
    file = folder / "rule.yml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    file = _write(tmp_path, "# comment\ntitle: x\ndetection:\n  s:\n    a: 1\n    b: [2,\n      3]\n---\n\ntitle: y\n")
    first, second = read_documents(file)
    assert first.line("title") == 2
    assert first.line("detection", "s", "b") == 6
    assert first.line("detection", "s", "b", 1) == 7
    assert first.line("detection", "s", "missing", "deeper") == 4
    assert second.line("title") == 10
    assert second.data == {"title": "y"}


def test_empty_documents_are_passed_over(tmp_path: Path) -> None:
    assert [d.data for d in read_documents(_write(tmp_path, "---\ntitle: x\n---\n---\n"))] == [{"title": "x"}]
    assert list(read_documents(_write(tmp_path, ""))) == []


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is given twice"),
        ("x:\n  - {b: 1, b: 2}\n", 2, "'b' is given twice"),
        ("a: &anchor 1\nb: *anchor\n", 1, "anchors and aliases"),
        ("b: 1\na: *unknown\n", 2, "anchors and aliases"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "is not allowed in rules"),
        ("a: 1\nb: !!binary aGk=\n", 2, "is not allowed in rules"),
        ("base: 1\n<<: {a: 1}\n", 2, "is not a name"),
        ("a: 1\n1: 2\n", 2, "'1' is not a name"),
        ("a: 1\n? [x]\n: 2\n", 2, "'a collection' is not a name"),
        ("a: 1\nb: [1, 2\n", 2, "cannot be read as YAML"),
        ("a: 1\n\tb: 2\n", 2, "cannot be read as YAML"),
        ("- 1\n- 2\n", 1, "is not a rule"),
        ("\njust text\n", 2, "is not a rule"),
        ("a: 1\ndate: 2026-13-45\n", 1, "holds a value that cannot be read"),
        ("a: " + "[" * 40 + "]" * 40, 1, "nested too deeply"),
        ("a: " + "[" * 200_000, 1, "nested too deeply"),
        ("a: [" + "1," * 60_000 + "1]", 1, "too many values"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        ("a: 1\nb: '\x00'\n", None, "cannot be read as YAML"),
    ],
)
def test_hostile_yaml_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, line: int | None, message: str
) -> None:
    file = _write(tmp_path, content)
    with pytest.raises(RuleError) as caught:
        list(read_documents(file))
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == (file, line)
    assert caught.value.exit_code == 2


def test_a_file_too_large_for_a_rule_is_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="too large"):
        list(read_documents(_write(tmp_path, b"#" * (MAX_BYTES + 1))))


def test_folders_are_searched_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.yml", "a/c.yaml", "a/.hidden.yml", ".git/d.yml", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x: 1\n")
    assert [str(f.relative_to(tmp_path)) for f in rule_files([tmp_path])] == ["a/c.yaml", "b.yml"]
    assert list(rule_files([tmp_path / "notes.md"])) == [tmp_path / "notes.md"]
    with pytest.raises(RuleError, match="no such rule file"):
        list(rule_files([tmp_path / "missing"]))


def test_a_file_that_cannot_be_opened_is_an_error_of_rules(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read"):
        list(read_documents(tmp_path))
