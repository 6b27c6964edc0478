"""What an optimizer is saved as, and how it goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograd import Tensor

if TYPE_CHECKING:
    from .optimizer import Optimizer

__all__ = ["restore", "taken"]


def taken(optimizer: Optimizer) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    state: dict[str, Any] = {"steps": optimizer.steps, "lr": optimizer.lr}
    for i, own in enumerate(optimizer.param_groups):
        if own.get("lr") is not None:
            state[f"lr.{i}"] = optimizer._rate(own["lr"])
    schedule = optimizer.schedule
    if hasattr(schedule, "state_dict"):
        state |= {f"schedule.{key}": fact for key, fact in schedule.state_dict().items()}
    if optimizer.accumulate > 1:
        state["waiting"] = optimizer.waiting
        for group in optimizer.groups:
            group.hold()
            for p, held in zip(group.params, group.held, strict=True):
                state[f"held.{_place(optimizer, p)}"] = held
    for key, array in _arrays(optimizer):
        state[key] = array.numpy().copy()
    return state


def _place(optimizer: Optimizer, parameter: Tensor) -> int:
    return next(k for k, p in enumerate(optimizer.params) if p is parameter)


def _arrays(optimizer: Optimizer) -> list[tuple[str, Tensor]]:
    return [
        (f"{name}.{_place(optimizer, group.params[i])}", array)
        for group in optimizer.groups
        for name, i, array in group.parts()
    ]


def restore(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """See `Optimizer.load_state_dict`; a state that does not fit changes nothing."""
    own = taken(optimizer)
    state = {key: Tensor(a).numpy() if isinstance(a, list) else a for key, a in state.items()}
    faults = [f"missing     {key}" for key in own if key not in state]
    faults += [f"unexpected  {key}" for key in state if key not in own]
    faults += [
        f"shape       {key}: {own[key].shape} here, {state[key].shape} given"
        for key in own
        if key in state and getattr(own[key], "shape", ()) != getattr(state[key], "shape", ())
    ]
    if faults:
        raise ValueError(
            f"load_state_dict: {optimizer.name} cannot take this state\n  " + "\n  ".join(faults)
        )
    rates = {key: optimizer._at_least_0("lr", float(state[key])) for key in own if _is_rate(key)}
    schedule = optimizer.schedule
    if schedule is None:
        optimizer._lr = rates["lr"]
    elif hasattr(schedule, "load_state_dict"):
        start = len("schedule.")
        schedule.load_state_dict(
            {k[start:]: f for k, f in state.items() if k[:start] == "schedule."}
        )
    for i, options in enumerate(optimizer.param_groups):
        if f"lr.{i}" in rates and not callable(options["lr"]):
            options["lr"] = rates[f"lr.{i}"]
    optimizer.steps, optimizer.waiting = int(state["steps"]), int(state.get("waiting", 0))
    for group in optimizer.groups:
        group.held = [int(state.get(f"held.{_place(optimizer, p)}", 0)) for p in group.params]
    for key, array in _arrays(optimizer):
        array.assign(state[key].astype(array.dtype))


def _is_rate(key: str) -> bool:
    return key == "lr" or key.startswith("lr.")
