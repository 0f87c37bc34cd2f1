from __future__ import annotations

import csv
import io
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.custody import tables
from detector.custody.cells import neutralise, restore

FORMULA = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\u00a0=1", "\uff1d1+1", "'=1", "''=1", "\n=1"]
NASTY = st.text(alphabet=st.sampled_from("=+-@';|\t\r\n \"\u27e8\u27e9U+001Ba,\u202e\u200b\uff1d\x00\x1b"), max_size=14)
# Lone surrogates cannot be stored: ingest spells them out.
ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize("text", FORMULA)
def test_what_begins_like_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert neutralise(text)[0] == "'"
    assert restore(neutralise(text)) == text


@pytest.mark.parametrize("text", ["", "key-7c1f", "a=1", "'quoted'", "10.0.0.1", '{"a":-1}', "naïve", "日本"])
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert neutralise(text) == text


def test_a_formula_behind_another_separator_is_no_cell_of_its_own() -> None:
    assert neutralise("a;=cmd()") == "a;'=cmd()"
    assert neutralise("a|'@x") == "a|''@x"


def test_what_steers_or_hides_is_spelled() -> None:
    assert neutralise("a\x1b[31m\u202eb\u27e8") == "a⟨U+001B⟩[31m⟨U+202E⟩b⟨U+27E8⟩"


@given(NASTY | ANY)
def test_nothing_is_lost(text: str) -> None:
    assert restore(neutralise(text)) == text


@given(NASTY | ANY)
def test_no_cell_is_a_formula_or_steers(text: str) -> None:
    cell = neutralise(text)
    assert re.match(r"[\s]*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell) is None
    assert re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", cell) is None
    assert re.search(r"[;|][=+\-@]", cell) is None


@given(st.lists(st.none() | NASTY, min_size=1, max_size=6))
def test_a_csv_file_holds_each_text_in_a_line_of_its_own(texts: list[str | None]) -> None:
    table = pa.table({"number": range(len(texts)), "text": pa.array(texts, pa.large_string())})
    written = tables.csv(table).decode("utf-8")
    assert written.count("\n") == len(texts) + 1
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert rows[0] == ["number", "text"]
    assert [restore(row[1]) for row in rows[1:]] == [text or "" for text in texts]


def test_null_and_empty_text_differ() -> None:
    table = pa.table({"a": pa.array(["", None], pa.string()), "b": [[1], [2]], "c": [-1.5, None]})
    assert tables.csv(table, without={"b"}) == b'"a","c"\n"",-1.5\n,\n'
