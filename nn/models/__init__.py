"""Whole models."""

from .encoder import Encoder
from .gpt import GPT
from .mlp import MLP
from .seq2seq import Transformer
from .vit import VisionTransformer

__all__ = ["MLP", "GPT", "Encoder", "Transformer", "VisionTransformer"]
