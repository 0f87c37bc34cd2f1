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
    """What a page holds."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    text: str = ""
    style: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        opened = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
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
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    (policy,) = [value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    forbidden = {"script", "iframe", "object", "embed", "form", "input", "img", "base", "foreignobject"}
    assert forbidden & set(page.tags) == set()
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


def _check_headings(page: Page) -> None:
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in pairwise(levels):
        assert after <= before + 1, "a heading skips a level"
