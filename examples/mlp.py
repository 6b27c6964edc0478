"""Multi-layer perceptrons: yes or no, one of ten, a number; each beside scikit-learn's own.

glassgrad train mlp

The same steps serve every kind of question: the last activation and the loss follow from what is
asked, inputs are scaled, half of the units are dropped at each step, and the learning rate ends at
0.  Both libraries see the same five folds; the score is the mean over samples not trained on.
"""

from math import ceil
from pathlib import Path
from typing import Any
from warnings import catch_warnings

from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import autograd
import nn
from nn import plot

RESULT = (
    "breast cancer {breast cancer:.1%}, scikit-learn's MLP {breast cancer, scikit-learn:.1%}; "
    "digits {digits:.1%}, {digits, scikit-learn:.1%}; diabetes R² {diabetes:.2f}, "
    "{diabetes, scikit-learn:.2f}"
)
GOAL = [
    ("breast cancer", ">=", "breast cancer, scikit-learn"),
    ("digits", ">=", "digits, scikit-learn"),
    ("diabetes", ">=", "diabetes, scikit-learn"),
]

QUESTIONS = {  # data, units and activation of the last layer, loss
    "breast cancer": (load_breast_cancer, 1, "sigmoid", "binary_crossentropy"),
    "digits": (load_digits, 10, "softmax", "sparse_categorical_crossentropy"),
    "diabetes": (load_diabetes, 1, None, "mse"),
}


def predict(name: str, X: Any, y: Any, X_new: Any, epochs: int) -> tuple[Any, nn.History]:
    """Train on (X, y); the answers for X_new, and the course of the training."""
    _, units, activation, loss = QUESTIONS[name]
    middle, spread = (y.mean(), y.std()) if loss == "mse" else (0, 1)  # nets like small numbers
    model = nn.Sequential([
        nn.Dense(256, activation="relu", input_shape=(X.shape[1],)),
        nn.Dropout(0.5),
        nn.Dense(units, activation=activation),
    ])  # fmt: skip
    steps = epochs * ceil(len(X) / 32)
    model.compile(nn.AdamW(lr=nn.CosineDecay(0.01, steps), weight_decay=0.3), loss)
    y = (y - middle) / spread if loss == "mse" else y
    history = model.fit(X, y, epochs=epochs, batch_size=32, verbose=0)
    said = model.predict(X_new)
    if loss == "mse":
        return said[:, 0] * spread + middle, history
    return said.argmax(1) if units > 1 else said[:, 0] > 0.5, history


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    results: dict[str, float] = {}
    for name, (load, _, _, loss) in QUESTIONS.items():
        X, y = load(return_X_y=True)
        regression = loss == "mse"
        Folds, Peer = (KFold, MLPRegressor) if regression else (StratifiedKFold, MLPClassifier)
        score = r2_score if regression else accuracy_score
        ours, theirs = [], []
        for train, test in Folds(5, shuffle=True, random_state=seed).split(X, y):
            scaler = StandardScaler().fit(X[train])
            X_train, X_test = scaler.transform(X[train]), scaler.transform(X[test])
            autograd.seed(seed)
            said, history = predict(name, X_train, y[train], X_test, epochs or 40)
            ours.append(score(y[test], said))
            peer = Peer(random_state=seed, max_iter=epochs or 200)
            with catch_warnings(action="ignore", category=ConvergenceWarning):
                peer.fit(X_train, y[train])
            theirs.append(score(y[test], peer.predict(X_test)))
        history.plot(out / f"{name}.png".replace(" ", "_"))
        results[name] = sum(ours) / 5
        results[f"{name}, scikit-learn"] = sum(theirs) / 5
        what = "of the variance explained" if regression else "right"
        print(f"{name:<13} {results[name]:.1%} {what}, scikit-learn's MLP {sum(theirs) / 5:.1%}")
    plot.bars(
        {name: {"Glassgrad": results[name], "scikit-learn": results[f"{name}, scikit-learn"]}
         for name in QUESTIONS},
        "Accuracy, for diabetes R², in five-fold cross-validation", path=out / "scores.png",
    )  # fmt: skip
    return results
