"""Addition, learned from examples alone: a transformer reads "478+356" and writes "834".

glassgrad train addition

The model of Vaswani et al. (2017): an encoder reads the sum, character by character; a decoder
writes the result and at each step looks back at the sum (cross-attention).  Nobody tells it what a
digit is worth or that there are carries.  As on paper, it writes the last digit first, so that a
carry is known when it is needed.

The sums held out are never trained on, in neither order: not 478+356 and not 356+478.  A result
counts if every digit of it is right.  A picture shows where the decoder's heads look, and beside
it, by gradients, what each digit depends on: the two that stand in its column, and those to the
right of them, which tell of a carry.
"""

from pathlib import Path
from typing import Any

import numpy as np

import autograd
import nn
from autograd import Tensor, random
from autograd.names import path
from autograd.node import history
from nn import plot
from nn.data import CharTokenizer, DataLoader, pad_sequences
from nn.data.datasets import addition

RESULT = "{exact:.2%} of 2,000 sums that it has not seen are exact"
GOAL = [("exact", ">=", 0.99)]

DIGITS, HELD_OUT = 3, 2000
tokens = CharTokenizer("0123456789+", specials=("<pad>", "<start>", "<end>"))
PAD, START, END = range(3)


def sums(n: int, seed: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Sums and their results, each once: those to train on, and those held out."""
    pairs = list(dict.fromkeys(zip(*addition(n, DIGITS, seed=seed), strict=True)))
    pairs = [pairs[i] for i in random.permutation(len(pairs)).tolist()]
    held_out = pairs[:HELD_OUT]
    seen = {frozenset(question.split("+")) for question, _ in held_out}
    return [p for p in pairs if frozenset(p[0].split("+")) not in seen], held_out


def arrays(pairs: list[tuple[str, str]]) -> tuple[Any, Any]:
    """Ids of the sums (N, 7), flush right, and of <start>, results from their last digit, <end>."""
    sources = [tokens.encode(question) for question, _ in pairs]
    targets = [[START, *tokens.encode(result[::-1]), END] for _, result in pairs]
    return (
        pad_sequences(sources, 2 * DIGITS + 1, padding="pre")[0],
        pad_sequences(targets, DIGITS + 3)[0],
    )


def answers(model: nn.Transformer, sources: Any) -> list[str]:
    """The results that the model writes for sums (N, 7)."""
    written = model.generate(sources, DIGITS + 2, start=START, end=END).numpy()
    return [tokens.decode(row)[::-1] for row in written]


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    autograd.seed(seed)
    train, held_out = sums(100_000 if epochs is None else 8_000, seed)
    x, y = arrays(train)
    loader = DataLoader(x, y, batch_size=128, shuffle=True)
    steps = len(loader) * (epochs or 4)
    model = nn.Transformer(len(tokens), len(tokens), 64, layers=1, heads=4, context=8, padding=PAD)
    rate = nn.CosineDecay(3e-3, steps, warmup=steps // 20)
    optimizer = nn.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), clip_norm=1.0)

    @autograd.jit
    def step(source: Tensor, target: Tensor) -> Tensor:
        logits = model(source, target[:, :-1])  # at each place, what comes next
        loss = nn.cross_entropy(logits, target[:, 1:], ignore_index=PAD)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    losses: list[float] = []
    for epoch in range(epochs or 4):
        for source, target in loader:
            losses.append(step(source, target).item())
        said = answers(model, x[:500])
        right = sum(s == result for s, (_, result) in zip(said, train, strict=False))
        print(f"epoch {epoch + 1}  loss {losses[-1]:.4f}  {right} of 500 that it trains on")

    said = answers(model, arrays(held_out)[0])
    wrong = [(q, s, r) for (q, r), s in zip(held_out, said, strict=True) if s != r]
    exact = 1 - len(wrong) / len(held_out)
    print(f"{exact:.2%} of {len(held_out):,} sums that it has not seen are exact")
    for question, answer, result in wrong[:5]:
        print(f"  {question} is {result}, it says {answer}")
    model.save(out / "addition.safetensors")
    plot.curves({"loss": losses}, "Loss in training", x="step", log=True, path=out / "loss.png")
    draw(model, max(held_out, key=lambda pair: sum(map(int, pair[0].replace("+", "")))), out)
    return {"exact": exact}


def draw(model: nn.Transformer, pair: tuple[str, str], out: Path) -> None:
    """Where the decoder's heads look in the sum, and what each digit of the result depends on."""
    source, target = (Tensor(ids) for ids in arrays([pair]))
    logits = model.eval()(source, target[:, :-1])  # (1, T, V)
    question, result = pair[0], pair[1][::-1]
    heads = nn.attention_maps(logits)["blocks.0.cross"][0].numpy()  # (H, T, S)
    embedded = next(node for node in history(logits) if path(node) == "encoder.embedding")
    slopes = []
    for place, digit in enumerate(target[0, 1 : len(result) + 1].tolist()):
        logits[0, place, digit].backward(retain_graph=True)
        slope = embedded.grad.norm(axis=-1)[0]  # (S,): how much each character of the sum matters
        slopes.append((slope / slope.max()).numpy())
        embedded.zero_grad()
    panels = [*heads[:, : len(result)], np.stack(slopes)]
    plot.attention(
        [panel[:, -len(question) :] for panel in panels], list(result), list(question),
        f"{question} = {pair[1]}, written from the last digit to the first: what it looks at",
        titles=[*(f"head {i + 1}" for i in range(4)), "gradient"], columns=5, size=0.26,
        path=out / "attention.png",
    )  # fmt: skip
