"""`tune`: the search for learning rate, widths, depth, dropout, batch size, on Optuna."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from autograd import random
from autograd.errors import DomainError, GraphError

from .arguments import count
from .callbacks import LambdaCallback
from .monitor import EarlyStopping, Monitor
from .progress import number
from .study import Kept, finished, need, open_study, quietly

__all__ = ["Tuning", "tune"]

TO_FIT = ("batch_size", "epochs")
"""What of a configuration goes to `fit`; all else goes to the function that builds the model."""


class Tuning:
    """What a search has found: `best`, the configuration, its `value`, and its `model`, trained.

    `trials` has a dict for each: its number, state, value, best epoch and configuration.  Printed
    it is a table, the best first.  `study` is Optuna's own record.
    """

    def __init__(self, study: Any, trials: list[Any], monitor: str, model: Any) -> None:
        self.study, self.monitor, self.model = study, monitor, model
        self.best: dict[str, Any] = dict(study.best_trial.params)
        self.value: float = study.best_value
        self.trials: list[dict[str, Any]] = [
            {
                "trial": place,
                "state": trial.user_attrs.get("told", trial.state.name.lower()),
                "value": trial.value if trial.state.name == "COMPLETE" else None,
                "epoch": trial.user_attrs.get("epoch"),
                "config": dict(trial.params),
            }
            for place, trial in enumerate(trials, 1)
        ]

    def __repr__(self) -> str:
        names = list({name: None for trial in self.trials for name in trial["config"]})
        sign = 1 if self.study.direction.name == "MINIMIZE" else -1
        done = [t for t in self.trials if t["state"] == "complete"]
        rest = [t for t in self.trials if t["state"] != "complete"]
        rows = [["trial", self.monitor, "epoch", *names, ""]]
        rows += [
            [
                str(trial["trial"]),
                "" if trial["value"] is None else number(trial["value"]),
                "" if trial["epoch"] is None else str(trial["epoch"] + 1),
                *(_short(trial["config"].get(name, "")) for name in names),
                "" if trial["state"] == "complete" else trial["state"],
            ]
            for trial in [*sorted(done, key=lambda t: sign * t["value"]), *rest]
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join(lines)


def tune(
    build: Callable[..., Any],
    space: Mapping[str, Any],
    x: Any,
    y: Any = None,
    *,
    trials: int = 20,
    epochs: int = 10,
    validation_split: float = 0.2,
    validation_data: Any = None,
    monitor: str = "val_loss",
    mode: str = "auto",
    storage: Any = None,
    seed: int = 0,
    verbose: bool = True,
) -> Tuning:
    """Search the configuration of a model that does best on data held out.

        def build(lr, width, depth, dropout):
            layers = [nn.Dense(width, "relu") for _ in range(depth)]
            model = nn.Sequential([*layers, nn.Dropout(dropout), nn.Dense(1)])
            model.compile(nn.Adam(lr=lr), "mse")
            return model

        found = nn.tune(build, {
            "lr": (1e-4, 1e-1, "log"), "width": (8, 128, "log"), "depth": (1, 4),
            "dropout": (0.0, 0.5), "batch_size": [16, 32, 64],
        }, x, y, trials=30, storage="search.journal")

    A range is (low, high), whole numbers for a whole number, with "log" for equal factors; a list
    is a choice.  "batch_size" and "epochs" go to `fit`, all else to `build`, which returns the
    compiled model.  The next configuration is chosen by Bergstra et al.'s tree-structured Parzen
    estimator (2011); a trial that is worse than the median of the others at the same epoch is
    given up.  What counts is the best epoch, whose weights `Tuning.model` has.

    With `storage`, a path, every trial is written down as it ends, with the best weights beside;
    called again, `tune` goes on until there are so many `trials` in all.  Needs Optuna, the extra
    `glassgrad[tune]`.
    """
    optuna = need()
    trials, epochs = count("trials", trials), count("epochs", epochs)
    mode = Monitor(monitor, mode, 0.0).mode
    _check(build, space)
    data = {"validation_data": validation_data, "validation_split": validation_split}
    kept = Kept(storage)
    with quietly(optuna):
        study = open_study(optuna, space, storage, monitor, mode, epochs)
        while (done := len(finished(study))) < trials:
            # seeded by its length, a search that goes on does not begin again with the same guesses
            study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
            trial = study.ask()
            try:
                config = {name: _suggest(trial, name, span) for name, span in space.items()}
                with random.using(random.Generator(seed + trial.number)):
                    model = _built(build, config)
                    options = {"epochs": epochs, **{k: config[k] for k in TO_FIT if k in config}}
                    value = _try(trial, model, Monitor(monitor, mode, 0.0),
                                 {"x": x, "y": y, **data, **options})  # fmt: skip
            except DomainError as error:
                trial.set_user_attr("told", "diverged")
                trial.set_user_attr("error", str(error))
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            except Exception:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                raise
            else:
                if value is None:
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                else:
                    kept.offer(study, trial.number, value, model)
                    study.tell(trial, value)
                    kept.forget_but(study.best_trial.number)
            if verbose:
                print(_line(study, done + 1, trials, monitor), flush=True)
        ended = finished(study)
        if not any(t.state.name == "COMPLETE" for t in ended):
            errors = {t.user_attrs["error"] for t in ended if "error" in t.user_attrs}
            raise DomainError(f"tune: none of {trials} trials came to its end; {'; '.join(errors)}")
        best = study.best_trial
        with random.using(random.Generator(seed + best.number)):
            model = _built(build, best.params)
            kept.restore(best.number, model)
    return Tuning(study, ended, monitor, model)


def _try(trial: Any, model: Any, watched: Monitor, options: dict[str, Any]) -> float | None:
    """Train the model and leave it with its best weights; the best value, or None if given up."""
    stopping = EarlyStopping(watched.monitor, 10**9, mode=watched.mode, restore_best=True)

    def report(epoch: int, logs: dict[str, float]) -> None:
        trial.report(stopping.watched(logs), epoch)
        if trial.should_prune():
            trial.set_user_attr("told", f"given up after epoch {epoch + 1}")
            model.stop_training = True

    told = [stopping, LambdaCallback(on_epoch_end=report)]
    model.fit(**options, callbacks=told, verbose=0)
    if model.stop_training:
        return None
    trial.set_user_attr("epoch", stopping.best_epoch)
    return stopping.best


# --- the space ----------------------------------------------------------------------------


def _check(build: Callable[..., Any], space: Mapping[str, Any]) -> None:
    """Raise a TypeError or ValueError for what cannot be searched."""
    if not isinstance(space, Mapping) or not space:
        raise TypeError('tune: the space is a dict, such as {"lr": (1e-4, 1e-1, "log")}')
    for name, span in space.items():
        if isinstance(span, list):
            fine = span and all(c is None or isinstance(c, (bool, int, float, str)) for c in span)
        else:
            fine = (
                isinstance(span, tuple)
                and len(span) in (2, 3)
                and all(isinstance(end, (int, float)) for end in span[:2])
                and span[2:] in ((), ("log",))
                and span[0] < span[1]
                and (len(span) == 2 or span[0] > 0)
            )
        if not fine:
            raise ValueError(
                f'tune: {name} = {span!r}; a range is (low, high) or (low, high, "log") with low '
                "above 0, a choice is a list of numbers, texts or None"
            )
    names = [name for name in space if name not in TO_FIT]
    try:
        inspect.signature(build).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(
            f"tune: build is called with {', '.join(names) or 'nothing'} by name, which its "
            f"signature {inspect.signature(build)} does not take: {error}"
        ) from None


def _suggest(trial: Any, name: str, span: Any) -> Any:
    """One value of a range or choice."""
    if isinstance(span, list):
        return trial.suggest_categorical(name, span)
    low, high, *scale = span
    whole = isinstance(low, int) and isinstance(high, int)
    suggest = trial.suggest_int if whole else trial.suggest_float
    return suggest(name, low, high, log=bool(scale))


def _built(build: Callable[..., Any], config: Mapping[str, Any]) -> Any:
    """The model of a configuration, which has to be compiled."""
    model = build(**{name: value for name, value in config.items() if name not in TO_FIT})
    if getattr(model, "_compiled", None) is None:
        raise GraphError(
            f"tune: build returned {type(model).__name__}; let it return the model, after "
            'model.compile(optimizer=nn.Adam(lr=lr), loss="mse")'
        )
    return model


# --- text ---------------------------------------------------------------------------------


def _line(study: Any, done: int, trials: int, monitor: str) -> str:
    """What is said of the trial that has just ended."""
    trial = finished(study)[-1]
    config = "  ".join(f"{name} {_short(value)}" for name, value in trial.params.items())
    value = trial.user_attrs.get("told") or f"{monitor} {number(trial.value)}"
    best = "  ← best" if trial.state.name == "COMPLETE" and trial.value == study.best_value else ""
    return f"trial {done:>{len(str(trials))}}/{trials}  {value}  {config}{best}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
