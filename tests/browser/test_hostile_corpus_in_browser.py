"""Every string of the corpus in a real browser, with everything recorded that could run, load or ask."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from evidence_making import AS_OF, NIGHT
from hostile_corpus_site import GROUPS, corpus_site, nights, notes
from hostile_strings import CORPUS
from watching import Watched

from detector.report.writer import write_night

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hostile_corpus_site import Group
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Runs in every frame before anything of the page does.
RECORDER = """(() => {
  const seen = window.recorded = [];
  const note = (name) => function (...given) { seen.push(`${name} ${given.map(String).join(" ").slice(0, 200)}`); };
  for (const name of ["pwn", "alert", "confirm", "prompt", "open", "print", "fetch", "fetchLater", "postMessage"]) {
    window[name] = note(name);
  }
  for (const name of ["XMLHttpRequest", "WebSocket", "EventSource", "Worker", "SharedWorker", "RTCPeerConnection",
                      "WebTransport", "BroadcastChannel", "Image", "Audio", "Notification"]) {
    window[name] = note(name);
  }
  navigator.sendBeacon = note("sendBeacon");
  for (const name of ["write", "writeln", "execCommand"]) document[name] = note(name);
  for (const name of ["eval", "setTimeout", "setInterval"]) {
    const own = window[name];
    // Those who drive the browser use eval too, but never name it so.
    window[name] = (code, ...rest) => {
      if (typeof code === "string" && code.includes("pwn(")) note(name)(code);
      return own.call(window, code, ...rest);
    };
  }
  addEventListener("securitypolicyviolation", (event) =>
    note("policy")(event.violatedDirective, event.blockedURI, event.sample));
  for (const type of ["error", "unhandledrejection", "message", "submit", "beforeunload", "paste", "invalid"]) {
    addEventListener(type, (event) => note(type)(event.message || event.target), true);
  }
})();"""

# What the templates and charts are made of; anything else came from the log.
# fmt: off
TAGS = [
    "html", "head", "meta", "link", "title", "style", "script", "body", "a", "div", "header", "nav",
    "p", "span", "h1", "h2", "h3", "h4", "main", "section", "dl", "dt", "dd", "strong",
    "ol", "ul", "li", "details", "summary", "figure", "figcaption", "svg", "desc", "path", "rect", "circle",
    "text", "table", "thead", "tbody", "tr", "th", "td", "code", "bdi", "article", "blockquote", "footer",
    "time", "button", "label", "input", "select", "option", "canvas",
]
# fmt: on

STRANGERS = """(tags) => {
  const known = new Set(tags), found = [];
  for (const one of document.querySelectorAll("*")) {
    if (!known.has(one.localName)) found.push(`<${one.localName}>`);
    if (one.shadowRoot) found.push("shadow root");
    for (const { name, value } of one.attributes) {
      const foreign = /^on|^src|action$|^xlink|^ping|^background|^poster|^data$|^popover|^is$/.test(name);
      const styled = name === "style" && !one.closest(".plot");
      const own = /^(#|([.][.]\\/)?index.html$|data:,$|INC-[0-9a-f]+[.](html|zip)$|\\d{4}-\\d\\d-\\d\\d\\/[-\\w.]+$)/;
      const leads = name === "href" && !own.test(value);
      if (foreign || styled || leads) found.push(`${one.localName} ${name}=${value.slice(0, 80)}`);
    }
  }
  if (Object.prototype.hidden !== undefined || window.pwned !== undefined) found.push("a changed prototype or window");
  return found;
}"""

# Everything that a reader could do to every element, links that lead elsewhere left out.
EVERYTHING = """() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const types = ["pointerenter", "pointerover", "mouseover", "mousedown", "mouseup", "focus", "focusin", "blur",
                 "toggle", "animationstart", "transitionend", "begin", "load", "keydown", "wheel", "beforetoggle"];
  // Each link within the page scrolls and lays it out anew: some of a table's are enough.
  const skipped = new Set([...document.querySelectorAll("tbody a")].slice(12));
  let count = 0;
  for (const one of [...document.querySelectorAll("body *")]) {
    for (const type of types) one.dispatchEvent(new Event(type, { bubbles: false }));
    const href = one.closest("a")?.getAttribute("href");
    if ((href && !href.startsWith("#")) || skipped.has(one.closest("a"))) continue;
    const bubbles = !one.closest("tbody") || one.localName === "a";
    one.dispatchEvent(new MouseEvent("click", { bubbles, cancelable: true }));
    count += 1;
  }
  return count;
}"""

TYPED = """(texts) => {
  const search = document.querySelector(".tools input");
  for (const text of texts) {
    search.value = text;
    search.dispatchEvent(new Event("input"));
    search.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    location.hash = text;
  }
  for (const select of document.querySelectorAll(".tools select")) {
    for (const option of select.options) {
      select.value = option.value;
      select.dispatchEvent(new Event("change"));
    }
  }
}"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = corpus_site(tmp_path_factory.mktemp("corpus") / "site")
    out = site.folder / "out"
    with contextlib.chdir(site.folder):
        write_night(site.store, site.settings, out=out, nights=nights(), as_of=AS_OF, run_notes=notes())
    site.store.close()
    return out


