"""The explorer's page in Chromium: large graphs opened, unfolded and moved.

chain   a product of 3,400 numbers: 10,201 boxes, in a row
layered a network of single numbers on 50 samples: 7,000 boxes and more, with long arrows between
open    a graph of 1,001 nodes, from its file until it can be read

"seconds" is the time of unfolding all of it, or of opening; "whole" and "near" are frames per
second while all of it, and what is near, is moved.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import Contestant

__all__ = ["BROWSERS", "explorer"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WINDOW = {"width": 1280, "height": 800}

_UNFOLD = """async () => {
    glassgrad.foldAll();
    const began = performance.now();
    await glassgrad.unfoldAll();
    return (performance.now() - began) / 1000;
}"""
_MOVE = """async () => {
    const before = glassgrad.frames.count;
    const began = performance.now();
    while (performance.now() - began < 1000) {
        glassgrad.pan(3, 1);
        await new Promise(requestAnimationFrame);
    }
    return (1000 * (glassgrad.frames.count - before)) / (performance.now() - began);
}"""


def explorer(graph: str) -> Contestant:
    """Our page of one of the graphs."""
    from playwright.sync_api import sync_playwright

    from autograd import explore

    folder = TemporaryDirectory()
    (Path(folder.name) / "page.html").write_text(explore(_graph(graph)).html, encoding="utf-8")
    path = os.environ.get("GLASSGRAD_CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if path is None:
        raise RuntimeError("needs Chromium: apt install chromium, or its path: GLASSGRAD_CHROMIUM")
    browser = (
        sync_playwright()
        .start()
        .chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
    )

    def opened() -> Any:
        page = browser.new_context(viewport=WINDOW, offline=True).new_page()
        page.goto((Path(folder.name) / "page.html").as_uri())  # as long as that is wanted
        page.evaluate("glassgrad.ready")
        return page

    page = opened()
    page.evaluate(_UNFOLD)

    def run(k: int) -> dict[str, float]:
        if graph != "open":
            taken = sum(page.evaluate(_UNFOLD) for _ in range(k)) / k
            page.keyboard.press("0")
            whole = page.evaluate(_MOVE)
            page.evaluate("glassgrad.zoom(20)")
            return {"seconds": taken, "whole": whole, "near": page.evaluate(_MOVE)}
        taken = 0.0
        for _ in range(k):
            fresh = opened()
            taken += fresh.evaluate("performance.now()") / 1000
            fresh.context.close()
        return {"seconds": taken / k}

    boxes = page.evaluate("glassgrad.state().visible.length")
    nodes = page.evaluate("glassgrad.trace.nodes.length")
    return Contestant(run, facts={"boxes": boxes, "nodes": nodes})


def _graph(name: str) -> Any:
    import autograd
    from autograd import Value
    from nn import scalar

    autograd.seed(0)
    if name != "layered":
        y = Value(1.0)
        for _ in range({"chain": 3_400, "open": 500}[name]):
            y = y * 0.9999
        return y
    model, loss = scalar.MLP(8, [16, 16, 1]), Value(0.0)
    for _ in range(50):
        loss = loss + (model([Value(0.1 * i) for i in range(8)]) - 1.0) ** 2
    return loss
