"""What stands in the project's files: no addresses of one workplace, links that lead somewhere, one version."""

from __future__ import annotations

import re
from datetime import date

from checkout import ROOT, documents, texts

import detector

# Spelled in parts, so that this file does not contain what it looks for.
HOSTS = ("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "deb.deb" + "ian.org", "proxy.gol" + "ang.org")
FOLDERS = re.compile(r"(?<![\w.:/-])/(?:" + "|".join(("home/", "ro" + "ot/", "Us" + "ers/", "wo" + "rk/")) + r")\w+")
# Made-up machines in tests of what a log or a user may say.
INVENTED = re.compile(r"/home/(?:alice|bob|user|analyst|mallory)\b")


def test_no_address_of_a_registry_or_of_a_build_machine() -> None:
    hits = []
    for name, text in texts().items():
        for number, line in enumerate(text.splitlines(), 1):
            plain = INVENTED.sub("", line)
            if any(host in plain for host in HOSTS) or FOLDERS.search(plain):
                hits.append(f"{name}:{number}: {line.strip()[:100]}")
    assert hits == []


def test_no_unfinished_text() -> None:
    marks = re.compile(
        r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "TB" + "D", "lorem ip" + "sum")) + r")\b"
    )
    hits = [
        f"{name}:{number}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if marks.search(line)
    ]
    assert hits == []


def test_files_end_with_one_newline_and_hold_no_trailing_blanks() -> None:
    # What others wrote stays as it came.
    foreign = ("tests/", "LICENSE", "detector/report/assets/uplot/")
    own = {name: text for name, text in texts().items() if text and not name.startswith(foreign)}
    assert [name for name, text in own.items() if not text.endswith("\n") or text.endswith("\n\n")] == []
    assert [name for name, text in own.items() if re.search(r"[ \t]+$", text, re.MULTILINE)] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for name, text in documents().items():
        outside_code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", outside_code):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            page = (ROOT / name).parent / file if file else ROOT / name
            if not page.exists() or (anchor and anchor not in anchors(page.read_text(encoding="utf-8"))):
                broken.append(f"{name}: {target}")
    assert broken == []


def anchors(text: str) -> set[str]:
    """The names of a page's headings as links spell them."""
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reachable_from_the_readme() -> None:
    pages = documents()
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in pages:
            continue
        reached.add(name)
        targets = [one for one in re.findall(r"\]\(([^)\s#]+)", pages[name]) if not re.match(r"[a-z]+:", one)]
        waiting += [((ROOT / name).parent / one).resolve().relative_to(ROOT).as_posix() for one in targets]
    apart = {name for name in pages if name.startswith("docs/") or "/" not in name} - reached
    assert apart == set()


def test_the_changelog_tells_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", text, re.MULTILINE)
    assert versions[0][0] == detector.__version__
    assert [date.fromisoformat(day) for _, day in versions] == sorted(
        (date.fromisoformat(day) for _, day in versions), reverse=True
    )
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)


def test_the_version_stands_in_one_place() -> None:
    told = re.compile(r"(?m)^(?:__version__|version)\s*=\s*[\"']" + re.escape(detector.__version__))
    assert [name for name, text in texts().items() if told.search(text)] == ["detector/__init__.py"]
