"""The page: one HTML file to look at a computation with, its gradients, its backward pass.

`explore(x)` takes the trace of x and puts it, with a script of our own, into a file that needs
nothing else: no server, no network, no installation.  The script is written in TypeScript, in
`page/src`, and is here as it was bundled, in `page/built`.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from functools import cache, cached_property
from html import escape
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import AutogradError
from ..expand import expand, scalars
from ..node import Node
from ..tensor import Tensor
from . import style
from .derivative import Source
from .trace import GraphTrace

__all__ = ["Page", "explore", "payload"]

BUILT = Path(__file__).parent / "page" / "built"
HEIGHT = 640
"""Of the page in a notebook, in px."""

SCALARS = 1_500
"""A computation of arrays that stands for at most so many numbers is on the page as those, too."""

READ = 400
"""Of a graph of at most so many nodes the page also has the derivative as code."""

PACKED = 300_000
"""A longer payload, in characters, is compressed."""

TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline' blob:; worker-src blob:; \
connect-src {connect}">
<title>{title}</title>
<style>{css}</style>
</head>
<body>
<div id="glassgrad"></div>
<noscript>This page needs JavaScript; it asks for nothing from any network.</noscript>
<script type="{kind}" id="glassgrad-data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def explore(x: Any, *inputs: Any, gradient: Any = None) -> Page:
    """A page to explore x with: a Value, a Tensor, a jitted function, a recorded training.

    Of a module or a function it shows the call with these inputs; `explore(model, x, y)` of a
    compiled model its loss.  `gradient` is what arrives at x in the backward pass, 1 for a single
    number.  Nothing changes by looking: no `.grad` is written, no graph freed.

        page = explore(loss)          # in a notebook it shows itself
        page.save("loss.html")        # one file, works from disk, offline

    >>> from autograd import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> explore(a * b)
    <Page of 3 nodes: save('page.html') to look at it>
    """
    frame = sys._getframe(1)
    if hasattr(x, "_page_"):
        return Page(**x._page_())
    if isinstance(x, GraphTrace):
        return Page([x])
    root = _root(x, inputs)
    traces = _traces(root, gradient, frame)
    return Page(traces, **(_code(root, traces[0], frame) if gradient is None else {}))


class Page:
    """A page: shown by a notebook, written with `save`, opened in a browser with `open`.

    `traces` are looked at, the first of them first; `more` is what else is on it: a recorded
    training, code, where live data come from.  `bundle` names the script and style in page/built.
    """

    def __init__(
        self,
        traces: Sequence[GraphTrace],
        title: str = "",
        bundle: str = "explorer",
        **more: Any,
    ) -> None:
        self.traces, self.bundle = list(traces), bundle
        self.title = title or (self.traces[0].title if self.traces else "Glassgrad")
        self.more = more

    @cached_property
    def html(self) -> str:
        """The whole file, as text."""
        told = payload(self.title, self.traces, **self.more)
        parts = [self.bundle]
        if self.bundle == "explorer" and ("run" in self.more or "live" in self.more):
            parts = ["replay", "explorer"]  # which looks for it
        kind, data = "application/json", told.replace("<", "\\u003c")
        if len(told) > PACKED:
            kind = "application/gzip+base64"
            data = base64.b64encode(gzip.compress(told.encode(), 6, mtime=0)).decode()
        return TEMPLATE.format(
            connect="'self'" if "live" in self.more else "'none'",
            title=escape(f"{self.title} · Glassgrad"),
            css="".join(_built(f"{name}.css") for name in parts),
            script="".join(_built(f"{name}.js") for name in parts),
            kind=kind,
            data=data,
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to an .html file, which appears whole or not at all."""
        to = Path(path)
        if to.suffix.lower() not in (".html", ".htm"):
            raise ValueError(
                f"explore: cannot write {to.name}: a page is an .html file. For a picture, "
                "draw(x).save('graph.svg') writes .svg, .png, .pdf or .dot."
            )
        to.parent.mkdir(parents=True, exist_ok=True)
        part = to.with_name(to.name + ".part")
        part.write_text(self.html, encoding="utf-8")
        part.replace(to)
        return to

    def open(self) -> Path:
        """Write the page to a temporary file, and open that in a browser."""
        path = self.save(Path(tempfile.mkdtemp(prefix="glassgrad-")) / "page.html")
        webbrowser.open(path.as_uri())
        return path

    def _repr_html_(self) -> str:
        """In a notebook: a frame that can neither read the notebook nor ask any network."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts allow-downloads" '
            f'title="{escape(self.title)}" width="100%" height="{HEIGHT}" '
            'style="border:0;border-radius:8px"></iframe>'
        )

    def __repr__(self) -> str:
        count = f"{len(self.traces[0].nodes):,} nodes" if self.traces else "a training"
        return f"<Page of {count}: save('page.html') to look at it>"


def payload(title: str, traces: Sequence[GraphTrace], **more: Any) -> str:
    """What the page's script is given, as JSON."""
    told = {
        "format": "glassgrad-page",
        "version": 1,
        "title": title,
        "traces": [trace.plain() for trace in traces],
        "palette": style.palette(),
        **more,
    }
    return json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@cache
def _built(name: str) -> str:
    """A part of the bundle; what would end the element it stands in is written otherwise."""
    return (BUILT / name).read_text(encoding="utf-8").replace("</script", "<\\/script")


def _root(x: Any, inputs: Sequence[Any]) -> Any:
    """What is to be looked at: x itself, or what it returns for these inputs."""
    if hasattr(x, "_explored_"):
        return x._explored_(*inputs)
    if isinstance(x, Node) or hasattr(x, "_trace_") and not inputs or not callable(x):
        return x
    result = x(*inputs)
    while isinstance(result, (tuple, list)) and result:
        result = result[0]
    return result


def _traces(x: Any, gradient: Any, frame: FrameType) -> list[GraphTrace]:
    """The trace of x and, where it stands for few enough numbers, that of those."""
    traces = [GraphTrace.of(x, gradient, frame=frame)]
    if isinstance(x, Tensor) and not x.shape and x.requires_grad and scalars(x) <= SCALARS:
        seed = 1.0 if gradient is None else float(gradient)
        try:
            root = expand(x)[x].item()
        except AutogradError as error:  # arrays may hold what single numbers refuse: log(0) is -inf
            cause = str(error.__cause__ or error).partition("\n")[0]
            traces[0].notes.append(f"It cannot be shown as single numbers. {cause}")
        else:
            traces.append(GraphTrace.of(root, seed))
            traces[1].title = traces[0].title
    return traces


def _code(x: Any, trace: GraphTrace, frame: FrameType) -> dict[str, Any]:
    """The derivative as code, where there is one that somebody would read."""
    if not trace.events or len(trace.nodes) > READ:
        return {}
    written = Source(x, frame)
    return {"code": {"text": written.text, "lines": written.lines}}
