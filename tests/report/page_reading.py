"""Reading a written page as a browser would, to check what it may and must hold."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

_VOID = {"meta", "link", "br", "img", "hr", "input"}


@dataclass
class Page(HTMLParser):
    """What a page holds; `scripts` are those that run, `data` what they read."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    text: str = ""
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._script = self.scripts

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "style":
            self.styles.append("")
        elif tag == "script":
            self._script = self.data if dict(attrs) == {"type": "application/json", "id": "live"} else self.scripts
            self._script.append("")

    def handle_endtag(self, tag: str) -> None:
        opened = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.styles[-1] += data
        elif self._open and self._open[-1] == "script":
            self._script[-1] += data
        else:
            self.text += data

    def values(self, name: str) -> list[str]:
        """Return the values of an attribute, wherever it stands."""
        return [value for _, attribute, value in self.attributes if attribute == name]


def read(html: str) -> Page:
    """Return what a page holds; tags that do not match are an error."""
    page = Page()
    page.feed(html)
    page.close()
    assert page._open == []
    return page


def check(html: str) -> Page:
    """Check what every page must keep to, and return it."""
    page = read(html)
    (policy,) = [value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value]
    assert policy == _policy(page)
    forbidden = {"iframe", "object", "embed", "form", "img", "base", "foreignobject"}
    assert forbidden & set(page.tags) == set()
    assert len(page.data) <= 1
    assert not any(mark in text for text in page.data for mark in "<>&\u2028\u2029")
    assert [value for tag, name, value in page.attributes if tag == "input" and name == "type"] in ([], ["search"])
    assert not {"src", "srcset", "action", "formaction", "data", "ping"} & {name for _, name, _ in page.attributes}
    handlers = [name for _, name, _ in page.attributes if name == "style" or name.startswith("on")]
    assert handlers == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    for name in page.values("aria-labelledby"):
        assert set(name.split()) <= set(ids)
    links = [value for tag, name, value in page.attributes if name == "href" and tag == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert [link for link in links if re.match(r"[a-z]+:|//", link)] == []
    _check_headings(page)
    return page


def _policy(page: Page) -> str:
    """Return the policy that lets in what the page brings along, and nothing else."""
    styles = " ".join(map(_hash, page.styles[::-1]))
    scripts = " ".join(map(_hash, page.scripts)) or "'none'"
    typed = "; require-trusted-types-for 'script'; trusted-types 'none'" if page.scripts else ""
    return (
        f"default-src 'none'; style-src {styles}; script-src {scripts}{typed}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _check_headings(page: Page) -> None:
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in pairwise(levels):
        assert after <= before + 1, "a heading skips a level"
