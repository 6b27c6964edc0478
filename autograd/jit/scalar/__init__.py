"""`jit` for functions of `Value`s: one call becomes a tape, which a C loop replays both ways."""

from .program import ScalarProgram

__all__ = ["ScalarProgram"]
