"""What can be chosen in the playground, and what is told of a wrong choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from math import isfinite
from typing import Any, ClassVar

__all__ = ["ACTIVATIONS", "DATA", "OPTIMIZERS", "Settings"]

DATA = ("moons", "circles", "spirals", "digits")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "linear")
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")
CHOICES = {"data": DATA, "activation": ACTIVATIONS, "optimizer": OPTIMIZERS}
RANGES: dict[str, tuple[float, float]] = {
    "noise": (0, 1), "learning_rate": (0, 10), "l1": (0, 1), "l2": (0, 1), "batch_size": (1, 512),
    "seed": (0, 2**31 - 1), "speed": (1, 2000),
}  # fmt: skip
WIDEST, DEEPEST = 64, 8


@dataclass(frozen=True)
class Settings:
    """A small network, its data, and how it learns."""

    data: str = "moons"
    noise: float = 0.15
    """Standard deviation of the error of points whose curves have radius 1."""
    layers: tuple[int, ...] = (8, 8)
    """The units of each hidden layer."""
    activation: str = "tanh"
    optimizer: str = "adam"
    learning_rate: float = 0.01
    l1: float = 0.0
    l2: float = 0.0
    batch_size: int = 32
    seed: int = 0
    speed: int = 100
    """Steps per second, if the machine is fast enough."""

    LIVE: ClassVar[tuple[str, ...]] = ("learning_rate", "l1", "l2", "batch_size", "speed")
    """What changes while it learns; anything else begins anew."""

    def but(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some changed; ValueError names what cannot be."""
        known = [f.name for f in fields(self)]
        for name, value in changes.items():
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(
                    f"there is no setting {name!r:.40}; {hint}there are {', '.join(known)}"
                )
            changes = {**changes, name: _checked(name, value)}
        return replace(self, **changes)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def _checked(name: str, value: Any) -> Any:
    if name in CHOICES:
        if value not in CHOICES[name]:
            known = ", ".join(CHOICES[name])
            raise ValueError(f"{name}={value!r:.40}: there is {known}")
        return value
    if name == "layers":
        return _layers(value)
    low, high = RANGES[name]
    whole = name in ("batch_size", "seed", "speed")
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    if not number or not low <= value <= high or whole and value != int(value):
        kind = "whole number" if whole else "number"
        raise ValueError(f"{name}={value!r:.40}: a {kind} from {low:g} to {high:g} is needed")
    return int(value) if whole else float(value)


def _layers(value: Any) -> tuple[int, ...]:
    right = isinstance(value, (list, tuple)) and all(
        isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= WIDEST for n in value
    )
    if not right or len(value) > DEEPEST:
        raise ValueError(
            f"layers={value!r:.60}: a list of at most {DEEPEST} widths, each from 1 to {WIDEST}, "
            "such as [8, 8]"
        )
    return tuple(value)
