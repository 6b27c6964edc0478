"""Forecasts by LSTM and GRU: next year's sunspots, and CO₂ over the coming twelve months.

glassgrad train forecast

Beside them stand the seasonal-naive forecast (as one cycle ago) and a linear autoregression, which
reads the same numbers; it is fitted by least squares, with the order that was best on the
validation years.  All are then fitted to everything before the held-out years, and forecast each
of those from what was known by then.  What the networks say is the mean of a few of them.

Sunspots rise faster than they fall, which no linear model can say (Weigend, Huberman and
Rumelhart 1990).  Networks read the square roots of 22 years; as cycles last from nine to fourteen
years, and there are few, they also learn from copies of the series at other speeds.  The margin is
small: order 9, which the validation years do not choose, would have beaten both by hindsight.
CO₂ is nearly linear: networks correct the autoregression, and win but a hair, 0.2 to 2.4 per cent;
there too an order that validation does not choose, 39, would have beaten them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import autograd
import nn
from nn import plot
from nn.data import datasets, windows

KINDS = {"LSTM": nn.LSTM, "GRU": nn.GRU}
RESULT = (
    "error (root mean square) in the held-out years, LSTM / GRU / linear autoregression: sunspots "
    "{sunspots LSTM RMSE:.1f} / {sunspots GRU RMSE:.1f} / {sunspots AR RMSE:.1f}, "
    "CO₂ {CO₂ LSTM RMSE:.3f} / {CO₂ GRU RMSE:.3f} / {CO₂ AR RMSE:.3f} ppm"
)
GOAL = [
    (f"{series} {kind} {measure}", "<", f"{series} {baseline} {measure}")
    for series in ("sunspots", "CO₂") for kind in KINDS
    for baseline in ("naive", "AR") for measure in ("MAE", "RMSE")
]  # fmt: skip

Array = np.ndarray
Model = Callable[[Array], Array]  # from windows (N, length) to what follows them (N, horizon)


@dataclass
class Outcome:
    """What came from each held-out time on, and what each method had said, (N, horizon)."""

    times: Array
    came: Array
    said: dict[str, Array]
    order: int  # of the autoregression

    def error(self, name: str, axis: int | None = None) -> dict[str, Any]:
        miss = self.said[name] - self.came
        return {"MAE": abs(miss).mean(axis), "RMSE": (miss**2).mean(axis) ** 0.5}


def square(roots: Array) -> Array:
    return np.square(np.maximum(roots, 0))


def pairs(series: Array, length: int, horizon: int) -> tuple[Array, Array]:
    """Every window (N, length) of a series, and what followed it (N, horizon)."""
    x, y = windows(series, length, horizon)
    return x[..., 0], y


def autoregression(series: Array, order: int, horizon: int) -> Model:
    """Each of the coming numbers is a weighted sum of the last `order`, by least squares."""

    def design(x: Array) -> Array:
        return np.column_stack([x[:, -order:], np.ones(len(x))])  # (N, order + 1)

    x, y = pairs(series, order, horizon)
    weights = np.linalg.lstsq(design(x), y)[0]  # (order + 1, horizon)
    return lambda x: design(x) @ weights


def best_order(series: Array, split: int, length: int, horizon: int, undo: Model) -> int:
    """The order, up to `length`, that is best after `split` when fitted to what is before."""
    x, y = pairs(series[split - length :], length, horizon)

    def error(order: int) -> float:
        said = autoregression(series[:split], order, horizon)(x)
        return float(np.mean((undo(said) - undo(y)) ** 2))

    return min(range(1, length + 1), key=error)


def networks(
    kind: str, x: Array, y: Array, *, count: int, epochs: int, batch_size: int, seed: int
) -> Model:
    """The mean of networks that differ by chance alone, trained on windows x (N, length)."""
    models = []
    for i in range(count):
        autograd.seed(100 * seed + i)
        model = nn.Sequential([
            KINDS[kind](16, input_shape=(x.shape[1], 1)),
            nn.Dense(y.shape[1], kernel_init="zeros"),  # a forecast of 0, to begin with
        ])  # fmt: skip
        rate = nn.CosineDecay(3e-3, epochs * -(-len(x) // batch_size))
        model.compile(nn.Adam(lr=rate, clip_norm=1.0), "mse")
        x32, y32 = x[..., None].astype("float32"), y.astype("float32")
        model.fit(x32, y32, epochs=epochs, batch_size=batch_size, verbose=0)
        models.append(model)
    return lambda x: np.mean([m.predict(x[..., None].astype("float32")) for m in models], axis=0)


def sunspots(count: int, epochs: int, seed: int) -> Outcome:
    """The year to come, from the 22 before it."""
    years, spots = datasets.sunspots()
    validation, held_out = np.searchsorted(years, [1909, 1949])
    roots, length = np.sqrt(spots.astype("float64")), 22
    known = roots[:held_out]
    order = best_order(known, validation, length, 1, square)
    x_new, came = pairs(roots[held_out - length :], length, 1)
    said = {"naive": x_new[:, -11:-10], "AR": autoregression(known, order, 1)(x_new)}

    speeds = [1.0, *np.exp(np.random.default_rng(seed).uniform(-0.2, 0.2, 7))]
    middle, spread = known.mean(), known.std()
    x, y = map(np.concatenate, zip(*(
        pairs((np.interp(np.arange(0, held_out - 1, speed), np.arange(held_out), known) - middle)
              / spread, length, 1)
        for speed in speeds
    ), strict=True))  # fmt: skip
    for kind in KINDS:
        model = networks(kind, x, y, count=count, epochs=epochs, batch_size=32, seed=seed)
        said[kind] = model((x_new - middle) / spread) * spread + middle
    said = {name: square(roots) for name, roots in said.items()}
    return Outcome(years[held_out:], square(came), said, order)


def co2(count: int, epochs: int, seed: int) -> Outcome:
    """Twelve months to come, from the growth within a year that the 60 before them showed."""
    months, ppm = datasets.co2()
    ppm = ppm.astype("float64")
    months, growth, length = months[12:], ppm[12:] - ppm[:-12], 60
    validation, held_out = np.searchsorted(months, np.array(["1982-01", "1992-01"], "M8[M]"))
    known = growth[:held_out]
    order = best_order(known, validation, length, 12, np.asarray)
    linear, spread = autoregression(known, order, 12), known.std()
    x_new, came = pairs(growth[held_out - length :], length, 12)
    said = {"naive": np.zeros_like(came), "AR": linear(x_new)}

    def centred(x: Array) -> Array:  # growth itself has grown: what is new is how it differs
        return (x - x[:, -24:].mean(1, keepdims=True)) / spread

    x, y = pairs(known, length, 12)
    for kind in KINDS:
        model = networks(
            kind, centred(x), (y - linear(x)) / spread,
            count=count, epochs=epochs, batch_size=64, seed=seed,
        )  # fmt: skip
        said[kind] = linear(x_new) + model(centred(x_new)) * spread
    before = pairs(ppm[held_out:], 12, 12)[0]  # (N, 12), the same months of the year before
    said = {name: before + growth for name, growth in said.items()}
    return Outcome(months[held_out:], before + came, said, order)


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    outcomes = {  # of one network each where it is to be quick
        "sunspots": sunspots(1 if epochs else 4, epochs or 20, seed),
        "CO₂": co2(1 if epochs else 8, epochs or 20, seed),
    }
    results: dict[str, float] = {}
    for series, outcome in outcomes.items():
        n, horizon = outcome.came.shape
        print(f"{series}: {n} × {horizon} held out; autoregression of order {outcome.order}")
        for name in outcome.said:
            errors = {measure: float(e) for measure, e in outcome.error(name).items()}
            results |= {f"{series} {name} {measure}": e for measure, e in errors.items()}
            print(f"  {name:<6} MAE {errors['MAE']:6.3f}   RMSE {errors['RMSE']:6.3f}")

    figure = plot.blank(9.6, 3.8)
    years, spots = datasets.sunspots()
    found, recent = outcomes["sunspots"], years >= 1925
    lines = {name: (found.times, found.said[name][:, 0]) for name in ("AR", "LSTM")}
    panel = plot.curves(lines, "Sunspots, forecast a year ahead", x="year", panel=figure.subplots())
    panel.plot(years[recent], spots[recent], "o", color=plot.INK, markersize=3)
    figure.savefig(out / "sunspots.png")

    figure = plot.blank(9.6, 3.8)
    left, right = figure.subplots(1, 2)
    found = outcomes["CO₂"]
    errors = {name: found.error(name, axis=0)["RMSE"] for name in found.said}
    plot.curves(errors, "Error by months ahead, ppm (root mean square)", x="month", panel=right)
    plot.plain(left, "CO₂ in ppm, and each January's forecast by LSTM", x="year")
    for i in range(len(found.came) - 61, len(found.came), 12):
        times = found.times[i : i + 12].astype(int) / 12 + 1970
        left.plot(times, found.came[i], "o", color=plot.INK, markersize=2.5)
        left.plot(times, found.said["LSTM"][i], color=plot.COLOURS[2], linewidth=1.5)
    figure.savefig(out / "co2.png")
    return results
