"""Learning-rate schedules: their values, their limits, and optimizers that follow them."""

import math
import pickle
from typing import Any

import pytest

from autograd import Tensor
from nn import optim
from nn.optim import (
    SGD,
    Adam,
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseSqrtDecay,
    MultiStepDecay,
    OneCycle,
    PolynomialDecay,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
)

CASES: dict[str, tuple[Schedule, dict[int, float]]] = {
    "step": (StepDecay(1.0, every=10), {0: 1.0, 9: 1.0, 10: 0.1, 25: 0.01}),
    "multi-step": (
        MultiStepDecay(1.0, at=[30, 5], factor=0.5), {4: 1.0, 5: 0.5, 29: 0.5, 30: 0.25},
    ),
    "exponential": (ExponentialDecay(2.0, 10, 0.25), {0: 2.0, 5: 1.0, 10: 0.5}),
    "linear": (PolynomialDecay(1.0, 10, end=0.5), {0: 1.0, 5: 0.75, 10: 0.5, 99: 0.5}),
    "polynomial": (PolynomialDecay(1.0, 10, power=2.0), {0: 1.0, 5: 0.25, 10: 0.0}),
    "cosine": (CosineDecay(1.0, 100, end=0.2), {0: 1.0, 50: 0.6, 100: 0.2, 1000: 0.2}),
    "cosine after a warm-up": (
        CosineDecay(1.0, 14, warmup=4),
        {0: 0.2, 1: 0.4, 3: 0.8, 4: 1.0, 9: 0.5, 14: 0.0},
    ),
    "restarts": (
        CosineDecayRestarts(1.0, 10, factor=0.5),
        {0: 1.0, 5: 0.5, 10: 0.5, 20: 0.25, 30: 0.25, 50: 0.125},
    ),
    "restarts of one length": (CosineDecayRestarts(1.0, 4, longer=1), {0: 1.0, 2: 0.5, 4: 1.0}),
    "one cycle": (
        OneCycle(1.0, 101, rise=0.5), {0: 0.04, 101: 0.04 / 1e4, 100: 0.04 / 1e4},
    ),
    "inverse root": (InverseSqrtDecay(1.0, 3), {0: 0.25, 2: 0.75, 3: 1.0, 15: 0.5}),
    "paper's": (
        InverseSqrtDecay((512 * 4000) ** -0.5, 4000), {4000: 6.99e-4, 100_000: 512**-0.5 / 316.24},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_values(case: str) -> None:
    schedule, expected = CASES[case]
    for step, rate in expected.items():
        assert schedule(step) == pytest.approx(rate, rel=2e-3, abs=1e-15), step
    assert all(isinstance(schedule(step), float) for step in expected)


@pytest.mark.parametrize("case", CASES)
def test_they_can_be_pickled_compared_and_drawn(case: str) -> None:
    schedule, _ = CASES[case]
    again = pickle.loads(pickle.dumps(schedule))
    assert again == schedule
    assert eval(repr(schedule), vars(optim)) == schedule
    assert schedule.values(7) == [schedule(step) for step in range(7)]


def test_where_the_end_is_known_all_values_are_drawn() -> None:
    assert len(CosineDecay(1.0, 14).values()) == 14
    with pytest.raises(ValueError, match=r"StepDecay has no end: values\(steps\) says how many"):
        StepDecay(1.0, 3).values()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: CosineDecay(-1.0, 10), "CosineDecay: lr must be a number from 0 on, not -1.0"),
        (lambda: CosineDecay(1.0, 0), "steps must be a whole number from 1 on, not 0"),
        (lambda: CosineDecay(1.0, 10.5), "steps must be a whole number"),
        (lambda: StepDecay(1.0, 10, factor=math.inf), "factor must be a number"),
        (lambda: MultiStepDecay(1.0, at=[1, -3]), "at must be a whole number from 0 on, not -3"),
        (lambda: ReduceOnPlateau(1.0, factor=1.0), "factor must be between 0 and 1"),
        (lambda: ReduceOnPlateau(1.0, mode="auto"), 'mode is "min" or "max"'),
        (lambda: ReduceOnPlateau(1.0).update(math.nan), "the figure is NaN"),
    ],
)
def test_what_cannot_be(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


# --- in an optimizer ---


def descend(optimizer: Any, steps: int) -> list[float]:
    """The rates that were used, read off how far a parameter moves."""
    (p,) = optimizer.params
    used = []
    for _ in range(steps):
        before = p.item()
        p.grad = [1.0]
        optimizer.step()
        used.append(before - p.item())
    return used


def test_an_optimizer_follows_its_schedule() -> None:
    p = Tensor([0.0], requires_grad=True, dtype="float64")
    schedule = CosineDecay(1.0, 8, warmup=2)
    optimizer = SGD([p], lr=schedule)
    assert optimizer.lr == optimizer.learning_rate == schedule(0)
    assert optimizer.schedule is schedule
    assert descend(optimizer, 8) == pytest.approx(schedule.values())
    assert optimizer.lr == schedule(8)
    optimizer.lr = 0.5  # a number ends it
    assert optimizer.schedule is None
    assert descend(optimizer, 1) == pytest.approx([0.5])


def test_any_function_of_the_step_is_a_schedule() -> None:
    p = Tensor([0.0], requires_grad=True, dtype="float64")
    assert descend(SGD([p], lr=lambda step: 1 / (step + 1)), 3) == pytest.approx([1, 1 / 2, 1 / 3])


def test_a_schedule_goes_on_where_the_optimizer_was_saved() -> None:
    p, q = (Tensor([0.0], requires_grad=True, dtype="float64") for _ in range(2))
    schedule = CosineDecay(1.0, 10)
    one, two = SGD([p], lr=schedule), SGD([q], lr=schedule)
    descend(one, 4)
    two.load_state_dict(one.state_dict())
    assert two.schedule is schedule
    assert descend(two, 3) == pytest.approx(schedule.values()[4:7])


def test_a_plateau() -> None:
    schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1, cooldown=1, end=0.2)
    rates = [
        schedule.update(figure) for figure in (3.0, 2.0, 2.0, 2.0, 9.0, 9.0, 9.0, 1.9, 9, 9, 9)
    ]
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2]
    upwards = ReduceOnPlateau(1.0, patience=0, mode="max")
    assert [upwards.update(figure) for figure in (0.5, 0.6, 0.6)] == [1.0, 1.0, 0.1]


def test_a_plateau_is_part_of_the_optimizers_state() -> None:
    p = Tensor([0.0], requires_grad=True)
    one = Adam([p], lr=ReduceOnPlateau(1.0, patience=1))
    two = Adam([p], lr=ReduceOnPlateau(7.0, patience=1))
    two.load_state_dict(one.state_dict())
    assert two.schedule.best is None
    for figure in (2.0, 3.0):
        one.schedule.update(figure)
    two.load_state_dict(one.state_dict())
    assert two.lr == 1.0
    assert one.schedule.update(4.0) == two.schedule.update(4.0) == pytest.approx(0.1)
    assert two.lr == pytest.approx(0.1)
