"""Layers: modules to build networks from."""

from .core import Dense, Dropout, Flatten, Sequential

__all__ = ["Sequential", "Dense", "Flatten", "Dropout"]
