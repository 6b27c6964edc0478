"""A character GPT, trained on Python's own documentation, against the best of n-grams.

glassgrad train char_gpt

The model sees up to 64 characters and tells the next (Radford et al. 2019, made small: two blocks).
What it has to beat is no straw man: n-grams in the interpolated smoothing of Kneser and Ney (1995),
for half a century of language models the one to beat, of the length that does best on the last
tenth of the text that both learn from.  Both are told the same: the mean of -log p of each
character of the last tenth of the documentation, which neither has seen, in nats.  Paragraphs that
the documentation repeats are left out first, or remembering them would count.
"""

from pathlib import Path
from typing import Any

import numpy as np

import autograd
import nn
from autograd import no_grad
from nn import plot
from nn.data import CharTokenizer, next_tokens
from nn.data.datasets import python_docs

RESULT = "{loss:.3f} nats for each held-out character; the best n-grams {n-gram:.3f}"
GOAL = [("loss", "<", "n-gram")]

CONTEXT, NEW, BATCH = 64, 16, 8


def ngram(train: Any, held_out: Any, order: int, size: int) -> Any:
    """-log p of each held-out id (T,) by n-grams of up to `order` of the ids in train, there being
    `size` ids (interpolated Kneser-Ney: Chen and Goodman 1999, eq. 21-24):

        p(c | h) = (max(n(hc) - D, 0) + D · kinds(h) · p(c | h without its first)) / n(h)

    n counts how often a gram was seen, or below the highest order after how many different ids.
    """

    def grams(ids: Any, k: int) -> Any:  # the last k ids at each place, as one number
        return sum(np.roll(ids, i) * size**i for i in range(k))

    seen, n = np.unique(grams(train, order)[order - 1 :], return_counts=True)
    levels = []
    for k in range(order, 0, -1):
        ones, twos = (n == 1).sum(), (n == 2).sum()
        D = ones / max(ones + 2 * twos, 1)
        h, first, kinds = np.unique(seen // size, return_index=True, return_counts=True)
        levels.append((k, seen, n, D, h, kinds, np.add.reduceat(n, first)))
        seen, n = np.unique(seen % size ** (k - 1), return_counts=True)
    told = np.concatenate([train[-order:], held_out])
    p = np.full(len(told), 1 / size)
    for k, seen, n, D, h, kinds, total in reversed(levels):
        gram = grams(told, k)
        i = np.searchsorted(seen, gram).clip(max=len(seen) - 1)
        j = np.searchsorted(h, gram // size).clip(max=len(h) - 1)
        count = np.where(seen[i] == gram, n[i], 0)
        better = (np.maximum(count - D, 0) + D * kinds[j] * p) / total[j]
        p = np.where(h[j] == gram // size, better, p)
    return -np.log(p[order:])


def best_order(train: Any, size: int) -> int:
    """The order that does best on the last tenth of the training text."""
    cut = len(train) * 9 // 10
    return min(range(2, 10), key=lambda k: ngram(train[:cut], train[cut:], k, size).mean())


@no_grad()
def losses(model: nn.GPT, x: Any, y: Any) -> Any:
    """-log p of the last NEW ids of each row of y (N, T), which have most of a context."""
    model.eval()
    parts = [
        nn.cross_entropy(model(x[i : i + 64])[:, -NEW:], y[i : i + 64, -NEW:], reduction="none")
        for i in range(0, len(x), 64)
    ]
    return autograd.cat(parts).numpy()


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    autograd.seed(seed)
    text = "\n\n".join(dict.fromkeys(p.rstrip() for p in python_docs().split("\n\n")))
    text = text if epochs is None else text[:20_000]
    tokens = CharTokenizer(text)
    ids = tokens.encode(text)
    cut = len(ids) * 9 // 10
    train = ids[:cut]
    # windows that overlap, so that their last NEW ids, end to end, are the held-out text
    x_new, y_new = next_tokens(ids[cut - 1 - CONTEXT + NEW :], CONTEXT, step=NEW)
    held_out = ids[cut : cut + len(x_new) * NEW]
    order = best_order(train, len(tokens))
    grams = ngram(train, held_out, order, len(tokens)).reshape(-1, NEW)

    steps, rounds = (400, 12) if epochs is None else (20, epochs)
    model = nn.GPT(len(tokens), CONTEXT, width=128, layers=2, heads=4, rotary=True)
    rate = nn.CosineDecay(4e-3, rounds * steps, warmup=steps // 3)
    model.compile(
        nn.AdamW(lr=rate, betas=(0.9, 0.95), weight_decay=0.2, clip_norm=1.0),
        nn.SparseCategoricalCrossentropy(from_logits=True),
    )
    course: list[float] = []  # on each eighth window of what is held out, to save time

    def told(epoch: int, logs: dict[str, float]) -> None:
        course.append(losses(model, x_new[::8], y_new[::8]).mean())
        at = (epoch + 1) * steps
        print(f"step {at:>5}  loss {logs['loss']:.3f}, held out {course[-1]:.3f}")

    x, y = next_tokens(train, CONTEXT, step=CONTEXT // 8)
    history = model.fit(
        x, y, epochs=rounds, steps_per_epoch=steps, batch_size=BATCH,
        callbacks=[nn.LambdaCallback(on_epoch_end=told)], verbose=0,
    )  # fmt: skip
    loss, baseline = losses(model, x_new, y_new).mean(), grams.mean()
    print(f"{loss:.3f} nats for each of {len(held_out):,} characters that it has not seen,")
    print(f"the best n-grams, of {order}, {baseline:.3f}")

    begun = tokens.encode('The "match" statement\n')
    written = tokens.decode(model.generate(begun, 400, temperature=0.7, seed=seed).numpy())
    print(f"It writes:\n\n{written}\n")
    (out / "written.txt").write_text(written, encoding="utf-8")
    model.save(out / "char_gpt.safetensors")
    tokens.save(out / "characters.json")
    at = [(i + 1) * steps for i in range(rounds)]
    plot.curves(
        {"GPT": (at, history.history["loss"]), "GPT (held out)": (at, course),
         f"{order}-grams (held out)": ([steps, at[-1]], [grams[::8].mean()] * 2)},
        "−log p of the next character, nats", x="step", path=out / "loss.png",
    )  # fmt: skip
    draw(model, tokens, out)
    return {"loss": float(loss), "n-gram": float(baseline)}


def draw(model: nn.GPT, tokens: CharTokenizer, out: Path) -> None:
    """Where the heads look in a sentence."""
    sentence = "the name of the class, the name"
    maps = nn.attention_maps(model(tokens.encode(sentence)[None]))
    plot.attention(
        [head for p in maps.values() for head in p[0]], list(sentence), list(sentence),
        "Where each head looks: from each character (row) to those before it (columns)",
        titles=[f"block {b}, head {h}" for b in (1, 2) for h in (1, 2, 3, 4)], size=0.1,
        path=out / "attention.png",
    )  # fmt: skip
