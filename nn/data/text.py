"""Text as integers, and back: tokenizers of characters, words and bytes."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from autograd.errors import DomainError, DTypeError

__all__ = ["ByteTokenizer", "CharTokenizer", "Tokenizer", "WordTokenizer"]


class Tokenizer:
    """A vocabulary: token `i` is the text `vocabulary[i]`.  `specials` come first, in their order.

    A special token, such as "<pad>" or "<end>", is never read from a text; its number is
    `tokenizer["<pad>"]`, and `decode` leaves it out.  Where "<unknown>" is one of them, it stands
    for whatever is not in the vocabulary, which is an error otherwise.
    """

    kind: ClassVar[str]

    def __init__(self, text: str | Iterable[str] = "", *, specials: Sequence[str] = ()) -> None:
        texts = [text] if isinstance(text, str) else text
        self._set([*specials, *self.learn(texts)], len(specials))

    def _set(self, vocabulary: Sequence[str], specials: int) -> None:
        self.vocabulary, self.specials = list(vocabulary), list(vocabulary[:specials])
        self.numbers = {token: i for i, token in enumerate(self.vocabulary) if i >= specials}
        self.special_numbers = {token: i for i, token in enumerate(self.specials)}
        if len(self.numbers) + len(self.special_numbers) < len(self.vocabulary):
            twice = [t for t, n in Counter(self.vocabulary).items() if n > 1]
            raise ValueError(f"{type(self).__name__}: {twice[0]!r} is in the vocabulary twice")

    def learn(self, texts: Iterable[str]) -> list[str]:
        """The tokens that occur in these texts."""
        raise NotImplementedError(f"{type(self).__name__} needs a method learn(texts)")

    def cut(self, text: str) -> Sequence[str]:
        """A text as its tokens, which joined together are the text."""
        raise NotImplementedError(f"{type(self).__name__} needs a method cut(text)")

    def __len__(self) -> int:
        """How many tokens there are: the classes of a model's output."""
        return len(self.vocabulary)

    def __getitem__(self, special: str) -> int:
        """The number of a special token."""
        if special not in self.special_numbers:
            raise KeyError(f"{special!r} is no special token; there are {self.specials}")
        return self.special_numbers[special]

    def encode(self, text: str) -> np.ndarray:
        """The numbers of a text's tokens, (T,) int64."""
        tokens = self.cut(text)
        unknown = self.special_numbers.get("<unknown>", -1)
        found = np.array([self.numbers.get(token, unknown) for token in tokens], "int64")
        if unknown < 0 and (found < 0).any():
            first = int(found.argmin())
            place = len("".join(tokens[:first]))
            raise DomainError(
                f"{type(self).__name__}: {tokens[first]!r}, at character {place} of the text, is "
                f"not in the vocabulary of {len(self)} tokens. Make it from all of the text, or "
                'with specials=("<unknown>",) to let that stand for what is not known.'
            )
        return found

    def decode(self, numbers: Any) -> str:
        """The text of tokens (T,); special ones are left out."""
        numbers = self._checked(numbers)
        return self.join([self.vocabulary[i] for i in numbers if i >= len(self.specials)])

    def join(self, tokens: Sequence[str]) -> str:
        """The text that tokens make."""
        return "".join(tokens)

    def _checked(self, numbers: Any) -> list[int]:
        array = np.asarray(numbers)
        if array.ndim != 1 or array.size and array.dtype.kind not in "iu":
            raise DTypeError(
                f"decode: expected the integers of one text, (T,), got {array.dtype} {array.shape}"
            )
        wrong = (array < 0) | (array >= len(self))
        if wrong.any():
            place = int(wrong.argmax())
            raise DomainError(
                f"decode: token {array[place]}, at place {place}, is outside [0, {len(self)})"
            )
        return [int(i) for i in array]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vocabulary as JSON."""
        facts = {
            "kind": self.kind, "specials": len(self.specials), "vocabulary": self.vocabulary,
        }  # fmt: skip
        Path(path).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The tokenizer that was saved there."""
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        kind = facts.get("kind") if isinstance(facts, dict) else None
        if kind != cls.kind:
            raise ValueError(f"{path} holds a tokenizer of kind {kind!r}, not {cls.kind!r}")
        tokenizer = cls.__new__(cls)
        tokenizer._set(facts["vocabulary"], facts["specials"])
        return tokenizer

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens)"


class CharTokenizer(Tokenizer):
    """One token per character, in the order of their code points.

    >>> tokenizer = CharTokenizer("hello")
    >>> tokenizer.encode("hole").tolist(), tokenizer.decode([1, 0, 2, 2, 3])
    ([1, 3, 2, 0], 'hello')
    """

    kind = "characters"

    def learn(self, texts: Iterable[str]) -> list[str]:
        return sorted(set().union(*texts))

    def cut(self, text: str) -> Sequence[str]:
        return text


class WordTokenizer(Tokenizer):
    """One token per word, per run of spaces and per sign, the most frequent first.

    With `size`, only so many tokens are kept, specials included; give "<unknown>" as a special
    then, for the rest.
    """

    kind = "words"
    TOKEN = re.compile(r"\w+|\s+|[^\w\s]")

    def __init__(
        self,
        text: str | Iterable[str] = "",
        *,
        size: int | None = None,
        specials: Sequence[str] = (),
    ) -> None:
        super().__init__(text, specials=specials)
        if size is not None:
            if size <= len(specials):
                raise ValueError(f"WordTokenizer: size={size} leaves no room beside the specials")
            self._set(self.vocabulary[:size], len(specials))

    def learn(self, texts: Iterable[str]) -> list[str]:
        counts = Counter(token for text in texts for token in self.cut(text))
        return sorted(counts, key=lambda token: (-counts[token], token))

    def cut(self, text: str) -> Sequence[str]:
        return self.TOKEN.findall(text)


class ByteTokenizer(Tokenizer):
    """One token per byte of the text in UTF-8: 256 of them, which hold any text there is."""

    kind = "bytes"

    def __init__(self, *, specials: Sequence[str] = ()) -> None:
        super().__init__(specials=specials)

    def learn(self, texts: Iterable[str]) -> list[str]:
        return [chr(i) for i in range(256)]  # a byte is written as the letter of its number

    def cut(self, text: str) -> Sequence[str]:
        return text.encode("utf-8").decode("latin-1")

    def join(self, tokens: Sequence[str]) -> str:
        """The text; bytes that are none, as a model may produce, become �."""
        return "".join(tokens).encode("latin-1").decode("utf-8", errors="replace")
