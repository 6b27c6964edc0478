"""The scikit-learn estimators: scikit-learn's own checks, and what people do with estimators."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import autograd
import nn
from nn.estimators import NeuralNetClassifier, NeuralNetRegressor


@pytest.mark.slow
@parametrize_with_checks([NeuralNetClassifier(random_state=0), NeuralNetRegressor(random_state=0)])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def narrow(inputs: int, outputs: int, width: int = 8) -> nn.Module:
    return nn.Sequential([nn.Dense(width, activation="tanh", input_shape=(inputs,)),
                          nn.Dense(outputs)])  # fmt: skip


def test_in_a_pipeline_with_names_as_labels() -> None:
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    net = make_pipeline(StandardScaler(), NeuralNetClassifier(epochs=40, random_state=0))
    assert cross_val_score(net, X, names, cv=3).mean() > 0.93
    fitted = net.fit(X, names)
    assert set(fitted.predict(X)) == set(names)
    proba = fitted.predict_proba(X)
    assert proba.shape == (150, 3)
    np.testing.assert_allclose(proba.sum(1), 1)


def test_grid_search_over_a_model_of_your_own() -> None:
    X, y = load_iris(return_X_y=True)
    grid = {"options": [{"width": 1}, {"width": 16}], "lr": [1e-5, 0.03]}
    search = GridSearchCV(NeuralNetClassifier(narrow, epochs=30, random_state=0), grid, cv=3)
    search.fit(X, y)
    assert search.best_params_ == {"lr": 0.03, "options": {"width": 16}}
    assert isinstance(search.best_estimator_.model_, nn.Sequential)


def test_a_regressor_scales_its_targets() -> None:
    X, y = load_diabetes(return_X_y=True)
    prices = 1e6 + 1e4 * y
    net = make_pipeline(StandardScaler(), NeuralNetRegressor(hidden=(16,), epochs=40,
                                                             random_state=0))  # fmt: skip
    assert cross_val_score(net, X, prices, cv=3).mean() > 0.35
    two = NeuralNetRegressor(epochs=5, random_state=0).fit(X, np.stack([y, -y], 1))
    assert two.predict(X).shape == (len(X), 2)


def test_random_state_repeats_a_fit_and_leaves_other_random_numbers_alone() -> None:
    X, y = load_iris(return_X_y=True)
    autograd.seed(3)
    expected = autograd.random.uniform(4).numpy().copy()
    autograd.seed(3)
    first = NeuralNetClassifier(epochs=3, random_state=1).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(autograd.random.uniform(4).numpy(), expected)
    again = NeuralNetClassifier(epochs=3, random_state=1).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), first)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(again)).predict_proba(X), first)
    assert clone(again).get_params() == again.get_params()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_computes_in_the_dtype_of_the_data(dtype: str) -> None:
    X, y = load_iris(return_X_y=True)
    net = NeuralNetClassifier(epochs=2, random_state=0).fit(X.astype(dtype), y)
    assert {str(p.dtype) for p in net.model_.parameters()} == {dtype}


def test_mistakes_are_told() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="one class only"):
        NeuralNetClassifier().fit(X, np.zeros(len(X), dtype=int))
    with pytest.raises(TypeError, match="must return the untrained"):
        NeuralNetClassifier(lambda inputs, outputs: None).fit(X, y)
