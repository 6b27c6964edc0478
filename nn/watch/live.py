"""A training while it runs, as a page that follows it."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any

from .recorder import Record
from .run import Run
from .server import Server, follow
from .store import Folder

__all__ = ["live", "serve", "watch_folder"]


def serve(run: Run, port: int = 0) -> Server:
    """A page of a run, which follows it while it is written; see `Server.url`."""

    def page(server: Server) -> str:
        from autograd.view.explore import Page

        told = run._page_() if run.store.changed else {"traces": [], "title": "training", "run": {}}
        told["run"]["frames"] = []  # they come as events
        return str(Page(**told, live=server.live).html)

    return Server(page, follow(run.store), port=port)


def live(callbacks: Any, how: Any) -> tuple[list[Any], Server]:
    """`fit(live=...)`: the callbacks with a `Record` among them, and a server that shows it."""
    if how not in (True, "open"):
        raise ValueError(f'fit: live={how!r}; there is True, and "open" for a browser as well')
    given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    told = [callback for callback in given if callback is not None]
    recorded = next((callback for callback in told if isinstance(callback, Record)), None)
    if recorded is None:
        recorded = Record()
        told.append(recorded)
    server = serve(recorded)
    print(f"watch it live: {server.url}", flush=True)
    if how == "open":
        webbrowser.open(server.url)
    return told, server


def watch_folder(folder: Any, port: int = 0, open_browser: bool = False) -> None:
    """Follow the run in a folder, which another process writes, or will; until interrupted."""
    store = Folder(folder)
    if store.changed:
        _ = store.header  # says what is wrong with it
    server = serve(Run(store), port)
    waiting = "" if store.changed else " (nothing is there yet)"
    print(f"watching {Path(folder)}{waiting}: {server.url}", flush=True)
    if open_browser:
        webbrowser.open(server.url)
    try:
        while server.thread.is_alive():
            server.thread.join(1.0)
    finally:
        server.close()
