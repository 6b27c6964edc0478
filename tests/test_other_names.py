"""What users of Keras and PyTorch write is either right or answered with what to write here."""

import re
from typing import Any

import pytest

import autograd
import nn
from nn import habits


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Linear", r"nn' has no attribute 'Linear'\. Here it is nn\.Dense\(units\)"),
        ("BatchNorm2d", r"Here it is nn\.BatchNorm\(\)"),
        ("CrossEntropyLoss", r"nn\.SparseCategoricalCrossentropy\(from_logits=True\)"),
        ("ModuleList", "Here it is a list as an attribute"),
        ("relu", r"It is autograd\.relu"),
        ("Tensor", r"It is autograd\.Tensor"),
        ("BatchNorm2D", r"Did you mean nn\.BatchNorm\?"),
        ("Drpout", r"Did you mean nn\.Dropout\?"),
        ("xyzzy", "nn' has no attribute 'xyzzy'$"),
        ("_private", "nn' has no attribute '_private'$"),
    ],
)
def test_names_of_other_libraries(name: str, told: str) -> None:
    with pytest.raises(AttributeError, match=told):
        getattr(nn, name)
    assert not hasattr(nn, name)


def test_what_is_told_is_here() -> None:
    """A hint that begins with a name must name something that exists."""
    for told in habits.NAMES.values():
        name = told.split("(")[0].split(" ")[0].split(",")[0]
        if name[:1].isupper():
            assert name in nn.__all__, told
    assert not set(habits.NAMES) & {*nn.__all__, *autograd.__all__}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nn.Dense(4, kernel_initializer="he_normal"), "kernel_initializer: kernel_init"),
        (lambda: nn.Conv2D(4, 3, stride=2), "stride: strides"),
        (lambda: nn.Conv2D(4, 3, kernel_regularizer="l2"), r'layer\.regularize\(weight="l2"\)'),
        (lambda: nn.LSTM(4, bidirectional=True), r"nn\.Bidirectional\(layer\)"),
        (lambda: nn.Dropout(p=0.1), "p: rate"),
        (lambda: nn.MultiHeadAttention(num_heads=2), "num_heads: heads"),
        (lambda: nn.GRUCell(4, input_size=3), "nothing, the first input tells"),
    ],
)
def test_options_of_other_libraries(make: Any, told: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    (note,) = caught.value.__notes__
    assert note.startswith("  In place of ")
    assert re.search(told, note)


def test_only_the_layers_own_options_are_explained() -> None:
    def helper(x: int) -> int:
        return x

    class Mine(nn.Module):
        def __init__(self) -> None:
            helper(1, bias=True)  # type: ignore[call-arg]

    with pytest.raises(TypeError, match="unexpected keyword argument 'bias'") as caught:
        Mine()
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (lambda: nn.Dense(10, 5), TypeError, r"Dense\(5, input_shape=\(10,\)\)"),  # type: ignore[arg-type]
        (lambda: nn.LSTM(10, 20), TypeError, "return_sequences is True or False, not 20"),  # type: ignore[arg-type]
        (lambda: nn.LayerNorm(32), ValueError, r"eps 32 .*input_shape=\(features,\)"),
        (lambda: nn.RMSNorm(32), ValueError, "eps 32"),
        (lambda: nn.GroupNorm(4, 32), ValueError, "eps 32"),
        (lambda: nn.BatchNorm(32), ValueError, r"momentum 32 .*input_shape=\(features,\)"),
        (lambda: nn.RNN([nn.LSTMCell(3)]), TypeError, "each gets an RNN of its own"),  # type: ignore[arg-type]
        (lambda: nn.RNN(nn.LSTMCell), TypeError, r"a cell is needed, such as LSTMCell\(64\)"),
    ],
)
def test_sizes_of_the_input_are_not_taken_for_something_else(
    make: Any, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        make()


@pytest.mark.parametrize(
    ("name", "kind"), [("bce", nn.BinaryCrossentropy), ("KLD", nn.KLDivergence)]
)
def test_short_names_of_losses(name: str, kind: type) -> None:
    assert type(nn.losses.get(name)) is kind
