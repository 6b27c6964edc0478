"""What parameters have to obey: penalties in the loss and limits after each step, by name."""

from __future__ import annotations

from typing import Any, Self

from autograd import Tensor

from . import constraints, regularizers

__all__ = ["Rules"]


class Rules:
    """The part of a `Module` that knows which rules its own parameters have.

    They are kept by the parameter's name, since the parameter may not exist yet.
    """

    def regularize(self, **rules: Any) -> Self:
        """Let a penalty on parameters, by name, be part of the loss: `regularize(weight="l2")`.

        `fit` adds it up; a loop of one's own adds `nn.regularizers.penalty(model)`.  None is no
        rule.  Gives back the module, so that it can be said where the module is made.
        """
        self._obey("regularizers", {k: regularizers.get(r) for k, r in rules.items() if r})
        return self

    def constrain(self, **rules: Any) -> Self:
        """Keep parameters, by name, to what is allowed: `constrain(weight="max_norm")`.

        An optimizer that is given the model's parameters applies it after each step.
        """
        self._obey("constraints", {k: constraints.get(r) for k, r in rules.items() if r})
        return self

    def _obey(self, kind: str, rules: dict[str, Any]) -> None:
        if rules:
            vars(self)[kind] = {**vars(self).get(kind, {}), **rules}

    def parameter_for(self, name: str, who: str) -> Tensor | None:
        """Its own parameter of that name, None where it does without; else an AttributeError."""
        found = vars(self).get(name, self)
        if found is None or isinstance(found, Tensor):
            return found
        own = [key for key, value in vars(self).items() if isinstance(value, Tensor)]
        raise AttributeError(
            f"{who}: {type(self).__name__} has no parameter {name!r} of its own; "
            f"it has {', '.join(own) or 'none'}"
        )

    def _note_constraints(self) -> None:
        """Tell this module's constrained parameters, for the optimizer that asks for them."""
        for name, rule in vars(self).get("constraints", {}).items():
            p = self.parameter_for(name, "constrain")
            if p is not None:
                p.note("constraint", rule)
