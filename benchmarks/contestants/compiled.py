"""The same training step compiled by us and by PyTorch, and PyTorch's fastest eager ones."""

from __future__ import annotations

from typing import Any

from . import Contestant, resident, threads
from .training import torch_training, training, whole_steps


def glassgrad(net: str) -> Contestant:
    """`autograd.jit` of a function that does the whole step."""
    from autograd.jit import jit, mode

    imported = resident()
    t = training(net)
    beginning = [p.numpy().copy() for p in t.model.parameters()], t.optimizer.state_dict()

    @jit
    def step(x: Any, y: Any) -> Any:
        loss = t.criterion(t.model(x), y)
        loss.backward()
        t.optimizer.step()
        t.optimizer.zero_grad()
        return loss

    facts: dict[str, Any] = {"imported": imported}

    def restore() -> None:
        for p, w in zip(t.model.parameters(), beginning[0], strict=True):
            p.assign(w)
        t.optimizer.load_state_dict(beginning[1])

    def check() -> None:
        facts["path"] = step.last[1].kind if step.last else "eager"
        if facts["path"] != mode():
            raise RuntimeError(f"the step ran as {facts['path']}, not as {mode()}")

    return whole_steps(step, t.given, restore, facts, unmeasured=1, check=check)


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

    torch.set_num_threads(threads())
    imported = resident()
    t = torch_training(net, **adam)
    parameters = list(t.model.parameters())
    beginning = [p.detach().clone() for p in parameters]

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
        for p, w in zip(parameters, beginning, strict=True):
            p.copy_(w)
        for state in t.optimizer.state.values():
            for kept in state.values():  # moments and the count of steps
                kept.zero_()

    return whole_steps(step, t.given, restore, {"imported": imported})
