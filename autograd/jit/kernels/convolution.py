"""Kernels of convolution and its two gradients: which way of computing each is written for.

    one channel per group (depthwise)     loops over channels           conv_depthwise.py
    3 × 3, unit stride, enough channels   Winograd's F(2 × 2, 3 × 3)    conv_winograd.py
    all others of one or two axes         register tiles                conv_direct.py
                                          and to the kernel             conv_weights.py
    gradients of what a max pool follows  what the pool took            conv_pooled.py

Besides the op's own params, a request may say `epilogue`: "relu" for conv and conv_affine, and
`winograd`: False to have sums in the plain order.
"""

from __future__ import annotations

from dataclasses import replace

from ..kernel import Kernel, Request, Target, lowers
from . import conv_depthwise, conv_direct, conv_scan, conv_weights, conv_winograd
from .conv_windows import Windows, windows

__all__ = ["conv", "conv_kernel", "conv_max_pool", "conv_transpose"]


def _by_winograd(request: Request, seen: Windows, target: Target) -> bool:
    return request.params.get("winograd", True) and conv_winograd.suits(seen, target)


@lowers("conv", "conv_affine")
def conv(request: Request, target: Target) -> Kernel | None:
    """y (N, *places, O) = x (N, *spatial, C) convolved with w (*size, C / groups, O), plus b."""
    x, w, *bias = request.inputs
    seen = windows(request, x.shape, w.shape[:-2], w.shape[-1])
    relu = request.params.get("epilogue") == "relu"
    if seen is None:
        return None
    fast = _by_winograd(request, seen, target)
    name = seen.label(request.op, relu=relu, winograd=fast)
    told = f"{request.op}: {seen.told()}"
    if conv_depthwise.suits(seen):
        return conv_depthwise.write(name, told, seen, bias=bool(bias), relu=relu)
    if fast:
        return conv_winograd.write(name, told, seen, target, bias=bool(bias), relu=relu)
    plan = conv_scan.forward(seen)
    return conv_direct.write(name, told, plan, target, seen.flops, bias=bool(bias), relu=relu)


@lowers("conv_max_pool")
def conv_max_pool(request: Request, target: Target) -> Kernel | None:
    """The largest of each 2 × 2 results of conv, and which it is: where Winograd's blocks are the
    windows of the pool, these results are never written."""
    x, w, *bias = request.inputs
    seen = windows(
        replace(request, outputs=request.outputs[:1]), x.shape, w.shape[:-2], w.shape[-1]
    )
    pool = request.params["pool"]
    plain = pool["size"] == pool["stride"] == (2, 2) and not any(map(any, pool["padding"]))
    if seen is None or not plain or not _by_winograd(request, seen, target):
        return None
    relu = request.params.get("epilogue") == "relu"
    name = seen.label(request.op, bias=bool(bias), relu=relu)
    told = f"{request.op}: {seen.told()}"
    return conv_winograd.write(name, told, seen, target, bias=bool(bias), relu=relu, pool=True)


@lowers("conv_transpose")
def conv_transpose(request: Request, target: Target) -> Kernel | None:
    """x (N, *shape, C), to whose windows each element of y (N, *places, O) adds its part of w."""
    _, w = request.inputs
    (x,) = request.outputs
    seen = windows(request, x.shape, w.shape[:-2], w.shape[-1])
    if seen is None:
        return None
    fast = _by_winograd(request, seen, target)
    name, told = seen.label(request.op, winograd=fast), f"{request.op}: {seen.told()}"
    if conv_depthwise.suits(seen):
        return conv_depthwise.write(name, told, seen, turned=True)
    if fast:
        return conv_winograd.write(name, told, seen, target, turned=True)
    return conv_direct.write(name, told, conv_scan.backward(seen), target, seen.flops)


@lowers("conv_kernel")
def conv_kernel(request: Request, target: Target) -> Kernel | None:
    """w (*size, C / groups, O), the sum of windows of x times y over images and places."""
    x, y = request.inputs
    seen = windows(request, x.shape, request.params["size"], y.shape[-1])
    if seen is None:
        return None
    fast = _by_winograd(request, seen, target)
    name, told = seen.label(request.op, winograd=fast), f"{request.op}: {seen.told()}"
    if conv_depthwise.suits(seen):
        return conv_depthwise.write_weights(name, told, seen)
    write = conv_winograd.write_weights if fast else conv_weights.write
    return write(name, told, seen, target)
