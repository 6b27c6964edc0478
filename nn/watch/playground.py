"""The playground: a small network that learns while one watches and turns the knobs.

`Playground` is the engine: it trains in a thread of its own and tells its state some fifteen times
a second, or less where that would cost more than a third of the time.  `play` serves it.  What is
sent, as server-sent events from /events (arrays of bytes are base64):

    setup   {settings, classes, options: {data, activation, optimizer}, points: {train, test}}
            when a page comes, and when it begins anew.  points are [x, y, class]; for digits there
            are none.  options lists what may be chosen.
    state   {step, epoch, running, settings, loss: {train, test}, accuracy: {train, test},
             history: {step, train, test, train_accuracy, test_accuracy}, layers,
             flow: {verdict, text, layers: [{name, verdict, why}, …]}, plane?, digits?}

    layers  [{name, inputs, outputs, weight, gradient, weights?, gradients?, bias?,
             bias_gradients?, units?}, …]:
            weight and gradient are norms of the kernel and its gradient; weights and gradients the
            kernel (inputs × outputs) and its gradient, row by row, where it has at most 1,024
            elements; bias and its gradient likewise.  units are maps of the plane, one per hidden
            unit: {values: 12 × 12 bytes, scale}, of which byte b means (b - 128) / 127 · scale.
    plane   {size, extent: [left, right, bottom, top], values: size × size bytes}: the probability
            of class 1, byte / 255, rows from bottom to top.
    digits  {confusion: 10 × 10 counts [true][told], samples: [{image: 8 × 8 bytes of ink, label,
             told, probabilities: 10 numbers}, …]} of what was held out.

and taken, as JSON sent to /control: {"do": "start" | "pause" | "step" | "reset",
"settings": {…}}, both optional.  A changed data set, network, optimizer or seed begins anew.  The
answer is {"settings": …, "running": …}, or {"error": what is wrong}.  A number that is none is told
as "nan", "inf" or "-inf".

The same settings give the same numbers at the same step.
"""

from __future__ import annotations

import json
import webbrowser
from threading import Condition, Thread
from time import perf_counter, sleep
from typing import Any

from autograd import Tensor, no_grad, random

from .. import losses, optim
from ..data.arrays import quiet
from ..data.datasets import circles, digits, moons, spirals
from ..layers import Dense, Sequential
from ..mode import training
from . import telling
from .server import Request, Server
from .settings import ACTIVATIONS, DATA, OPTIMIZERS, Settings

__all__ = ["Playground", "play"]

POINTS, DIGITS = 400, 1200
"""How many samples there are; half of the points, a quarter of the digits are held out."""

CURVES = ("step", "train", "test", "train_accuracy", "test_accuracy")
HISTORY = 300
"""Points of the curves; beyond, every second one is dropped."""

TICK, SHARE = 1 / 15, 0.3
"""Seconds between two states, and how much of the time telling them may take."""


