from __future__ import annotations

import pytest

from detector.detect.rules.sentences import parse_sentence


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{near_duplicate_ratio}", 0.876, "88%"),
        ("{near_duplicate_ratio:.2f}", 0.876, "0.88"),
        ("{near_duplicate_ratio_tail}", 2.5, "2.50"),
        ("{query_count}", 12345.0, "12,345"),
        ("{confidence_record_z}", 5.126, "5.13"),
        ("{confidence_record_z:.1f}", 5.126, "5.1"),
        ("{canary_hits:,d}", 1234.0, "1,234"),
        ("{target}", "6", "6"),
        ("{target}", None, "unknown"),
        ("{target}", "a\x1b[31mb\nc", "a\ufffd[31mb\ufffdc"),
        ("{target}", "x" * 200, "x" * 120 + "…"),
        ("{{{target}}}", "6", "{6}"),
        ("  two   words \n here ", None, "two words here"),
    ],
)
def test_values_read_as_a_person_would_write_them(template: str, value: float | str | None, expected: str) -> None:
    sentence = parse_sentence(template)
    assert sentence.render(dict.fromkeys(sentence.fields, value)) == expected


@pytest.mark.parametrize(
    "template", ["{", "}", "{a.b}", "{a[0]}", "{a!r}", "{0}", "{}", "{a:>99}", "{a:.99f}", "{a:{b}}", "{a:x}"]
)
def test_anything_but_a_field_and_a_number_format_is_refused(template: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the loader adds file and line
        parse_sentence(template)
