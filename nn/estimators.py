"""scikit-learn estimators over any model: for `Pipeline`, `GridSearchCV`, `cross_val_score`.

    >>> from nn.estimators import NeuralNetClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> net = make_pipeline(StandardScaler(), NeuralNetClassifier(epochs=30, random_state=0))
    >>> bool(cross_val_score(net, X, y, cv=3).mean() > 0.9)
    True

This module needs scikit-learn (extra `data`), and is imported by itself: `import nn` stays light.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from inspect import signature
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from autograd import Tensor, cat, random

from . import losses, optim
from .models.mlp import MLP
from .module import Module

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]


FLOATS = ["float64", "float32"]
"""The model computes in the dtype of X, as scikit-learn's own do; what is neither is made the
first."""


class _NeuralNet(BaseEstimator):
    """What both estimators share: how the model is made and trained.

    `build(inputs, outputs, **options)` returns an untrained model with that many features in and
    that many numbers out: scores (logits) of the classes, one for two classes, or the predicted
    numbers.  Without it the model is an MLP with `hidden` layers.  The other parameters are those
    of `compile` and `fit`; `random_state` makes the training repeatable and leaves the random
    numbers of the rest of the program alone.

    After `fit`: `model_` (the `nn.Module`), `history_` (the `nn.History`), `n_features_in_`.
    """

    def __init__(
        self,
        build: Callable[..., Module] | None = None,
        *,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        options: dict[str, Any] | None = None,
        optimizer: Any = "adam",
        lr: float = 0.01,
        epochs: int = 100,
        batch_size: int = 200,
        validation_split: float = 0.0,
        callbacks: Sequence[Any] = (),
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.build = build
        self.hidden = hidden
        self.activation = activation
        self.options = options
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def _make(self, inputs: int, outputs: int) -> Module:
        if self.build is None:
            sizes = [*self.hidden, outputs]
            return MLP(inputs, sizes, activation=self.activation, **(self.options or {}))
        model = self.build(inputs, outputs, **(self.options or {}))
        if not isinstance(model, Module):
            raise TypeError(
                f"{type(self).__name__}: build{signature(self.build)} returned a "
                f"{type(model).__name__}; it must return the untrained nn.Module"
            )
        return model

    def _optimizer(self) -> Any:
        """A fresh one for each fit: an estimator's parameters must stay as they were given."""
        if isinstance(self.optimizer, (str, type)):
            return optim.get(self.optimizer, lr=self.lr)
        return deepcopy(self.optimizer)

    def _train(self, X: Any, y: Any, outputs: int, loss: Any, sample_weight: Any) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31))
        with random.using(random.Generator(seed)):
            self.model_ = self._make(X.shape[1], outputs)
            if self.model_.unbuilt():
                self.model_.build((X.shape[1],))
            self.model_.astype(str(X.dtype))
            self.model_.compile(self._optimizer(), loss)
            self.history_ = self.model_.fit(
                X, y, epochs=self.epochs, batch_size=self.batch_size,
                validation_split=self.validation_split, sample_weight=sample_weight,
                callbacks=list(self.callbacks), verbose=self.verbose,
            )  # fmt: skip

    def _weights(self, sample_weight: Any, X: Any) -> Any:
        """Weights of mean 1: a sample of weight 2 then counts as two samples of weight 1."""
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        return weights / weights.mean()

    def _scores(self, X: Any) -> Any:
        """What the model says, (N, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return self.model_.predict(X, batch_size=1024)


class NeuralNetClassifier(ClassifierMixin, _NeuralNet):
    """A classifier over any model that gives scores (logits): two classes or more, any labels."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralNetClassifier:
        """Train a new model on X (N, features) and labels y (N,)."""
        X, y = validate_data(self, X, y, dtype=FLOATS)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        count = len(self.classes_)
        if count < 2:
            raise ValueError(
                f"{type(self).__name__}: y holds one class only, {self.classes_[0]!r}; to tell "
                "classes apart takes at least two"
            )
        codes = encoder.transform(y)
        if sample_weight is not None:
            sample_weight = self._weights(sample_weight, X)
            if len(set(codes[sample_weight > 0].tolist())) < 2:
                raise ValueError(
                    f"{type(self).__name__}: of one class only have samples a weight above 0"
                )
        if count == 2:
            self._train(X, codes, 1, losses.BinaryCrossentropy(from_logits=True), sample_weight)
        else:
            loss = losses.SparseCategoricalCrossentropy(from_logits=True)
            self._train(X, codes, count, loss, sample_weight)
        return self

    def decision_function(self, X: Any) -> Any:
        """The scores: (N,) for two classes, positive for the second; else (N, classes)."""
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class, (N, classes), in the order of `classes_`."""
        scores = Tensor(self._scores(X).astype("float64"))
        if len(self.classes_) == 2:
            second = scores.sigmoid()
            return cat([1 - second, second], axis=1).numpy().copy()
        return scores.softmax(-1).numpy().copy()

    def predict(self, X: Any) -> Any:
        """The most probable label of each sample, (N,)."""
        scores = self.decision_function(X)
        places = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)
        return self.classes_[places]


class NeuralNetRegressor(RegressorMixin, _NeuralNet):
    """A regressor over any model: one number per sample, or several.

    The targets are scaled to mean 0 and variance 1 for the training, and the predictions scaled
    back, so that a learning rate serves prices and percentages alike.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralNetRegressor:
        """Train a new model on X (N, features) and targets y (N,) or (N, outputs)."""
        X, y = validate_data(self, X, y, dtype=FLOATS, multi_output=True, y_numeric=True)
        if sample_weight is not None:
            sample_weight = self._weights(sample_weight, X)
        self._one = y.ndim == 1
        if y.shape[-1:] == (1,):
            y = column_or_1d(y, warn=True)
            self._one = True
        targets = y.reshape(len(y), -1).astype("float64")
        weight = targets[:, :1] * 0 + 1 if sample_weight is None else sample_weight[:, None]
        self.mean_ = (weight * targets).sum(0) / weight.sum()
        scale = ((weight * (targets - self.mean_) ** 2).sum(0) / weight.sum()) ** 0.5
        scale[scale == 0] = 1.0
        self.scale_ = scale
        self._train(X, (targets - self.mean_) / scale, targets.shape[1], "mse", sample_weight)
        return self

    def predict(self, X: Any) -> Any:
        """The predicted numbers, in the shape of y: (N,) or (N, outputs)."""
        found = self._scores(X).astype("float64") * self.scale_ + self.mean_
        return found[:, 0] if self._one else found
