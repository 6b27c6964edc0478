"""Sampling between the elements of an array: grids, regions of interest, deformed windows."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import autograd as ag
from autograd import Tensor

from .table import ints, onnx_op

Tap = tuple[Tensor, Tensor]
"""Along one axis, the elements that count at each place, and how much."""


def linear_taps(at: Tensor) -> list[Tap]:
    """The two elements around each place."""
    low = ag.floor(at)
    return [(low, 1 - (at - low)), (low + 1, at - low)]


def cubic_taps(at: Tensor, a: float = -0.75) -> list[Tap]:
    """The four elements around each place, with the weights of cubic convolution (Keys 1981)."""
    low = ag.floor(at)
    t = at - low
    near, far = _near, _far
    return [
        (low - 1, far(t + 1, a)), (low, near(t, a)), (low + 1, near(1 - t, a)),
        (low + 2, far(2 - t, a)),
    ]  # fmt: skip


def _near(t: Tensor, a: float) -> Tensor:
    return ((a + 2) * t - (a + 3)) * t * t + 1


def _far(t: Tensor, a: float) -> Tensor:
    return ((t - 5) * t + 8) * t * a - 4 * a


def nearest_taps(at: Tensor) -> list[Tap]:
    """The nearest element; half-way, the even one."""
    return [(ag.round(at), ag.ones(at.shape, dtype=at.dtype))]


def reflected(at: Tensor, low: float, high: float) -> Tensor:
    """Places mirrored at both ends until they lie between them."""
    span = high - low
    if not span:
        return at * 0 + low
    t = abs(at - low) % (2 * span)
    return low + ag.where(t > span, 2 * span - t, t)


def sampled(x: Tensor, taps: list[list[Tap]], padding: str, corners: bool) -> Tensor:
    """x (N, C, *spatial) at the places (N, *grid) of taps, one list per axis: (N, C, *grid)."""
    shape, grid = x.shape[2:], taps[0][0][0].shape[1:]
    batch = ag.arange(x.shape[0]).reshape(-1, 1, *(1,) * len(grid))
    channel = ag.arange(x.shape[1]).reshape(1, -1, *(1,) * len(grid))
    total: Any = None
    for corner in product(*taps):
        weight: Any = 1
        index = []
        for (at, w), n in zip(corner, shape, strict=True):
            if padding == "zeros":
                w = w * ((at >= 0) & (at <= n - 1)).astype(w.dtype)
            elif padding == "reflection":
                at = reflected(at, 0.0, n - 1.0) if corners else reflected(at, -0.5, n - 0.5)
            weight = weight * w
            index.append(ag.clip(at, low=0, high=n - 1).astype("int64").expand_dims(1))
        part = x[(batch, channel, *index)] * weight.expand_dims(1).astype(x.dtype)
        total = part if total is None else total + part
    return total


@onnx_op("GridSample")
def grid_sample(
    x: Tensor, grid: Tensor, *, mode: str = "linear", padding_mode: str = "zeros",
    align_corners: int = 0,
) -> Tensor:  # fmt: skip
    """At the places of grid (N, *out, rank), whose last axis counts from the last spatial one and
    from -1 at one border to 1 at the other (Jaderberg et al. 2015)."""
    taps = []
    for i, n in enumerate(x.shape[2:]):
        g = grid[..., x.ndim - 3 - i]
        at = (g + 1) / 2 * (n - 1) if align_corners else ((g + 1) * n - 1) / 2
        if mode == "nearest":
            at = ag.round(at)
        low, high = (0.0, n - 1.0) if align_corners else (-0.5, n - 0.5)
        if padding_mode == "border":
            at = ag.clip(at, low=0.0, high=n - 1.0)
        elif padding_mode == "reflection":
            at = reflected(at, low, high)
        kinds = {"nearest": nearest_taps, "cubic": cubic_taps, "bicubic": cubic_taps}
        taps.append(kinds.get(mode, linear_taps)(at))
    return sampled(x, taps, padding_mode, bool(align_corners))


@onnx_op("DeformConv")
def deform_conv(
    x: Tensor, w: Tensor, offset: Tensor, b: Tensor | None = None, mask: Tensor | None = None, *,
    dilations: list[int] | None = None, group: int = 1, kernel_shape: list[int] | None = None,
    offset_group: int = 1, pads: list[int] | None = None, strides: list[int] | None = None,
) -> Tensor:  # fmt: skip
    """Convolution whose taps are moved by an offset each (Dai et al. 2017; Zhu et al. 2019)."""
    n, c = x.shape[:2]
    rank, out, size = x.ndim - 2, offset.shape[2:], w.shape[2:]
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    pads, k = pads or [0] * (2 * rank), math.prod(size)
    moved = offset.reshape(n * offset_group, k, rank, *out)
    taps = []
    for i in range(rank):
        start = ag.arange(out[i]) * strides[i] - pads[i]
        shape = [1] * rank
        shape[i] = out[i]
        within = [tap[i] * dilations[i] for tap in product(*map(range, size))]
        still = start.reshape(1, *shape) + Tensor(within).astype("int64").reshape(k, *(1,) * rank)
        taps.append(linear_taps(moved[:, :, i] + still.astype(x.dtype)))  # (N · G, K, *out)
    parts = x.reshape(n * offset_group, c // offset_group, *x.shape[2:])
    seen = sampled(parts, taps, "zeros", True)  # (N · G, C / G, K, *out)
    if mask is not None:
        seen = seen * mask.reshape(n * offset_group, 1, k, *out)
    seen = seen.reshape(n, group, c // group * k, -1)
    kernel = w.reshape(group, w.shape[0] // group, -1)  # (group, O / group, C / group · K)
    z = (kernel @ seen).reshape(n, w.shape[0], *out)
    return z if b is None else z + b.reshape(-1, *(1,) * rank)


@onnx_op("RoiAlign")
def roi_align(
    x: Tensor, rois: Tensor, batch_indices: Tensor, *, mode: str = "avg", output_height: int = 1,
    output_width: int = 1, sampling_ratio: int = 0, spatial_scale: float = 1.0,
    coordinate_transformation_mode: str = "half_pixel",
) -> Tensor:  # fmt: skip
    """The mean, or the largest, of points in each cell of a region (He et al. 2017)."""
    half = coordinate_transformation_mode == "half_pixel"
    results = []
    for region, sample in zip(rois.tolist(), ints(batch_indices), strict=True):
        left, top, right, bottom = (v * spatial_scale - 0.5 * half for v in region)
        lines = []
        for low, high, cells, n in (
            (top, bottom, output_height, x.shape[2]), (left, right, output_width, x.shape[3]),
        ):  # fmt: skip
            length = high - low if half else max(high - low, 1.0)
            points = sampling_ratio or math.ceil(length / cells)
            step = length / cells
            at = [
                low + c * step + (p + 0.5) * step / points
                for c in range(cells)
                for p in range(points)
            ]
            lines.append(([_between(p, n) for p in at], points))
        (rows, down), (columns, across) = lines
        image = x[sample]  # (C, H, W)
        if mode == "avg":
            seen = _matrix(rows, x) @ image @ _matrix(columns, x).T
            seen = seen.reshape(x.shape[1], output_height, down, output_width, across)
            results.append(seen.mean(axis=(2, 4)))
            continue
        corners = [_picked(image, rows, columns, i, j) for i, j in product(range(2), repeat=2)]
        best = corners[0]
        for other in corners[1:]:
            best = ag.maximum(best, other)
        best = best.reshape(x.shape[1], output_height, down, output_width, across)
        results.append(best.max(axis=(2, 4)))
    return ag.stack(results)


def _between(at: float, n: int) -> list[tuple[int, float]]:
    """The two elements around a place, and how much they count; nothing counts outside."""
    if at < -1 or at > n:
        return [(0, 0.0), (0, 0.0)]
    at = min(max(at, 0.0), n - 1)
    low = min(int(at), n - 1)
    return [(low, 1 - (at - low)), (min(low + 1, n - 1), at - low)]


def _matrix(points: list[list[tuple[int, float]]], x: Tensor) -> Tensor:
    n = x.shape[2] if len(points) == 0 else max(x.shape[2:])
    rows = []
    for taps in points:
        row = [0.0] * n
        for k, weight in taps:
            row[k] += weight
        rows.append(row)
    return Tensor(rows, dtype="float64").astype(x.dtype)


def _picked(
    image: Tensor, rows: list[list[tuple[int, float]]], columns: list[list[tuple[int, float]]],
    i: int, j: int,
) -> Tensor:  # fmt: skip
    """One of the four corners around each point, times its weight."""
    seen = image[:, [r[i][0] for r in rows]][:, :, [c[j][0] for c in columns]]
    down = Tensor([[r[i][1]] for r in rows], dtype="float64")
    across = Tensor([c[j][1] for c in columns], dtype="float64")
    return seen * (down * across).astype(image.dtype)


# --- boxes ---


@onnx_op("NonMaxSuppression")
def non_max_suppression(
    boxes: Tensor, scores: Tensor, max_output_boxes_per_class: Tensor | None = None,
    iou_threshold: Tensor | None = None, score_threshold: Tensor | None = None, *,
    center_point_box: int = 0,
) -> Tensor:  # fmt: skip
    """Per sample and class the best boxes that overlap no better one: rows (sample, class, box)."""
    most = 0 if max_output_boxes_per_class is None else ints(max_output_boxes_per_class)[0]
    overlap = 0.0 if iou_threshold is None else iou_threshold.reshape(-1)[0].item()
    least = -math.inf if score_threshold is None else score_threshold.reshape(-1)[0].item()
    corners = [[_corners(box, center_point_box) for box in sample] for sample in boxes.tolist()]
    rows = []
    for n, classes in enumerate(scores.tolist()):
        for c, values in enumerate(classes):
            kept: list[int] = []
            order = sorted(range(len(values)), key=lambda i: -values[i])
            for i in order:
                if len(kept) == most:
                    break
                mine = corners[n][i]
                if values[i] > least and all(_shared(mine, corners[n][k]) <= overlap for k in kept):
                    kept.append(i)
            rows += [[n, c, i] for i in kept]
    return Tensor(rows, dtype="int64").reshape(len(rows), 3)


def _corners(box: list[float], centred: int) -> tuple[float, float, float, float]:
    a, b, c, d = box
    if centred:
        return b - d / 2, a - c / 2, b + d / 2, a + c / 2
    return min(a, c), min(b, d), max(a, c), max(b, d)


def _shared(p: tuple[float, ...], q: tuple[float, ...]) -> float:
    """Intersection over union."""
    height = min(p[2], q[2]) - max(p[0], q[0])
    width = min(p[3], q[3]) - max(p[1], q[1])
    if height <= 0 or width <= 0:
        return 0.0
    area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (p, q)]
    return height * width / (area[0] + area[1] - height * width)
