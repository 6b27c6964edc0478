"""Names by which Keras and PyTorch know what is here: an error then says what to write.

They are not accepted: two names for one thing would be one too many to read.  But whoever writes
`nn.Linear(10, 5)` or `Dense(5, kernel_initializer="he_normal")` should learn at once what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

import autograd

__all__ = ["of_name", "of_option"]

NAMES = {
    # PyTorch's layers
    "Linear": "Dense(units)", "Conv1d": "Conv1D(filters, kernel_size)",
    "Conv2d": "Conv2D(filters, kernel_size), of images (N, H, W, C)",
    "ConvTranspose1d": "Conv1DTranspose", "ConvTranspose2d": "Conv2DTranspose",
    "BatchNorm1d": "BatchNorm()", "BatchNorm2d": "BatchNorm()",
    "InstanceNorm2d": "GroupNorm(groups=-1)", "MaxPool1d": "MaxPool1D", "MaxPool2d": "MaxPool2D",
    "AvgPool1d": "AvgPool1D", "AvgPool2d": "AvgPool2D", "AdaptiveAvgPool1d": "GlobalAvgPool1D()",
    "AdaptiveAvgPool2d": "GlobalAvgPool2D()", "Upsample": "UpSampling2D",
    "Dropout1d": "SpatialDropout1D", "Dropout2d": "SpatialDropout2D",
    "MultiheadAttention": "MultiHeadAttention(heads)",
    "TransformerEncoderLayer": "TransformerBlock(heads)",
    "ModuleList": "a list as an attribute: modules in it are found",
    "ModuleDict": "a dict as an attribute: modules in it are found",
    "Parameter": "autograd.Tensor(data, requires_grad=True) as an attribute",
    "functional": "autograd.relu, x.softmax(), nn.cross_entropy, …",
    "utils": "clip_norm=… of compile or of the optimizer",
    # PyTorch's losses
    "MSELoss": "MeanSquaredError() or nn.mse_loss", "L1Loss": "MeanAbsoluteError() or nn.l1_loss",
    "SmoothL1Loss": "Huber()", "HuberLoss": "Huber()", "KLDivLoss": "KLDivergence()",
    "BCELoss": "BinaryCrossentropy()",
    "BCEWithLogitsLoss": "BinaryCrossentropy(from_logits=True)",
    "CrossEntropyLoss": "SparseCategoricalCrossentropy(from_logits=True) or nn.cross_entropy",
    "NLLLoss": "SparseCategoricalCrossentropy()", "CTCLoss": "CTC()",
    "TripletMarginLoss": "triplet_margin_loss", "CosineEmbeddingLoss": "CosineSimilarity()",
    # Keras
    "Model": "Sequential([…]), or a subclass of nn.Module with a __call__",
    "Input": "input_shape=(…) of the first layer", "InputLayer": "input_shape=(…) of the first",
    "TimeDistributed": "the layer itself: Dense and its like act on the last axis of (N, T, …)",
    "Conv2DTransposed": "Conv2DTranspose", "Cropping2D": "Lambda(lambda x: x[:, 1:-1, 1:-1])",
    "callbacks": "EarlyStopping, nn.ModelCheckpoint, …", "initializers": "init",
    "optimizers": "optim", "datasets": "data", "preprocessing": "data",
    "load_model": "model.load(path), of a model that is built as it was",
    "to_categorical": "autograd.one_hot(y, classes), or a loss of integer labels",
}  # fmt: skip
"""What other libraries have → what to write here, with "nn." before it where it is a name."""

TOLD = "nothing, the first input tells"

OPTIONS = {
    # Keras
    "kernel_initializer": "kernel_init", "bias_initializer": "bias_init",
    "recurrent_initializer": "recurrent_init", "embeddings_initializer": "embedding_init",
    "depthwise_initializer": "depthwise_init", "pointwise_initializer": "pointwise_init",
    "epsilon": "eps", "num_heads": "heads", "go_backwards": "reverse", "merge_mode": "merge",
    "mask_value": "value",
    "kernel_regularizer": 'layer.regularize(weight="l2")',
    "bias_regularizer": 'layer.regularize(bias="l2")',
    "recurrent_regularizer": 'layer.regularize(recurrent_weight="l2")',
    "embeddings_regularizer": 'layer.regularize(weight="l2")',
    "kernel_constraint": 'layer.constrain(weight="max_norm")',
    "bias_constraint": 'layer.constrain(bias="max_norm")',
    "stateful": "the state handed on: y, *state = layer(x, initial_state=state)",
    "recurrent_dropout": "dropout, which is of the inputs", "trainable": "layer.freeze()",
    "dtype": "model.astype(dtype)", "seed": "autograd.seed(n)",
    "data_format": "nothing, channels come last", "input_length": "nothing",
    "input_dim": f"input_shape=(features,), or {TOLD}",
    # PyTorch
    "in_features": TOLD, "in_channels": TOLD, "input_size": TOLD, "num_features": TOLD,
    "normalized_shape": TOLD, "embed_dim": TOLD, "num_channels": TOLD,
    "out_features": "units", "out_channels": "filters", "hidden_size": "units",
    "num_groups": "groups", "num_embeddings": "input_dim", "embedding_dim": "output_dim",
    "p": "rate", "bias": "use_bias", "stride": "strides", "dilation": "dilation_rate",
    "kernel_size": "pool_size", "scale_factor": "size", "kdim": "context_dim",
    "padding_idx": "mask_zero=True, where 0 is padding", "is_causal": "causal",
    "affine": "center and scale", "elementwise_affine": "center and scale",
    "bidirectional": "nn.Bidirectional(layer)", "batch_first": "nothing, the batch comes first",
    "num_layers": "one layer after the other in a Sequential", "inplace": "nothing",
}  # fmt: skip
"""Options of layers that other libraries have → what takes their place here."""


def of_name(name: str, known: Iterable[str]) -> str:
    """What to write instead of `nn.name`, as the end of an error; "" where nobody can tell."""
    if name in autograd.__all__:
        return f". It is autograd.{name}"
    if name in NAMES:
        here = NAMES[name]
        first = re.split(r"\W", here)[0]
        return f". Here it is {'nn.' if first in set(known) else ''}{here}"
    alike = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), alike, 1)
    return f". Did you mean nn.{alike[near[0]]}?" if near else ""


def of_option(error: TypeError) -> str:
    """What to write instead of an option that a call did not know; "" where nobody can tell."""
    unknown = re.search(r"__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    here = OPTIONS.get(unknown[1]) if unknown else None
    return f"  In place of {unknown[1]}: {here}" if unknown and here else ""
