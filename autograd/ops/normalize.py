"""Normalisation: numbers moved to mean 0 and variance 1, along rows or down columns.

With y = (x - mean) · scale and scale = 1 / √(variance + eps), where g is the gradient of y,

    ∂/∂x = scale · (g - mean(g) - y · mean(g · y))

for each group of numbers normalised together (Ioffe & Szegedy 2015, section 3; Ba et al. 2016;
without the mean, Zhang & Sennrich 2019).  Forward and gradient are each one operation made by
hand: few passes over memory, in place on arrays of their own.  Sums are einsums: faster than sums
along short axes, and unlike products with ones they do not wait for BLAS's threads.  Half precision
is computed in float32.  Gradients of higher order come from the definitions, which are the same
formulas as compositions of operations.
"""

from typing import Any

from ..errors import ShapeError
from ..node import op
from .linear import _rows
from .precision import like, wide
from .reduce import mean
from .reduce import sum as add_up
from .shape import reshape


def _matrix(x: Any) -> Any:
    """(..., n) as a wide matrix (rows, n)."""
    return wide(x.reshape(-1, x.shape[-1]) if x.size else x.reshape(0, x.shape[-1]))


def _down(xp: Any, x: Any) -> Any:
    """The sum of each column."""
    return xp.einsum("ij->j", x)


def _across(xp: Any, x: Any) -> Any:
    """The mean of each row, (rows, 1)."""
    return xp.einsum("ij->i", x)[:, None] / x.shape[1]


def _fits(name: str, x: Any, *affine: Any) -> None:
    """Each of weight and bias must have one number per feature."""
    for w in affine:
        if w.shape != x.shape[-1:]:
            raise ShapeError(
                f"{name}: x {x.shape} has {x.shape[-1] if x.ndim else 'no'} features, the weight "
                f"or bias has shape {w.shape}. They must have shape {x.shape[-1:]}."
            )


# --- rows: each sample by itself ---


def _standard_rows(xp: Any, x: Any, eps: float) -> tuple[Any, Any]:
    """Rows with mean 0 and variance 1, and the scales (rows, 1) that made them so."""
    y = x - _across(xp, x)
    variance = xp.einsum("ij,ij->i", y, y)[:, None] / x.shape[1]
    scale = 1 / xp.sqrt(variance + eps)
    y *= scale
    return y, scale


def _pull_rows(xp: Any, g: Any, y: Any, scale: Any, centred: bool) -> Any:
    """scale · (g - mean(g) - y · mean(g · y)), in place of g."""
    shift = _across(xp, g) if centred else None
    slope = xp.einsum("ij,ij->i", g, y)[:, None] / g.shape[1]
    g -= y * slope
    if centred:
        g -= shift
    g *= scale
    return g


def _defined_rows(x: Any, eps: float, centred: bool = True) -> tuple[Any, Any]:
    """y and scale, from operations."""
    if centred:
        x = x - mean(x, axis=-1, keepdims=True)
    scale = (mean(x * x, axis=-1, keepdims=True) + eps) ** -0.5
    return x * scale, scale


def _defined_pull(g: Any, y: Any, scale: Any, centred: bool = True) -> Any:
    slope = mean(g * y, axis=-1, keepdims=True)
    return scale * ((g - mean(g, axis=-1, keepdims=True) if centred else g) - y * slope)


@op(
    outputs=("z",), keeps=("scale",), samples=({}, {"eps": 0.1}), shapes=(((4, 3),), ((2, 2, 3),))
)
def standardize(xp: Any, x: Any, *, eps: float = 1e-5) -> Any:
    """x with mean 0 and variance 1 along its last axis; eps is added to the variance."""
    y, scale = _standard_rows(xp, _matrix(x), eps)
    return like(x, y.reshape(x.shape), scale)


@op(samples=())
def standardize_grad(xp: Any, g: Any, y: Any, scale: Any, x: Any, *, eps: float) -> Any:
    """The gradient of `standardize`; y and scale are what it made of x."""
    gx = _pull_rows(xp, _matrix(g) * 1, _matrix(y), wide(scale), centred=True)
    return like(g, gx.reshape(g.shape))[0]


def _standardize_grad(g: Any, y: Any, scale: Any, x: Any, *, eps: float) -> Any:
    return _defined_pull(g, *_defined_rows(x, eps))
