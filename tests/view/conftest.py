"""A real browser to look at pages in, as many as a suite needs, without any network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograd.view.explore import Page

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
LAPTOP, PHONE = (1280, 800), (390, 844)

Opened = Callable[..., Any]


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


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opened]:
    """Save a page and open it.  What it complains of, or asks any network for, is a failure."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def open_(what: Page | str, size: tuple[int, int] = LAPTOP, dark: bool = False) -> Any:
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(what if isinstance(what, str) else what.html, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            has_touch=size == PHONE,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            offline=True,
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", lambda request: asked(request.url))
        mine = file.as_uri()

        def asked(url: str) -> None:
            if url != mine and not url.startswith(("blob:", "data:", "about:srcdoc")):
                wrong.append(f"request: {url}")

        page.goto(mine)
        if not isinstance(what, str):
            page.evaluate("glassgrad.ready")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []
