"""A generative adversarial network: digits that nobody wrote, and a test whether they are digits.

glassgrad train gan

A generator draws digits from noise; a discriminator tells them from real ones, and its gradient by
a drawing is the generator's only teacher (Goodfellow et al. 2014, with their non-saturating loss).
Three things make sure that both get there:

- The discriminator may not be steep where real digits are: its squared slope there is part of its
  loss, so the step differentiates a gradient (R₁: Mescheder, Geiger and Nowozin 2018, eq. 9).
- Noise is one cloud, but between a 0 and a 1 there is nothing to be drawn.  So k-means sorts the
  digits into 30 groups by their looks, no label seen, and both players are told the group (Liu et
  al. 2020).  Without it a quarter of the drawings are something in between.
- What draws in the end is a running mean of the generator, which does not circle as it does.

The judge is a classifier that knows real digits only.  And because a copyist would pass: drawings
are no nearer to the training digits than held-out ones are, and nearly as varied as real ones.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

import autograd
import nn
from autograd import Tensor, concatenate, no_grad, one_hot, random, softplus, value_and_grad
from nn import plot

RESULT = (
    "the judge is sure of {confident:.1%} of 1,000 drawings, of real digits {confident, real:.1%}; "
    "the rarest digit is {rarest digit:.1%} of them"
)
GOAL = [
    ("judge", ">=", 0.97),
    ("confident", ">=", 0.85),
    ("rarest digit", ">=", 0.02),
    ("distance", ">=", "distance, held out"),
    ("variety", ">=", 0.8),
]

GROUPS, NOISE, WIDTH, BATCH = 30, 32, 256, 64
R1 = 0.1


def leaky(x: Tensor) -> Tensor:
    """Lets a fifth of what is negative pass, so that no unit of a player ever falls silent."""
    return autograd.leaky_relu(x, 0.2)


def network(inputs: int, outputs: int, activation: str | None) -> nn.Sequential:
    return nn.Sequential([
        nn.Dense(WIDTH, leaky, kernel_init="he_normal", input_shape=(inputs,)),
        nn.Dense(WIDTH, leaky, kernel_init="he_normal"),
        nn.Dense(outputs, activation),
    ])  # fmt: skip


class GAN:
    def __init__(self, steps: int) -> None:
        self.generator = network(NOISE + GROUPS, 64, "sigmoid")
        self.discriminator = network(64, GROUPS, None)  # one opinion per group
        self.average = nn.EMA(self.generator, decay=0.995)
        self.optimizers = [
            nn.Adam(player.parameters(), lr=nn.CosineDecay(1e-3, steps), betas=(0.0, 0.99))
            for player in (self.generator, self.discriminator)
        ]

    def draw(self, group: Tensor) -> Tensor:
        """Digits that look like those of these groups, (N, 64)."""
        noise = random.normal((len(group), NOISE))
        return self.generator(concatenate([noise, one_hot(group, GROUPS)], axis=1))

    @autograd.jit
    def step(self, real: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
        """Teach the discriminator, then the generator; the loss of the latter and the former."""
        ours, theirs = self.optimizers
        groups = one_hot(group, GROUPS)

        def score(x: Tensor) -> Tensor:
            """How real x looks for a digit of its group, (N,)."""
            return (self.discriminator(x) * groups).sum(axis=1)

        def total(x: Tensor) -> tuple[Tensor, Tensor]:
            scores = score(x)
            return scores.sum(), scores

        fake = self.draw(group)
        (_, scores), slope = value_and_grad(total, has_aux=True)(real)
        told_apart = softplus(-scores).mean() + softplus(score(fake.detach())).mean()
        theirs.zero_grad()
        (told_apart + R1 / 2 * (slope**2).sum(axis=1).mean()).backward()
        theirs.step()

        found_out = softplus(-score(fake)).mean()  # -log of the chance to pass as real
        ours.zero_grad()
        found_out.backward()
        ours.step()
        self.average.update()
        return found_out, told_apart


def train_judge(x: Any, y: Any, epochs: int) -> nn.Sequential:
    """A convolutional classifier of real digits."""
    judge = nn.Sequential([
        nn.Reshape((8, 8, 1)),
        nn.Conv2D(32, 3, padding="same", activation="relu"),
        nn.Conv2D(64, 3, padding="same", activation="relu"),
        nn.MaxPooling2D(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Dense(10, activation="softmax"),
    ])  # fmt: skip
    judge.compile(nn.Adam(lr=2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    judge.fit(x, y, epochs=epochs, verbose=0)
    return judge


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    x, y = nn.data.datasets.digits()
    x_train, x_test, y_train, y_test = nn.data.split(x.reshape(-1, 64), y, 0.2, stratify=True)
    autograd.seed(seed)
    judge = train_judge(x_train, y_train, min(epochs or 12, 12))
    group = KMeans(GROUPS, n_init=4, random_state=seed).fit_predict(x_train).astype("int64")

    epochs = epochs or 60
    batches = nn.data.DataLoader(x_train, group, batch_size=BATCH, shuffle=True, drop_last=True)
    gan = GAN(epochs * len(batches))
    losses, sheets = [], []
    for _ in range(epochs):
        # pixels count ink in sixteenths, by which alone real digits could be told: blur that
        steps = [
            [x.item() for x in gan.step(real + (random.uniform(real.shape) - 0.5) / 16, k)]
            for real, k in batches
        ]
        losses.append(np.mean(steps, axis=0))
        # always the same noise; groups as often as among the digits
        with gan.average.swapped(), random.using(random.Generator(1)), no_grad():
            sheets.append(gan.draw(Tensor(np.resize(group, 1000))).numpy())
    drawn = sheets[-1]
    gan.average.apply()
    gan.generator.save(out / "generator.safetensors")

    said, real_said = judge.predict(drawn), judge.predict(x_test)
    digit = said.argmax(1)
    count = np.bincount(digit, minlength=10)
    neighbours = NearestNeighbors(n_neighbors=1).fit(x_train)
    distance, nearest = neighbours.kneighbors(drawn)
    spread = [drawn[digit == k].std(0).mean() / x_train[y_train == k].std(0).mean()
              for k in range(10) if count[k] > 1]  # fmt: skip
    results = {
        "judge": float((real_said.argmax(1) == y_test).mean()),
        "confident": float((said.max(1) >= 0.85).mean()),
        "confident, real": float((real_said.max(1) >= 0.85).mean()),
        "rarest digit": float(count.min() / len(drawn)),
        "distance": float(distance.mean()),
        "distance, held out": float(neighbours.kneighbors(x_test)[0].mean()),
        "variety": float(np.mean(spread)),
    }
    print(f"the judge reads {results['judge']:.1%} of real digits right that it has not seen")
    print(f"and is sure of {results['confident']:.1%} of {len(drawn)} drawings, "
          f"of real digits {results['confident, real']:.1%}")  # fmt: skip
    print("drawn    " + "".join(f"{k:>5}" for k in range(10)))
    print("times    " + "".join(f"{n:>5}" for n in count))
    print(f"nearest training digit: {results['distance']:.2f} away, "
          f"from held-out digits {results['distance, held out']:.2f}")  # fmt: skip
    print(f"within a class drawings vary {results['variety']:.0%} as much as real digits")

    plot.curves(dict(zip(("generator", "discriminator"), np.transpose(losses), strict=True)),
                "Loss of the two players", path=out / "losses.png")  # fmt: skip
    of_each = [np.flatnonzero(digit == k)[:10] for k in range(10)]
    everything, first = np.concatenate(of_each), np.concatenate([found[:1] for found in of_each])
    plot.images(drawn[everything].reshape(-1, 8, 8), [f"{said[i].max():.0%}" for i in everything],
                title="The first ten drawings read as each digit, and how sure the judge is",
                path=out / "drawings.png")  # fmt: skip
    shown = [e for e in (1, 5, 10, 15, 20, 30, 60) if e <= epochs]
    strip = np.concatenate([sheets[e - 1][first] for e in shown])
    plot.images(strip.reshape(-1, 8, 8), columns=len(first), path=out / "epochs.png",
                title=f"The same noise after {', '.join(map(str, shown))} epochs")  # fmt: skip
    pairs = np.concatenate([drawn[first], x_train[nearest[first, 0]]])
    plot.images(pairs.reshape(-1, 8, 8), columns=len(first), path=out / "nearest.png",
                title="Drawings, and below each the training digit that is nearest")  # fmt: skip
    frames = [Image.fromarray(page(sheet[:60])) for sheet in sheets]
    frames[0].save(out / "epochs.gif", save_all=True, append_images=frames[1:], duration=120)
    return results


def page(drawings: Any) -> Any:
    """60 drawings on one page, in the greys of real digits, five pixels for each of theirs."""
    grey = (15.9 * np.round(16 - 16 * drawings)).astype("uint8").reshape(5, 12, 8, 8)
    framed = np.pad(grey, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=254)
    return framed.transpose(0, 2, 1, 3).reshape(50, 120).repeat(5, 0).repeat(5, 1)
