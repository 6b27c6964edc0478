"""The playground's engine, and what its page would ask of it over HTTP."""

import base64
import http.client
import json
import time
from typing import Any

import numpy as np
import pytest

from nn.watch.playground import Playground, serve
from nn.watch.settings import ACTIVATIONS, DATA, OPTIMIZERS
from nn.watch.telling import MAP, PLANE


def state(playground: Playground) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(playground._state())
    return told


@pytest.mark.parametrize("data", ["moons", "circles"])
def test_it_learns(data: str) -> None:
    playground = Playground(data=data, noise=0.05)
    before = state(playground)
    playground.train(300)
    after = state(playground)
    assert after["loss"]["train"] < 0.3 * before["loss"]["train"]
    assert after["accuracy"]["test"] > 0.9
    assert after["step"] == 300
    assert after["flow"]["verdict"] == "healthy"


def test_the_plane_is_the_networks_own_output() -> None:
    playground = Playground(layers=(5,), activation="relu")
    playground.train(5)
    told = state(playground)
    shown = np.frombuffer(base64.b64decode(told["plane"]["values"]), "uint8").reshape(PLANE, PLANE)
    left, right, low, high = told["plane"]["extent"]
    across, up = np.linspace(left, right, PLANE), np.linspace(low, high, PLANE)
    (w, b), (v, c) = [(p.weight.numpy(), p.bias.numpy()) for p in playground.model.layers]
    hidden = np.maximum(np.stack(np.meshgrid(across, up), -1) @ w + b, 0)
    p = 1 / (1 + np.exp(-(hidden @ v + c)[..., 0]))
    assert np.abs(shown - p * 255).max() <= 0.51
    unit = told["layers"][0]["units"][3]
    seen = np.frombuffer(base64.b64decode(unit["values"]), "uint8").reshape(MAP, MAP)
    side = np.linspace(left, right, MAP)
    truth = np.maximum(np.stack(np.meshgrid(side, side), -1) @ w + b, 0)[..., 3]
    assert (seen.astype(float) - 128) / 127 * unit["scale"] == pytest.approx(
        truth, abs=unit["scale"] / 250
    )


def test_weights_and_gradients_are_told_edge_by_edge() -> None:
    playground = Playground(layers=(5, 60))
    assert state(playground)["layers"][0]["gradients"] is None
    playground.train(3)
    first, second, last = state(playground)["layers"]
    kernel = playground.model.layers[0].weight.numpy()
    assert first["weights"] == pytest.approx(kernel.reshape(-1).tolist(), rel=1e-3)
    slope = np.array(first["gradients"])
    assert np.linalg.norm(slope) == pytest.approx(first["gradient"], rel=1e-3)
    assert (second["inputs"], second["outputs"], len(second["units"])) == (5, 60, 60)
    assert "units" not in last


def test_digits() -> None:
    playground = Playground(data="digits", layers=(32,), noise=0)
    playground.train(150)
    told = state(playground)
    confusion = np.array(told["digits"]["confusion"])
    assert confusion.sum() == 300
    assert np.trace(confusion) / 300 == pytest.approx(told["accuracy"]["test"])
    assert told["accuracy"]["test"] > 0.85
    sample = told["digits"]["samples"][0]
    assert len(base64.b64decode(sample["image"])) == 64
    assert sum(sample["probabilities"]) == pytest.approx(1, abs=1e-2)
    assert int(np.argmax(sample["probabilities"])) == sample["told"]
    assert "plane" not in told


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_choice_works_and_the_same_seed_gives_the_same(
    activation: str, optimizer: str
) -> None:
    told = []
    for _ in range(2):
        playground = Playground(
            data="spirals", activation=activation, optimizer=optimizer, seed=3, l1=1e-4, l2=1e-3
        )
        playground.train(20)
        told.append(state(playground) | {"flow": None})
    assert told[0] == told[1]
    other = Playground(data="spirals", activation=activation, optimizer=optimizer, seed=4)
    other.train(20)
    assert state(other)["loss"] != told[0]["loss"]