@pytest.fixture(scope="module")
def recording(browser: Browser) -> Iterator[Watched]:
    watched = Watched(browser, viewport={"width": 1280, "height": 900})
    watched.page.add_init_script(RECORDER)
    yield watched
    watched.page.close()


def _opened(watched: Watched, path: Path) -> Page:
    watched.asked.clear()
    page = watched.open(path)
    assert page.evaluate(STRANGERS, TAGS) == []
    return page


def _nothing_happened(watched: Watched, path: Path) -> None:
    # A turn of the event loop and more: what a click set off has run by now.
    watched.page.wait_for_timeout(200)
    assert watched.page.evaluate(STRANGERS, TAGS) == []
    assert watched.page.evaluate("window.recorded") == []
    assert {url.partition("#")[0] for url in watched.asked} <= {path.as_uri(), "data:,"}
    assert watched.page.url.partition("#")[0] == path.as_uri()
    assert len(watched.page.frames) == 1
    assert len(watched.page.context.pages) == 1
    assert watched.seen == []


def test_the_corpus_is_large_and_has_no_twins() -> None:
    assert len(CORPUS) == len(set(CORPUS)) >= 200


@pytest.mark.parametrize("group", GROUPS, ids=lambda one: one.incident_id)
def test_no_string_does_anything_on_a_page(reports: Path, recording: Watched, group: Group) -> None:
    path = reports / str(NIGHT) / f"{group.incident_id}.html"
    page = _opened(recording, path)
    assert page.locator(".queries tbody tr").count() > len(group.texts)
    assert page.evaluate(EVERYTHING) > 500
    page.evaluate(TYPED, [text.encode("utf-8", "replace").decode() for text in group.texts])
    typed = next((text for text in group.texts if text.isprintable()), "x")
    page.locator(".tools input").fill(typed)
    page.keyboard.press("Enter")
    _nothing_happened(recording, path)
    assert "queries" in (page.locator("[data-count]").text_content() or "")


@pytest.mark.parametrize("place", ["index.html", f"{NIGHT}/index.html"])
def test_no_string_does_anything_on_the_lists(reports: Path, recording: Watched, place: str) -> None:
    page = _opened(recording, reports / place)
    assert page.evaluate(EVERYTHING) > 100
    _nothing_happened(recording, reports / place)


def test_the_recorder_would_have_noticed(recording: Watched, tmp_path: Path) -> None:
    """The same strings in a page without escapes and policy: dozens of them run, and are seen."""
    careless = tmp_path / "careless.html"
    texts = [text for text in CORPUS if "pwn" in text and "\ud800" not in text and "refresh" not in text]
    body = "".join(f"<div>{text}</div>" for text in texts if text.startswith(("<img", "<svg", "<details", "<input")))
    careless.write_text(f"<!doctype html><meta charset=utf-8><body>{body}</body>", encoding="utf-8")
    page = recording.open(careless)
    page.evaluate(EVERYTHING)
    page.wait_for_timeout(200)
    assert sum(one.startswith("pwn") for one in page.evaluate("window.recorded")) > 5
    assert page.evaluate(STRANGERS, TAGS) != []
    recording.seen.clear()
