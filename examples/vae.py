"""A variational autoencoder: digits as a few numbers, drawn back from them, and dreamt up.

glassgrad train vae

An encoder says where in a small space a digit lies, and how surely; a decoder draws from there.
Both make one number large, a lower bound of log p(digit) (Kingma and Welling 2014, eq. 3):

    ELBO = E log p(x | z) - KL(q(z | x) || N(0, 1))        z = mean + deviation · noise

The noise comes in from outside, so the gradient passes through z into the encoder.  With
p(x | z) = N(decoder(z), σ²) and σ learned this is principal components with a bend: a straight
decoder would be PCA as a probability (Tipping and Bishop 1999), whose exact log p scikit-learn
tells.  So they can be compared: our bound must be above its exact figure, our drawings nearer.
"""

from math import log, pi
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

import autograd
import nn
from autograd import Tensor, no_grad, random
from nn import plot

RESULT = (
    "8 numbers a digit: log p at least {log p, 8 numbers:.1f} nats held out, by PCA "
    "{log p, 8 numbers, PCA:.1f}; squared error {error, 8 numbers:.4f}, {error, 8 numbers, PCA:.4f}"
)
GOAL = [
    ("log p, 2 numbers", ">=", "log p, 2 numbers, PCA"),
    ("log p, 8 numbers", ">=", "log p, 8 numbers, PCA"),
    ("error, 2 numbers", "<=", "error, 2 numbers, PCA"),
    ("error, 8 numbers", "<=", "error, 8 numbers, PCA"),
]


class VAE(nn.Module):
    def __init__(self, size: int) -> None:
        self.encoder = nn.Sequential([
            nn.Dense(256, "silu", input_shape=(64,)), nn.Dense(256, "silu"), nn.Dense(2 * size),
        ])  # fmt: skip
        self.decoder = nn.Sequential([
            nn.Dense(256, "silu", input_shape=(size,)), nn.Dense(256, "silu"),
            nn.Dense(64, "sigmoid"),
        ])  # fmt: skip
        self.log_sigma = Tensor([-1.5], requires_grad=True)
        self.size = size

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), each (N, size)."""
        mean, log_variance = autograd.split(self.encoder(x), self.size, axis=1)
        return mean, log_variance

    def __call__(self, x: Tensor) -> Tensor:
        """The ELBO of each digit, (N,), in nats, with one sample of z."""
        mean, log_variance = self.encode(x)
        z = mean + (log_variance / 2).exp() * random.normal(mean.shape)
        square = ((x - self.decoder(z)) ** 2).sum(axis=1)
        log_p = -square / (2 * self.log_sigma).exp() / 2 - 64 * (self.log_sigma + log(2 * pi) / 2)
        kl = ((mean**2 + log_variance.exp() - 1 - log_variance) / 2).sum(axis=1)
        return log_p - kl

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decoder(self.encode(x)[0])


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    x, y = nn.data.datasets.digits()
    x_train, x_test, _, y_test = nn.data.split(x.reshape(-1, 64), y, 0.2, stratify=True)
    batches = nn.data.DataLoader(x_train, batch_size=64, shuffle=True, drop_last=True)
    epochs = epochs or 60
    held = Tensor(x_test)
    results: dict[str, float] = {}
    bounds, redrawn, models = {}, [x_test], {}
    for size in (2, 8):
        autograd.seed(seed)
        model = models[size] = VAE(size)
        optimizer = nn.Adam(model.parameters(), lr=nn.CosineDecay(3e-3, epochs * len(batches)))

        @autograd.jit
        def step(digits: Tensor, model: VAE = model, optimizer: nn.Adam = optimizer) -> Tensor:
            loss = -model(digits).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        course, course_held = [], []
        for _ in range(epochs):
            total = 0.0
            for (digits,) in batches:
                total -= step(digits).item()
            with no_grad():
                course.append(total / len(batches))
                course_held.append(model(held).mean().item())
        bounds[f"{size} numbers"], bounds[f"{size} numbers (held out)"] = course, course_held

        pca = PCA(size).fit(x_train)
        with no_grad():
            bound = sum(model(held).mean().item() for _ in range(20)) / 20
            pictures = {"": model.reconstruct(held).numpy(),
                        ", PCA": pca.inverse_transform(pca.transform(x_test))}  # fmt: skip
        for who, log_p in (("", bound), (", PCA", float(pca.score(x_test)))):
            results[f"log p, {size} numbers{who}"] = log_p
            results[f"error, {size} numbers{who}"] = float(((pictures[who] - x_test) ** 2).mean())
            redrawn.append(pictures[who])
        model.save(out / f"vae_{size}.safetensors")
        print(f"{size} numbers a digit, held out: log p >= {bound:.1f} nats, squared error "
              f"{results[f'error, {size} numbers']:.4f} a pixel;  PCA "
              f"{results[f'log p, {size} numbers, PCA']:.1f}, "
              f"{results[f'error, {size} numbers, PCA']:.4f}")  # fmt: skip

    plot.curves(bounds, "Lower bound of log p", y="nats a digit", path=out / "bounds.png")
    plot.images(
        np.concatenate([p[:12] for p in redrawn]).reshape(-1, 8, 8), columns=12,
        title="Held-out digits; from 2 numbers by VAE and PCA; from 8 by VAE and PCA",
        path=out / "reconstructions.png",
    )  # fmt: skip
    with no_grad():
        z = random.normal((60, 8))
        dreamt = models[8].decoder(z).numpy()
        side = [(i - 7) / 3 for i in range(15)]  # -2.3 … 2.3
        grid = models[2].decoder(Tensor([[a, -b] for b in side for a in side])).numpy()
        places = models[2].encode(held)[0].numpy()
    plot.images(dreamt.reshape(-1, 8, 8), columns=12, path=out / "samples.png",
                title="Drawn from 8 numbers thrown at random")  # fmt: skip
    draw_map(grid.reshape(15, 15, 8, 8), places, y_test, out / "map.png")
    return results


def draw_map(grid: np.ndarray, places: np.ndarray, digits: np.ndarray, path: Path) -> None:
    """What the decoder draws at each place of the plane; where the encoder puts held-out digits."""
    figure = plot.blank(9.6, 5.2)
    left, right = figure.subplots(1, 2)
    for panel, title in ((left, "What is drawn where"), (right, "Where held-out digits lie")):
        plot.plain(panel, title)
        panel.grid(visible=False)
        panel.set_aspect("equal")
    framed = np.pad(grid, ((0, 0), (0, 0), (1, 1), (1, 1)))
    sheet = framed.transpose(0, 2, 1, 3).reshape(150, 150)
    left.imshow(sheet, cmap="gray_r", extent=(-2.5, 2.5, -2.5, 2.5))
    right.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5))
    for (a, b), digit in zip(places, digits, strict=True):
        right.text(a, b, str(digit), color=f"C{digit}", fontsize=8, ha="center", va="center",
                   clip_on=True)  # fmt: skip
    figure.savefig(path)
