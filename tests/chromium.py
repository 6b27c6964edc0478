"""A real browser to look at pages in, as many as a suite needs, without any network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
LAPTOP, PHONE = (1280, 800), (390, 844)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once; without it the tests that ask for it are skipped."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install -e .[dev]"
    )
    path = os.environ.get("GLASSGRAD_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if path is None:
        pytest.skip("needs Chromium: apt install chromium, or its path as GLASSGRAD_CHROMIUM")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


def until(page: Any, expression: str) -> None:
    """Wait until an expression is true.  Playwright's own wait needs `eval`, which pages forbid."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"waited 5 s in vain for: {expression}")