standardize.means(lambda x, eps: _defined_rows(x, eps)[0])
standardize_grad.vjp_of(_standardize_grad)
standardize.vjp_joint(lambda g, z, x, eps: (standardize_grad(*g, *z, x, eps=eps),))


@op(outputs=("z",), keeps=("y", "scale"), samples=({}, {"eps": 0.1}),
    shapes=(((4, 3), (3,), (3,)), ((2, 2, 3), (3,), (3,))),
    needs="(..., n), (n,) and (n,)")  # fmt: skip
def layer_norm(xp: Any, x: Any, w: Any, b: Any, *, eps: float = 1e-5) -> Any:
    """w · (x - mean) / √(variance + eps) + b, with statistics along the last axis.

    Ba et al. 2016.  Half precision is computed in float32.
    """
    _fits("layer_norm", x, w, b)
    y, scale = _standard_rows(xp, _matrix(x), eps)
    z = y * wide(w)
    z += wide(b)
    return like(x, z.reshape(x.shape), y, scale)


@op(samples=(), outputs=("gx", "gw", "gb"))
def layer_norm_grad(
    xp: Any, g: Any, y: Any, scale: Any, x: Any, w: Any, *, eps: float
) -> Any:
    """The gradients of `layer_norm`; y and scale are what it kept."""
    rows, y = _matrix(g), wide(y)
    gw, gb = xp.einsum("ij,ij->j", rows, y), _down(xp, rows)
    gx = _pull_rows(xp, rows * wide(w), y, wide(scale), centred=True)
    return like(g, gx.reshape(g.shape), gw, gb)


def _layer_norm_grad(g: Any, y: Any, scale: Any, x: Any, w: Any, *, eps: float) -> Any:
    y, scale = _defined_rows(x, eps)
    gw, gb = add_up(_rows(g * y), axis=0), add_up(_rows(g), axis=0)
    return _defined_pull(g * w, y, scale), gw, gb
layer_norm.means(lambda x, w, b, eps: _defined_rows(x, eps)[0] * w + b)
layer_norm_grad.vjp_of(_layer_norm_grad)
layer_norm.vjp_joint(lambda g, z, x, w, b, eps: layer_norm_grad(*g, *z[1:], x, w, eps=eps))


@op(outputs=("z",), keeps=("y", "scale"), samples=({}, {"eps": 0.1}),
    shapes=(((4, 3), (3,)), ((2, 2, 3), (3,))), needs="(..., n) and (n,)")  # fmt: skip
def rms_norm(xp: Any, x: Any, w: Any, *, eps: float = 1e-5) -> Any:
    """w · x / √(mean(x²) + eps), with the mean along the last axis.

    Zhang & Sennrich 2019, eq. 4.
    """
    _fits("rms_norm", x, w)
    rows = _matrix(x)
    squares = xp.einsum("ij,ij->i", rows, rows)[:, None] / rows.shape[1]
    scale = 1 / xp.sqrt(squares + eps)
    y = rows * scale
    return like(x, (y * wide(w)).reshape(x.shape), y, scale)


@op(samples=(), outputs=("gx", "gw"))
def rms_norm_grad(xp: Any, g: Any, y: Any, scale: Any, x: Any, w: Any, *, eps: float) -> Any:
    """The gradients of `rms_norm`; y and scale are what it kept."""
    rows, y = _matrix(g), wide(y)
    gw = xp.einsum("ij,ij->j", rows, y)
    gx = _pull_rows(xp, rows * wide(w), y, wide(scale), centred=False)
    return like(g, gx.reshape(g.shape), gw)


def _rms_norm_grad(g: Any, y: Any, scale: Any, x: Any, w: Any, *, eps: float) -> Any:
    y, scale = _defined_rows(x, eps, centred=False)
    return _defined_pull(g * w, y, scale, centred=False), add_up(_rows(g * y), axis=0)
rms_norm.means(lambda x, w, eps: _defined_rows(x, eps, centred=False)[0] * w)
rms_norm_grad.vjp_of(_rms_norm_grad)
rms_norm.vjp_joint(lambda g, z, x, w, eps: rms_norm_grad(*g, *z[1:], x, w, eps=eps))


# --- columns: each channel over all samples and places ---


