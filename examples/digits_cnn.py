"""A residual convolutional network reads handwritten digits.

glassgrad train digits_cnn

A convolution slides small filters over the image, the same ones everywhere (LeCun et al. 1989);
batch normalisation keeps what enters each activation where its slope is large (Ioffe and Szegedy
2015); a residual block only adds to what it is given, so that gradients also go around it (He et
al. 2016).  The 1,437 digits to learn from are turned, shifted and zoomed at random in each epoch.
All numbers below were chosen by validation within these; the others, a fifth, are read once the
choice was made, and drawn along the training, which does not look at them.
"""

from math import ceil
from pathlib import Path
from typing import Any

import autograd
import nn
from nn import plot
from nn.data.augment import RandomAffine
from nn.demo.digits import misread, split

RESULT = "{accuracy:.1%} of the held-out digits are read right"
GOAL = [("accuracy", ">=", 0.99)]

EPOCHS, BATCH = 40, 64


def convolution(filters: int) -> list[nn.Module]:
    """Batch normalisation takes the mean away, and with it any bias: the convolution has none."""
    return [nn.Conv2D(filters, 3, padding="same", use_bias=False), nn.BatchNorm(momentum=0.9)]


def block(filters: int) -> list[nn.Module]:
    """relu(x + what two convolutions make of x), figure 2 of He et al."""
    inner = [*convolution(filters), nn.ReLU(), *convolution(filters)]
    return [nn.Residual(inner), nn.ReLU()]


def network(width: int = 16) -> nn.Sequential:
    return nn.Sequential([
        RandomAffine(degrees=10, zoom=0.15, height=0.1, width=0.1),
        nn.Sequential([*convolution(width), nn.ReLU()], name="strokes"),       # (N, 8, 8, 16)
        nn.Sequential(block(width), name="corners"),                           # (N, 8, 8, 16)
        nn.MaxPool2D(2),                                                       # (N, 4, 4, 16)
        nn.Sequential([*convolution(2 * width), nn.ReLU()], name="wider"),     # (N, 4, 4, 32)
        nn.Sequential(block(2 * width), name="parts"),                         # (N, 4, 4, 32)
        nn.Flatten(),                                                          # (N, 512)
        nn.Dropout(0.3),
        nn.Dense(10, activation="softmax", name="digit"),
    ])  # fmt: skip


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    X_train, X_test, y_train, y_test = split()
    X_train, X_test = X_train.reshape(-1, 8, 8, 1), X_test.reshape(-1, 8, 8, 1)
    autograd.seed(seed)
    model = network()
    model.build((8, 8, 1))
    epochs = epochs or EPOCHS
    steps = epochs * ceil(len(X_train) / BATCH)
    rate = nn.CosineDecay(0.005, steps, warmup=steps // 40)
    loss = nn.SparseCategoricalCrossentropy(label_smoothing=0.1)
    model.compile(nn.AdamW(lr=rate, weight_decay=0.5), loss, metrics=["accuracy"])
    history = model.fit(
        X_train, y_train, epochs=epochs, batch_size=BATCH, validation_data=(X_test, y_test),
        verbose=0,
    )  # fmt: skip
    said = model.predict(X_test)
    right = int((said.argmax(1) == y_test).sum())
    print(f"{right} of {len(y_test)} held-out digits are read right, {right / len(y_test):.1%},")
    print(f"by {model.count_parameters():,} parameters. {history.flow}")

    history.plot(out / "training.png")
    misread(said, X_test, y_test).savefig(out / "misread.png")
    features(model, X_test[:6], out)
    model.save(out / "digits_cnn.safetensors")
    return {"accuracy": right / len(y_test)}


def features(model: Any, digits: Any, out: Path) -> None:
    """Draw the filters of the first layer, and what each of them finds in some digits."""
    strokes = model["strokes"]
    filters = strokes[0].weight.numpy()[:, :, 0].transpose(2, 0, 1)  # (16, 3, 3)
    maps = strokes.predict(digits).transpose(0, 3, 1, 2)  # (6, 16, 8, 8)
    middle = 0.5 + 0.5 * filters / abs(filters).max()
    plot.images(
        middle, columns=8, title="First filters: dark attracts, light repels",
        path=out / "filters.png",
    )  # fmt: skip
    sheet = [picture for digit, found in zip(digits[..., 0], maps / maps.max(), strict=True)
             for picture in (digit, *found)]  # fmt: skip
    plot.images(
        sheet, columns=17, size=0.5, title="A digit, and where each of the filters finds its like",
        path=out / "strokes.png",
    )  # fmt: skip
