"""A search on disk: Optuna's record of the trials, and the weights of the best beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Kept", "finished", "need", "open_study", "quietly"]


class Kept:
    """The weights of the best trial, in memory or beside the storage."""

    def __init__(self, storage: Any) -> None:
        self.path = None if storage is None else Path(storage)
        self.states: dict[int, Any] = {}

    def file(self, number: Any) -> Path:
        """Where the weights of that trial are."""
        assert self.path is not None
        return self.path.with_name(f"{self.path.name}.trial-{number}.safetensors")

    def offer(self, study: Any, number: int, value: float, model: Any) -> None:
        """Keep these weights if none so far has a better value."""
        if any(t.state.name == "COMPLETE" for t in finished(study)):
            best = study.best_value
            if not (value < best if study.direction.name == "MINIMIZE" else value > best):
                return
        if self.path is None:
            self.states[number] = model.state_dict()
        else:
            model.save(self.file(number))

    def forget_but(self, number: int) -> None:
        """Only the best weights stay."""
        if self.path is None:
            self.states = {n: state for n, state in self.states.items() if n == number}
            return
        for old in self.path.parent.glob(self.file("*").name):
            if old != self.file(number):
                old.unlink()

    def restore(self, number: int, model: Any) -> None:
        """Give the model the weights of that trial."""
        if self.path is None:
            model.load_state_dict(self.states[number])
        else:
            model.load(self.file(number))


def need() -> Any:
    """Optuna, or an ImportError that says how to get it."""
    try:
        import optuna
    except ImportError as error:
        raise ImportError("tune: Optuna is not installed; pip install 'glassgrad[tune]'") from error
    return optuna


@contextmanager
def quietly(optuna: Any) -> Iterator[None]:
    """Without Optuna's own lines, for each trial gets one here."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def open_study(
    optuna: Any, space: Mapping[str, Any], storage: Any, monitor: str, mode: str, epochs: int
) -> Any:
    """A new study, or the one that the storage holds, of the same space."""
    journal = None
    if storage is not None:
        from optuna.storages import JournalStorage
        from optuna.storages import journal as journals

        Path(storage).parent.mkdir(parents=True, exist_ok=True)
        journal = JournalStorage(journals.JournalFileBackend(str(storage)))
    study = optuna.create_study(
        storage=journal,
        study_name="tune",
        load_if_exists=True,
        direction="minimize" if mode == "min" else "maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 4),
    )
    facts = json.dumps({"monitor": monitor, "mode": mode, "space": dict(space)}, sort_keys=True)
    before = study.user_attrs.get("facts", facts)
    if before != facts:
        raise ValueError(f"tune: {storage} holds another search, of {before}; this is of {facts}")
    study.set_user_attr("facts", facts)
    for trial in study.trials:
        if trial.state.name == "RUNNING":  # a kill has left it: it is tried again
            study.enqueue_trial(trial.params)
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def finished(study: Any) -> list[Any]:
    """The trials that count: not those that a kill or an error has ended."""
    return [
        t
        for t in study.get_trials(deepcopy=False)
        if t.state.name in ("COMPLETE", "PRUNED") or "error" in t.user_attrs
    ]
