"""A browser page that notes everything that it should not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence_making import NIGHT

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CLIMB = f"{NIGHT}/INC-0a1b2c3d4e5f.html"
# The page about the attacker, beside the index.
CLIENT = "client.html"


class Watched:
    """A browser page, and everything that it should not do."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.page: Page = browser.new_page(**options)
        self.seen: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.seen.append(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        self.page.on("dialog", self._asked_something)
        self.page.on("popup", lambda popup: self.seen.append(f"popup: {popup.url}"))
        self.page.on("download", lambda download: self.seen.append(f"download: {download.url}"))
        self.page.on("request", self._asked)

    def _asked_something(self, dialog: Any) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Any) -> None:
        self.asked.append(request.url)
        if not request.url.startswith(("file:", "data:")):
            self.seen.append(f"request: {request.url}")

    def open(self, path: Path) -> Page:
        self.page.goto(path.as_uri())
        return self.page

    def wait_until(self, holds: str, argument: str) -> None:
        """Wait until a JavaScript function holds of an argument, at most ten seconds.

        The page's own policy forbids it to evaluate text, and that is how playwright's `wait_for_function` asks a
        second time; each question that is asked from here comes by the debugger's way instead.
        """
        for _ in range(200):
            if self.page.evaluate(holds, argument):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"not within ten seconds: {holds} of {argument!r}")
