"""The page lays out in a worker, also where the page is a file, in a real browser.

The page tells what it found by posting it to a server of this test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from picture_samples import chain, mlp
from test_layout_ports import BUNDLE, as_json

from autograd.view.layout import layout

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, as program `chromium`"),
]

PAGE = """<!doctype html><meta charset="utf-8"><script>
(async () => {
  const { bundle, small, large, home, forbid } = DATA;
  if (forbid) window.Worker = class { constructor() { throw new Error("no workers here"); } };
  const url = URL.createObjectURL(new Blob([bundle], { type: "text/javascript" }));
  const { layoutInWorker } = await import(url);
  const name = (promise) => promise.then(() => "finished", (error) => error.name);
  const found = {};
  const placed = await layoutInWorker(small);
  found.width = placed.width;
  found.boxes = placed.boxes.size;
  let ticks = 0;
  const clock = setInterval(() => ticks++, 1);
  await layoutInWorker(large);
  clearInterval(clock);
  found.ticks = ticks;
  const first = name(layoutInWorker(large));
  found.second = (await layoutInWorker(small)).width;
  found.first = await first;
  found.late = await name(layoutInWorker(large, { timeout: 1 }));
  found.after = (await layoutInWorker(small)).width;
  found.wrong = await name(layoutInWorker({ ...small, arrows: [{ tail: "?", head: "?" }] }));
  return found;
})().catch((error) => ({ error: String(error.stack) })).then((found) =>
  fetch(DATA.home, { method: "POST", mode: "no-cors", body: JSON.stringify(found) }));
</script>"""


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[Any]]]:
    """A server's address, and what was posted to it."""
    posted: list[Any] = []

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Inbox) as server:
        server.timeout = 60
        thread = Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", posted
        thread.join()


@pytest.mark.parametrize("forbid", [False, True], ids=["worker", "no workers"])
def test_layout_in_worker(forbid: bool, inbox: tuple[str, list[Any]], tmp_path: Path) -> None:
    home, posted = inbox
    data = {
        "bundle": BUNDLE.read_text(encoding="utf-8"),
        "small": as_json(mlp()),
        "large": as_json(chain(6000)),
        "home": home,
        "forbid": forbid,
    }
    page = tmp_path / "page.html"
    script = json.dumps(data).replace("<", "\\u003c")
    page.write_text(PAGE.replace("<script>", f"<script>const DATA = {script};", 1), "utf-8")
    command = [str(CHROMIUM), "--headless", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # which Chromium refuses to run as root without
    browser = subprocess.Popen(
        [*command, page.as_uri()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            if posted or browser.poll() is not None:
                break
            try:
                browser.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
    finally:
        browser.terminate()
        browser.wait()
    (found,) = posted
    assert "error" not in found, found
    placed = layout(mlp())
    assert found["width"] == found["second"] == found["after"] == placed.width
    assert found["boxes"] == len(placed.boxes)
    assert found["first"] == "LayoutCancelled"
    assert found["wrong"] == "PictureError"
    if forbid:
        assert found["late"] == "finished"  # nothing can interrupt the page's own thread
    else:
        assert found["late"] == "LayoutTimeout"
        assert found["ticks"] > 5  # the page was alive meanwhile
