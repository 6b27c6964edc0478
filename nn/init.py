"""Initialisers: the first values of parameters, by name or as a function.

An initialiser is called with a shape and gives a Tensor.  Weights have the shape (…, in, out), as
in `x @ weight`; axes before these, of a convolution's window, belong to both fans.  Those with
numbers of their own are partial functions, which unlike closures can be pickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from autograd import Tensor, full, no_grad, random, where

from .names import lookup

__all__ = [
    "constant", "fans", "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
    "lecun_normal", "lecun_uniform", "normal", "ones", "orthogonal", "truncated_normal", "uniform",
    "zeros",
]  # fmt: skip

Shape = tuple[int, ...]
Initializer = Callable[[Shape], Tensor]


def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs one output sums over, and how many outputs one input goes into."""
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


# --- numbers that are given ---


def zeros(shape: Shape) -> Tensor:
    """0 everywhere."""
    return full(shape, 0.0)


def ones(shape: Shape) -> Tensor:
    """1 everywhere."""
    return full(shape, 1.0)


def constant(value: float) -> Initializer:
    """This value everywhere."""
    return partial(full, value=value)


# --- numbers drawn from one distribution ---


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Uniform in [low, high)."""
    return partial(random.uniform, low=low, high=high)


def normal(mean: float = 0.0, std: float = 0.05) -> Initializer:
    """Normal."""
    return partial(random.normal, mean=mean, std=std)


def truncated_normal(mean: float = 0.0, std: float = 0.05) -> Initializer:
    """Normal, where what falls beyond two standard deviations is drawn anew.

    The numbers then spread 0.88 `std`, as in Keras and unlike `std` itself.
    """
    return partial(_truncated_normal, mean=mean, std=std)


@no_grad()
def _truncated_normal(shape: Shape, mean: float, std: float) -> Tensor:
    z = random.normal(shape, 0.0, 1.0)
    while (far := z.abs() > 2).any():
        z = where(far, random.normal(shape, 0.0, 1.0), z)
    return mean + std * z


# --- numbers scaled so that signals keep their size through the layers ---


def _scaled(kind: str, gain: float, fan: Callable[[int, int], float], source: str) -> Initializer:
    """Numbers of variance gain / fan(fan_in, fan_out)."""
    draw = partial(_draw, kind=kind, gain=gain, fan=fan)
    draw.__doc__ = f"{kind.capitalize()}, of variance {source}."
    return draw


def _draw(shape: Shape, kind: str, gain: float, fan: Callable[[int, int], float]) -> Tensor:
    std = math.sqrt(gain / max(fan(*fans(shape)), 1))
    if kind == "normal":
        return random.normal(shape, 0.0, std)
    return random.uniform(shape, -math.sqrt(3) * std, math.sqrt(3) * std)


def _mean(fan_in: int, fan_out: int) -> float:
    return (fan_in + fan_out) / 2


def _in(fan_in: int, fan_out: int) -> float:
    return fan_in


_GLOROT = "2 / (fan_in + fan_out), for tanh and sigmoid (Glorot & Bengio 2010, eq. 12 and 16)"
_HE = "2 / fan_in, for ReLU (He et al. 2015, eq. 10)"
_LECUN = "1 / fan_in, for SELU (LeCun et al. 1998, eq. 16; Klambauer et al. 2017)"

glorot_uniform = _scaled("uniform", 1, _mean, _GLOROT)
glorot_normal = _scaled("normal", 1, _mean, _GLOROT)
he_uniform = _scaled("uniform", 2, _in, _HE)
he_normal = _scaled("normal", 2, _in, _HE)
lecun_uniform = _scaled("uniform", 1, _in, _LECUN)
lecun_normal = _scaled("normal", 1, _in, _LECUN)


def orthogonal(gain: float = 1.0) -> Initializer:
    """Orthonormal rows or columns, whichever are fewer, times `gain` (Saxe et al. 2014).

    The shape is read as a matrix (…·in, out).  Gram-Schmidt on normal vectors, done twice
    because once leaves them only nearly orthogonal (Giraud et al. 2005), draws from all such
    matrices alike (Mezzadri 2007).
    """
    return partial(_orthogonal, gain=gain)


@no_grad()
def _orthogonal(shape: Shape, gain: float) -> Tensor:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    few, many = sorted((rows, columns))
    drawn = random.normal((few, many), 0.0, 1.0).astype("float64")
    basis = drawn * 0
    for i in range(few):
        v = drawn[i]
        for _ in range(2):
            v = v - (basis @ v) @ basis
        basis.assign(v / v.norm(), at=i)
    basis = (basis if rows <= columns else basis.T) * gain
    return basis.astype("float32").reshape(shape)


_BY_NAME: dict[str, Initializer] = {
    "zeros": zeros, "ones": ones, "uniform": uniform(), "normal": normal(),
    "truncated_normal": truncated_normal(), "orthogonal": orthogonal(),
    "glorot_uniform": glorot_uniform, "glorot_normal": glorot_normal,
    "he_uniform": he_uniform, "he_normal": he_normal,
    "lecun_uniform": lecun_uniform, "lecun_normal": lecun_normal,
}  # fmt: skip


def get(init: str | Initializer) -> Initializer:
    """The initialiser of that name; what is one already comes back as it is."""
    found: Initializer = lookup("initialiser", _BY_NAME, init)
    return found
