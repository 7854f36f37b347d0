"""A real browser, and what it complains about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.patient import PATIENCE

_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first one is the same without a window to draw: a page takes half as long."""
_WAIT: Final = PATIENCE * 1000  # ms
_MOVES_WITHIN: Final = 20_000  # ms, less than the minute after which a page looks even if nobody woke it
_EXPECTED: Final = "the server responded with a status of"
"""What Chromium says itself of an answer that is no success; tests look at these answers."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's own; without any the test is skipped, which `.ci/run` does not accept."""
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip("no Chromium is installed: apt install chromium-headless-shell")
    expect.set_options(timeout=_MOVES_WITHIN)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


class Person:
    """Somebody at a browser window of their own, and all that went wrong in it."""

    def __init__(self, browser: Browser, address: str, **window: Any) -> None:
        self._context = browser.new_context(base_url=address, **{"locale": "en-GB", **window})
        self._context.set_default_timeout(_WAIT)
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def see(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()

    def sign_up(self, name: str, password: str = "correct horse battery") -> None:
        """On the page for that."""
        form = self.page.locator("form[action='/shop/sign-up']")
        form.get_by_label("User name").fill(name)
        form.get_by_label("Password").fill(password)
        form.get_by_role("button").click()
        self.page.wait_for_url(lambda url: "/sign-" not in url)

    def violations(self) -> list[str]:
        """Of WCAG 2.2 A and AA and of best practice, as axe finds them on the page."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]

    def is_wider_than_its_window(self) -> bool:
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width > 0

    def close(self) -> None:
        self._context.close()

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and _EXPECTED not in text:
            self.complaints.append(text)
