"""Layers: modules to build networks from."""

# ruff: noqa: I001  (one name per line would bury what this file says)

from .cells import GRUCell, LSTMCell, RNN, Bidirectional, SimpleRNNCell
from .attention import KeyValueCache, MultiHeadAttention, attention_maps
from .convolution import Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose
from .core import Dense, Dropout, Flatten, Sequential
from .embedding import Embedding
from .normalization import (
    BatchNorm, BatchNormalization, GroupNorm, LayerNorm, LayerNormalization, RMSNorm,
)  # fmt: skip
from .pooling import (
    AveragePooling1D, AveragePooling2D, AvgPool1D, AvgPool2D, GlobalAveragePooling1D,
    GlobalAveragePooling2D, GlobalAvgPool1D, GlobalAvgPool2D, GlobalMaxPool1D, GlobalMaxPool2D,
    GlobalMaxPooling1D, GlobalMaxPooling2D, MaxPool1D, MaxPool2D, MaxPooling1D, MaxPooling2D,
    UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D,
)  # fmt: skip
from .recurrent import GRU, LSTM, SimpleRNN
from .position import PositionEmbedding, RotaryEmbedding, SinusoidalEmbedding
from .separable import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from .structure import (
    Add, Concatenate, Identity, Lambda, Multiply, Parallel, Permute, Rescaling, Reshape, Residual,
)  # fmt: skip
from .noise import GaussianNoise, SpatialDropout1D, SpatialDropout2D
from .steps import Masking, RepeatVector
from .transformer import TransformerBlock

__all__ = [
    "Sequential", "Dense", "Flatten", "Dropout",
    "BatchNorm", "BatchNormalization", "GroupNorm", "LayerNorm", "LayerNormalization", "RMSNorm",
    "Add", "Multiply", "Concatenate", "Parallel", "Residual", "Identity", "Lambda", "Permute",
    "Rescaling", "Reshape", "RepeatVector", "Masking",
    "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D",
    "Conv1D", "Conv2D", "Conv1DTranspose", "Conv2DTranspose", "DepthwiseConv1D", "DepthwiseConv2D",
    "SeparableConv1D", "SeparableConv2D",
    "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D",
    "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalMaxPool1D", "GlobalMaxPool2D",
    "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D",
    "Embedding", "SimpleRNN", "LSTM", "GRU", "Bidirectional", "RNN", "SimpleRNNCell", "LSTMCell",
    "GRUCell",
    "MultiHeadAttention", "KeyValueCache", "TransformerBlock", "PositionEmbedding",
    "RotaryEmbedding", "SinusoidalEmbedding", "attention_maps",
]  # fmt: skip