def test_regularisation_makes_weights_smaller() -> None:
    sizes = {}
    for l2 in (0.0, 0.1):
        playground = Playground(l2=l2)
        playground.train(200)
        sizes[l2] = state(playground)["layers"][1]["weight"]
    assert sizes[0.1] < 0.5 * sizes[0.0]


def test_the_curves_are_bounded() -> None:
    playground = Playground(layers=(2,))
    playground.train(1500)
    history = state(playground)["history"]
    assert 100 < len(history["step"]) <= 300
    assert len(history["train"]) == len(history["test"]) == len(history["step"])
    assert history["step"] == sorted(history["step"])


def test_knobs_turn_while_it_learns_or_begin_anew() -> None:
    playground = Playground()
    playground.train(10)
    playground.do({"settings": {"learning_rate": 0.5, "l2": 0.01}})
    assert (playground.step, playground.optimizer.lr) == (10, 0.5)
    playground.do({"settings": {"layers": [3]}})
    assert (playground.step, len(playground.model.layers)) == (0, 2)
    playground.do({"do": "step"})
    assert (playground.step, playground.running) == (1, False)
    playground.do({"do": "reset"})
    assert playground.step == 0


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"do": "jump"}, "do='jump': there is start, pause, step and reset"),
        ({"go": 1}, 'send {"do": "start"'),
        ([], 'send {"do": "start"'),
        ({"settings": 3}, "settings=3: an object is needed"),
        ({"settings": {"data": "mnist"}}, f"data='mnist': there is {', '.join(DATA)}"),
        ({"settings": {"learningrate": 1}}, "did you mean 'learning_rate'"),
        ({"settings": {"learning_rate": 11}}, "learning_rate=11: a number from 0 to 10 is needed"),
        ({"settings": {"learning_rate": float("nan")}}, "learning_rate=nan"),
        ({"settings": {"batch_size": 2.5}}, "batch_size=2.5: a whole number from 1 to 512"),
        ({"settings": {"layers": [0]}}, "a list of at most 8 widths, each from 1 to 64"),
        ({"settings": {"layers": [4] * 9}}, "a list of at most 8 widths"),
        ({"settings": {"seed": True}}, "seed=True: a whole number"),
    ],
)
def test_wrong_wishes_change_nothing(wish: Any, told: str) -> None:
    playground = Playground()
    before = playground.settings
    with pytest.raises(ValueError, match=r".") as error:
        playground.do(wish)
    assert told in str(error.value)
    assert playground.settings is before


def test_it_plays_over_http() -> None:
    server = serve(speed=500)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", f"/events?token={server.token}")
    answer = connection.getresponse()
    stream = answer.fp

    def event() -> tuple[str, Any]:
        kind = ""
        while True:
            text = stream.readline().decode()
            if text.startswith("event: "):
                kind = text[7:-1]
            elif text.startswith("data: "):
                return kind, json.loads(text[6:])

    def post(wish: Any) -> tuple[int, Any]:
        control = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        kind = {"Content-Type": "application/json"}
        control.request("POST", f"/control?token={server.token}", json.dumps(wish), kind)
        told = control.getresponse()
        return told.status, json.loads(told.read())

    kind, setup = event()
    assert kind == "setup"
    assert setup["options"]["data"] == list(DATA)
    assert len(setup["points"]["train"]) == 200
    assert event()[0] == "state"
    assert post({"do": "start"})[1]["running"] is True
    begun = time.perf_counter()
    states = [event()[1] for _ in range(12)]
    assert len(states) / (time.perf_counter() - begun) < 25  # no more than a screen shows
    assert states[-1]["step"] > states[0]["step"]
    assert post({"settings": {"noise": 9}}) == (
        400, {"error": "noise=9: a number from 0 to 1 is needed"},
    )  # fmt: skip
    assert (
        post({"do": "pause", "settings": {"data": "circles"}})[1]["settings"]["data"] == "circles"
    )
    while (told := event())[0] != "setup":
        pass
    assert told[1]["settings"]["data"] == "circles"
    assert event()[1]["running"] is False
    connection.close()
    server.close()