class _Folded:
    """A matrix with few columns, seen with more: rows of (k · n) are read faster than of (n).

    Channels are often few (32), and NumPy starts anew for each row.
    """

    LONG = 512

    def __init__(self, x: Any) -> None:
        self.rows, self.columns = x.shape
        self.times = 1
        twice = 2
        while self.columns * twice <= self.LONG and self.rows and self.rows % twice == 0:
            self.times, twice = twice, 2 * twice

    def fold(self, x: Any) -> Any:
        """(rows, n) as (rows / k, k · n)."""
        return x.reshape(self.rows // self.times, self.columns * self.times)

    def spread(self, xp: Any, v: Any) -> Any:
        """One number per column for the folded matrix."""
        return xp.tile(v, self.times)

    def gather(self, xp: Any, v: Any) -> Any:
        """The sums of the folded columns as sums of the true ones."""
        return _down(xp, v.reshape(self.times, self.columns))


@op(outputs=("z", "mean", "var"), keeps=("scale",), samples=({}, {"eps": 0.1}),
    shapes=(((4, 3), (3,), (3,)), ((2, 3, 2), (2,), (2,))),
    needs="(..., n), (n,) and (n,)")  # fmt: skip
def batch_norm(xp: Any, x: Any, w: Any, b: Any, *, eps: float = 1e-3) -> Any:
    """w · (x - mean) / √(var + eps) + b, with statistics over all axes but the last; and these.

    Ioffe & Szegedy 2015, algorithm 1.  var is Σ (x - mean)² / count.
    """
    _fits("batch_norm", x, w, b)
    matrix = _matrix(x)
    count = max(len(matrix), 1)
    view = _Folded(matrix)
    z = view.fold(matrix)
    average = view.gather(xp, _down(xp, z)) / count
    z = z - view.spread(xp, average)
    variance = view.gather(xp, xp.einsum("ij,ij->j", z, z)) / count
    scale = 1 / xp.sqrt(variance + eps)
    z *= view.spread(xp, scale * wide(w))
    z += view.spread(xp, wide(b))
    return like(x, z.reshape(x.shape), average, variance, scale)


@op(samples=(), outputs=("gx", "gw", "gb"))
def batch_norm_grad(
    xp: Any, g: Any, gm: Any, gv: Any, m: Any, v: Any, scale: Any, x: Any, w: Any, *, eps: float
) -> Any:
    """The gradients of `batch_norm`, where g, gm and gv flow into its results.

    m and v are its statistics, and scale is what it kept:

        ∂/∂x = scale · w · (g - mean(g) - y · mean(g · y)) + (gm + 2 gv (x - m)) / count
    """
    matrix = _matrix(x)
    count = max(len(matrix), 1)
    view = _Folded(matrix)
    g_, c = view.fold(_matrix(g)), view.fold(matrix) - view.spread(xp, wide(m))
    gb, scale = view.gather(xp, _down(xp, g_)), wide(scale)
    gw = view.gather(xp, xp.einsum("ij,ij->j", c, g_)) * scale
    slope = scale * wide(w)
    c *= view.spread(xp, (2 * wide(gv) - slope * scale * gw) / count)
    c += g_ * view.spread(xp, slope)
    c += view.spread(xp, (wide(gm) - slope * gb) / count)
    return like(g, c.reshape(g.shape), gw, gb)


def _batch_norm(x: Any, w: Any, b: Any, *, eps: float) -> Any:
    rows = _rows(x)
    centred = rows - mean(rows, axis=0)
    variance = mean(centred * centred, axis=0)
    z = centred * (variance + eps) ** -0.5 * w + b
    return reshape(z, shape=x.shape), mean(rows, axis=0), variance
batch_norm.means(_batch_norm)


def _batch_norm_grad(
    g: Any, gm: Any, gv: Any, m: Any, v: Any, scale: Any, x: Any, w: Any, *, eps: float
) -> Any:
    rows, grows = _rows(x), _rows(g)
    centred = rows - mean(rows, axis=0)
    scale = (mean(centred * centred, axis=0) + eps) ** -0.5
    y = centred * scale
    gx = scale * w * (grows - mean(grows, axis=0) - y * mean(grows * y, axis=0))
    gx = gx + (gm + 2 * gv * centred) / rows.shape[0]
    return reshape(gx, shape=x.shape), add_up(grows * y, axis=0), add_up(grows, axis=0)
batch_norm_grad.vjp_of(_batch_norm_grad)
batch_norm.vjp_joint(lambda g, z, x, w, b, eps: batch_norm_grad(*g, *z[1:], x, w, eps=eps))