class Playground:
    """A network that learns in a thread of its own: `do` tells it what, `state` how it is."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings().but(settings)
        self.news = Condition()
        self.running = self.ended = False
        self.begun = self.told = 0
        """How often it began anew, and how often its state was told."""
        self.watched = lambda: True
        """Whether anybody looks on: else it rests."""
        self.message = ""
        self.reset()

    # --- the network ---

    def reset(self) -> None:
        """Begin anew, with the settings as they are."""
        settings, self.random = self.settings, random.Generator(self.settings.seed)
        with self.news, random.using(self.random):
            self.x, self.y, self.x_test, self.y_test = _samples(settings)
            self.classes = 10 if settings.data == "digits" else 2
            self.model = Sequential([
                *[Dense(n, activation=settings.activation) for n in settings.layers],
                Dense(10 if self.classes > 2 else 1),
            ])  # fmt: skip
            self.model.build((self.x.shape[1],))
            self.loss: Any = (
                losses.SparseCategoricalCrossentropy(from_logits=True)
                if self.classes > 2
                else losses.BinaryCrossentropy(from_logits=True)
            )
            self.model.compile(_optimizer(settings), self.loss, jit=False)
            self.optimizer = optim.get(self.model.optimizer, self.model.parameters())
            self.step, self.begun, self.order = 0, self.begun + 1, []
            self.every, self.history = 1, {name: [] for name in CURVES}
            self.gradients: list[Any] = []
            self.flow = {"verdict": "unknown", "text": "not a step was taken", "layers": []}
            self.flow_at = -1.0
            self._note()
            self.message = self._state()
            self.told += 1
            self.news.notify_all()

    def train(self, steps: int = 1) -> None:
        """Take so many steps."""
        with self.news, random.using(self.random), training(True), quiet():
            for _ in range(steps):
                x, y = self._batch()
                loss = self.loss(self.model(x), y) + self._penalty()
                loss.backward()
                self.optimizer.step()
                self.gradients = [p.grad for p in self.optimizer.params]
                self.optimizer.zero_grad()
                self.step += 1
                if self.step % self.every == 0:
                    self._note()

    def _batch(self) -> tuple[Tensor, Tensor]:
        """The next samples; each epoch has an order of its own."""
        if not self.order:
            self.order = random.permutation(len(self.x)).tolist()
        size = self.settings.batch_size
        rows, self.order = self.order[:size], self.order[size:]
        return self.x[rows], self.y[rows]

    def _penalty(self) -> Any:
        l1, l2, total = self.settings.l1, self.settings.l2, 0.0
        for p in self.model.parameters() if l1 or l2 else []:
            if p.ndim > 1:  # biases are left alone
                total = (
                    total + (l1 * abs(p).sum() if l1 else 0.0) + (l2 * (p * p).sum() if l2 else 0.0)
                )
        return total

    def _note(self) -> None:
        """One more point of the curves."""
        self.losses, self.accuracies = {}, {}
        with no_grad(), training(False), quiet():
            for name, x, y in (("train", self.x, self.y), ("test", self.x_test, self.y_test)):
                z = self.model(x)
                told = z.argmax(-1) if self.classes > 2 else (z[:, 0] > 0).astype("int64")
                self.losses[name] = float(self.loss(z, y).item())
                self.accuracies[name] = float((told == y).astype("float32").mean().item())
        point = (self.step, *self.losses.values(), *self.accuracies.values())
        for name, value in zip(CURVES, point, strict=True):
            self.history[name].append(float(f"{value:.5g}") if name != "step" else value)
        if len(self.history["step"]) > HISTORY:
            self.every *= 2
            self.history = {name: values[::2] for name, values in self.history.items()}

    # --- what it tells ---

    def setup(self) -> str:
        """The event "setup", as JSON."""
        with self.news:
            points = {}
            if self.classes == 2:
                for name, x, y in (("train", self.x, self.y), ("test", self.x_test, self.y_test)):
                    pairs = zip(x.numpy().round(3).tolist(), y.numpy().tolist(), strict=True)
                    points[name] = [[*xy, label] for xy, label in pairs]
            return _json({
                "settings": self.settings.plain(), "classes": self.classes, "points": points,
                "options": {"data": DATA, "activation": ACTIVATIONS, "optimizer": OPTIMIZERS},
            })  # fmt: skip

    def _state(self) -> str:
        told: dict[str, Any] = {
            "step": self.step,
            "epoch": self.step * self.settings.batch_size // len(self.x),
            "running": self.running,
            "settings": self.settings.plain(),
            "loss": self.losses,
            "accuracy": self.accuracies,
            "history": self.history,
            "layers": telling.layers(self.model, self.gradients, self.classes == 2),
            "flow": self._flow(),
        }
        with no_grad(), training(False), quiet():
            if self.classes > 2:
                told["digits"] = telling.digits(self.model, self.x_test, self.y_test)
            else:
                told["plane"] = telling.plane(self.model)
        return _json(told)

    def _flow(self) -> dict[str, Any]:
        """The verdict on the gradients, once a second."""
        now = perf_counter()
        if self.step and now - self.flow_at > 1:
            found = self.model.gradient_flow(self.x[:64], self.y[:64])
            self.flow = {
                "verdict": found.verdict,
                "text": str(found),
                "layers": [
                    {"name": x.name, "verdict": x.verdict, "why": f"{x.cause}; {x.fix}".strip("; ")}
                    for x in found.layers
                ],
            }
            self.flow_at = now
        return self.flow

    # --- what it is told ---

    def do(self, wish: Any) -> dict[str, Any]:
        """Start, pause, step, reset, or change settings; ValueError for anything else."""
        if not isinstance(wish, dict) or not {*wish} <= {"do", "settings"}:
            raise ValueError('send {"do": "start", "settings": {"noise": 0.2}}, or one of the two')
        what, changes = wish.get("do"), wish.get("settings", {})
        if what not in (None, "start", "pause", "step", "reset"):
            raise ValueError(f"do={what!r:.40}: there is start, pause, step and reset")
        if not isinstance(changes, dict):
            raise ValueError(f"settings={changes!r:.40}: an object is needed")
        settings = self.settings.but(changes)
        with self.news:
            before, self.settings = self.settings, settings
            self.running = {"start": True, "pause": False, "step": False}.get(what, self.running)  # type: ignore[arg-type]
            fresh = _lively(before, settings) != settings
            if fresh or what == "reset":
                try:
                    self.reset()
                except Exception:  # digits, for one, need scikit-learn
                    self.settings = before
                    raise
            self.optimizer.lr = settings.learning_rate
            if what == "step":
                self.train()
            self.tell()
        return {"settings": settings.plain(), "running": self.running}

    def tell(self) -> None:
        """Let those who listen know how it stands."""
        with self.news:
            self.message = self._state()
            self.told += 1
            self.news.notify_all()

    def run(self) -> None:
        """Train while `running`, until `ended`."""
        while not self.ended:
            if not (self.running and self.watched()):
                sleep(0.02)
                continue
            begun = perf_counter()
            for _ in range(max(1, round(self.settings.speed * TICK))):
                with self.news:  # a pause, or a new beginning, is not trained over
                    if not self.running:
                        break
                    self.train()
                if perf_counter() - begun > TICK:
                    break
            learned = perf_counter()
            self.tell()
            told = perf_counter() - learned
            sleep(
                max(0.002, TICK - (perf_counter() - begun), told / SHARE - (learned - begun) - told)
            )

    def events(self, server: Server, request: Request) -> None:
        """The events of one page: the latest state, when it is ready for it."""
        begun = told = 0
        while not server.closed.is_set():
            with self.news:
                fresh = self.news.wait_for(lambda: self.told != told, timeout=5)  # noqa: B023
                state, told, now = self.message, self.told, self.begun
            if now != begun:
                request.send("setup", self.setup())
                begun = now
            if fresh:
                request.send("state", state)
            else:
                request.wfile.write(b": still here\n\n")


def play(port: int = 0, open_browser: bool = False) -> None:
    """Serve the playground until interrupted."""
    server = serve()
    print(f"the playground: {server.url}", flush=True)
    if open_browser:
        webbrowser.open(server.url)
    try:
        while server.thread.is_alive():
            server.thread.join(1.0)
    finally:
        server.close()


def serve(port: int = 0, **settings: Any) -> Server:
    """A server with a playground of its own."""
    playground = Playground(**settings)

    def page(server: Server) -> str:
        from autograd.view.explore import Page

        return Page([], "playground", bundle="playground", live=server.live).html

    server = Server(page, playground.events, playground.do, port)
    playground.watched = lambda: server.streams > 0
    Thread(target=playground.run, name="glassgrad playground", daemon=True).start()
    return server


def _lively(before: Settings, after: Settings) -> Settings:
    """The settings before, with those of the others that change while it learns."""
    return before.but({name: getattr(after, name) for name in Settings.LIVE})


def _optimizer(settings: Settings) -> optim.Optimizer:
    if settings.optimizer in ("sgd", "momentum"):
        momentum = 0.9 if settings.optimizer == "momentum" else 0.0
        return optim.SGD(lr=settings.learning_rate, momentum=momentum)
    return optim.get(settings.optimizer, lr=settings.learning_rate)


def _samples(settings: Settings) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x and y to learn from, x and y held out."""
    if settings.data == "digits":
        x, y = digits()
        rows = random.permutation(len(x))[:DIGITS]
        x, y, held = x.reshape(-1, 64)[rows], y[rows], DIGITS // 4
        if settings.noise:
            x = x + settings.noise * random.normal(x.shape).numpy()
    else:
        made = {"moons": moons, "circles": circles, "spirals": spirals}[settings.data]
        x, y = made(POINTS, noise=settings.noise, seed=settings.seed)  # type: ignore[operator]
        middle = (x.max(axis=0) + x.min(axis=0)) / 2
        x, held = (x - middle) / abs(x - middle).max() * 2, POINTS // 2
    return Tensor(x[held:]), Tensor(y[held:]), Tensor(x[:held]), Tensor(y[:held])


def _json(told: Any) -> str:
    """As JSON, where a number that is none is a word: "nan", "inf"."""
    try:
        return json.dumps(told, separators=(",", ":"), allow_nan=False)
    except ValueError:
        from autograd.view.trace.model import plain

        return json.dumps(plain(told), separators=(",", ":"))
