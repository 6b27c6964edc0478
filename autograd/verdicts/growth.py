"""Why a graph grows from step to step, and which variable holds it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import FrameType
from typing import Any

from .. import names
from ..node import Freed, Node, history
from ..passes import STEPS, Pass
from .words import Why, warn

__all__ = ["growth", "tell_growth"]

MANY = 1000
"""Graphs of so many nodes are worth a word where a list keeps each of them."""

_told: set[tuple[Any, int]] = set()


def tell_growth(passes: Sequence[Pass]) -> None:
    """Warn, once for each line, where the graph grew in each of these passes."""
    why = growth(passes)
    loss = passes[-1].loss()
    if why is None or loss is None or (loss.code, loss.instruction) in _told:
        return
    _told.add((loss.code, loss.instruction))
    warn(str(why))


def growth(passes: Sequence[Pass]) -> Why | None:
    """What holds the graphs of earlier passes, or None where nothing does."""
    loss = passes[-1].loss()
    if loss is None:
        return None
    kept = [one.kept for one in passes]
    if all(0 < a < b for a, b in pairwise(kept)):
        link = _link(loss, passes[-2].began)
        if link is not None:
            return _carried_on(loss, link, kept[-1])
    losses = [x for one in passes if (x := one.loss()) is not None]
    if len(losses) < len(passes) or not _step_by_step(losses, passes):
        return None
    top = _top(losses[-2])
    if top is not losses[-2] and losses[0] in set(history(top)):
        return _added_up(loss, top)
    if losses[0].inputs.__class__ is not Freed and len(history(losses[0])) >= MANY:
        return _collected(losses)
    return None


def _step_by_step(losses: Sequence[Node], passes: Sequence[Pass]) -> bool:
    """Whether one line computed all these losses, each after the pass before had begun."""
    same = {(x.code, x.instruction) for x in losses}
    pairs = zip(losses[1:], passes, strict=False)
    return len(same) == 1 and all(x.order > before.began for x, before in pairs)


def _link(loss: Node, began: int) -> Node | None:
    """The newest computed node of an earlier pass that this loss was computed from."""
    old = [x for x in history(loss) if x.op is not None and x.order < began]
    return old[0] if old else None


def _top(node: Node) -> Node:
    """The newest node that is computed from this one, as far as each has one reader alive."""
    for _ in range(64):
        tuples = [r for r in gc.get_referrers(node) if type(r) is tuple]
        readers = [
            r for r in gc.get_referrers(*tuples) if isinstance(r, Node) and r.order > node.order
        ] if tuples else []  # fmt: skip
        if not readers:
            return node
        node = max(readers, key=lambda x: x.order)
    return node


# --- in words ---


def _added_up(loss: Node, top: Node) -> Why:
    holder, item = _held_by(top) or "a sum", names.variable(loss) or "loss"
    line = names.where(top)
    told = (
        f"The graph grew {STEPS} steps running, held by `{holder}` ({line}): "
        "it is computed from every loss so far, and keeps them all."
    )
    return Why("grows", holder, line, told, f"Add up numbers: {holder} += {item}.item().")


def _carried_on(loss: Node, link: Node, size: int) -> Why:
    holder = names.variable(link) or _held_by(link) or "what was computed before"
    line = names.where(link)
    told = (
        f"The graph grew {STEPS} steps running, to {size} nodes, held by `{holder}` ({line}): "
        "each step is computed from the one before, back to the first."
    )
    fix = f"Cut it off where a step begins: {holder} = {holder}.detach()."
    if holder == names.variable(loss):
        fix = f"Add up numbers, {holder} += loss.item(), and call backward on the loss alone."
    return Why("grows", holder, line, told, fix)


def _collected(losses: Sequence[Node]) -> Why:
    holder = (_held_by(losses[0]) or "a collection").partition("[")[0]
    line = names.where(losses[0])
    told = (
        f"Memory grew {STEPS} steps running: `{holder}` holds losses ({line}), each with "
        f"its graph of {len(history(losses[0]))} nodes."
    )
    return Why("grows", holder, line, told, "Keep numbers: loss.item().")


def _held_by(node: Node) -> str | None:
    """The variable that holds a node, in the user's running frames from the inside out."""
    for frame in _frames():
        found = names.bound(node, frame)
        if found is not None:
            return found
    return names.variable(node)


def _frames() -> Iterator[FrameType]:
    frame = names.user_frame()
    while frame is not None:
        yield frame
        frame = frame.f_back
