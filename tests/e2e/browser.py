"""Debian's Chromium, driven by Playwright, and axe, which looks at what is hard for whom to use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

DESKTOP = {"width": 1100, "height": 800}
PHONE = {"width": 360, "height": 640}
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Start a browser, and close it at the end. Each of its contexts has a fresh profile."""
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_QUIET))
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def looking(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """Open windows of a person of their own, who has been nowhere yet."""
    context = browser.new_context(**options)
    try:
        yield context
    finally:
        context.close()


def accessibility(page: Page) -> list[str]:
    """Return what axe finds wrong with a page: the rule and the places."""
    found = Axe().run(page, options=_RULES).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]


def too_wide(page: Page) -> bool:
    """Whether a page must be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def small_targets(page: Page) -> list[str]:
    """Return what a thumb misses: links and fields that stand alone and are less than 44 px high or 24 px wide.

    A link within a sentence is as high as its line, and a box to check is touched by its label.
    """
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("a, button, select, summary, textarea, label.check, input")]
            .filter(one => !one.matches(".skip, .note a, [type=hidden], [type=checkbox], [type=radio]"))
            .filter(one => one.checkVisibility())
            .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
            .filter(([, box]) => box.height < 43.9 || box.width < 24)
            .map(([what, box]) => `${what} ${box.width}x${box.height}`)"""
    )
    return found
