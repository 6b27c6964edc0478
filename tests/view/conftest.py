"""Pages in a real browser, without any network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import LAPTOP, PHONE, until

from autograd.view.explore import Page

__all__ = ["LAPTOP", "PHONE", "Opened", "until"]

Opened = Callable[..., Any]


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
