"""`Run`: a training that was recorded, to be looked at, kept and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .store import Folder, Memory, frames_of

__all__ = ["Run", "load"]


class Run:
    """The header and the frames of a training.

    `header` says which parameters and activations they are of, `frames` lists them: dicts, as
    `docs/watch.md` explains them.  `explore()` shows the training as a page.
    """

    def __init__(self, store: Memory | Folder) -> None:
        self.store = store

    @property
    def header(self) -> dict[str, Any]:
        """What is the same for all frames."""
        return self.store.header

    @property
    def frames(self) -> list[dict[str, Any]]:
        """The frames so far, by step."""
        return frames_of(self.store.read()[1])

    def save(self, folder: Any) -> Path:
        """Write the run into a folder, from which `nn.watch.load` reads it."""
        kept = Folder(folder)
        kept.replace(self.store.read()[1])
        kept.write_header(self.header)
        return kept.path

    def compare(self, other: Run) -> Comparison:
        """This run and another, to be explored side by side."""
        return Comparison(self, other)

    def explore(self) -> Any:
        """The training as a page: shown by a notebook, or `.save("training.html")`."""
        return _explored(self)

    def _page_(self) -> dict[str, Any]:
        header = self.header
        traces = [Kept(header["trace"])] if "trace" in header else []
        slim = {key: value for key, value in header.items() if key != "trace"}
        if traces:
            slim["keys"] = [node["key"] for node in traces[0].nodes]
        run = {"header": slim, "frames": self.frames}
        return {"traces": traces, "title": header["title"], "run": run}

    def __repr__(self) -> str:
        frames = self.frames
        if not frames:
            return f"{type(self).__name__}(no frames yet)"
        last = frames[-1]
        return (
            f"{type(self).__name__}({len(frames)} frames of {len(self.header['parameters'])} "
            f"parameters, steps 0 to {last['step']}, loss {last['loss']})"
        )


class Kept:
    """A `GraphTrace` as it was written down."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.title, self.nodes = told, told["title"], told["nodes"]

    def plain(self) -> dict[str, Any]:
        """The trace as JSON can say it."""
        return self.told


class Comparison:
    """Two runs: the first is shown, with the second beside it."""

    def __init__(self, run: Run, other: Run) -> None:
        self.run, self.other = run, other

    def explore(self) -> Any:
        """Both as one page."""
        return _explored(self)

    def _page_(self) -> dict[str, Any]:
        told = self.run._page_()
        told["run"]["other"] = self.other._page_()["run"]
        return told


def _explored(run: Run | Comparison) -> Any:
    from autograd.view.explore import explore

    return explore(run)


def load(folder: Any) -> Run:
    """The run in a folder, also of a training that was killed, or is under way.

    Raises FileNotFoundError where there is none, and ValueError for what is none.
    """
    store = Folder(folder)
    _ = store.header
    return Run(store)
