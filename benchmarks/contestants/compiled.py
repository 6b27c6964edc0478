"""The same training step compiled by us and by PyTorch, and PyTorch's fastest eager ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Contestant, resident, threads
from .training import torch_training, torch_weights, training, weights, whole_steps


def glassgrad(net: str) -> Contestant:
    """`autograd.jit` of a function that does the whole step."""
    import nn  # noqa: F401  # what is imported is not what a step takes
    from autograd.jit import jit, mode

    imported = resident()
    t = training(net)

    @jit
    def step(x: Any, y: Any) -> Any:
        loss = t.criterion(t.model(x), y)
        loss.backward()
        t.optimizer.step()
        t.optimizer.zero_grad()
        return loss

    facts: dict[str, Any] = {"imported": imported}

    def restore() -> None:
        for p, w in zip(t.model.parameters(), weights(net), strict=True):
            p.assign(w)
        t.optimizer.steps = 0
        for group in t.optimizer.groups:
            for moments in group.state.values():
                moments[...] = 0

    def check() -> None:
        facts["path"] = step.last[1].kind if step.last else "eager"
        if facts["path"] != mode():
            raise RuntimeError(f"the step ran as {facts['path']}, not as {mode()}")

    return whole_steps(step, t.given, restore, facts, check=check)


def torch(net: str) -> Contestant:
    """PyTorch, operation by operation."""
    return _torch(net)


def torch_fused(net: str) -> Contestant:
    """PyTorch with `Adam(fused=True)`."""
    return _torch(net, fused=True)


def torch_compiled(net: str) -> Contestant:
    """PyTorch with model and loss in `torch.compile`, forward and backward, and a fused Adam."""
    return _torch(net, compiled=True, fused=True)


def _torch(net: str, compiled: bool = False, **adam: Any) -> Contestant:
    import torch
    import torch._dynamo  # so does the first optimizer, and 150 MB are no part of a step

    torch.set_num_threads(threads())
    imported = resident()
    t = torch_training(net, **adam)

    def measure(x: Any, y: Any) -> Any:
        return t.criterion(t.model(x), y)

    measured = torch.compile(measure) if compiled else measure

    def step(x: Any, y: Any) -> Any:
        loss = measured(x, y)
        t.optimizer.zero_grad()
        loss.backward()
        t.optimizer.step()
        return loss

    @torch.no_grad()
    def restore() -> None:
        (group,) = t.optimizer.param_groups
        for p, w in zip(group["params"], torch_weights(net), strict=True):
            p.copy_(torch.from_numpy(np.ascontiguousarray(w)))
        for state in t.optimizer.state.values():
            for kept in state.values():  # moments and the count of steps
                kept.zero_()

    return whole_steps(step, t.given, restore, {"imported": imported})
