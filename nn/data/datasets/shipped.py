"""Data that come with scikit-learn, statsmodels and Python itself: no download."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

__all__ = ["breast_cancer", "co2", "diabetes", "digits", "python_docs", "sunspots"]


def _optional(module: str, package: str, who: str) -> Any:
    """A module of a package that is not always there, which an error then names."""
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"{who} ships with {package}, which is not installed: pip install {package} "
            f"(or the extra, pip install 'glassgrad[data]')",
            name=missing.name,
        ) from missing


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 handwritten digits: x (1797, 8, 8, 1) float32 and y (1797,) int64, the digit.

    x is ink from 0 (paper) to 1, in steps of 1/16: each pixel counts the inked ones of 4 × 4.
    `x.reshape(-1, 64)` is what a Dense layer takes.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository (its test part), 1998, CC BY 4.0; the copy that ships with scikit-learn.
    """
    found = _optional("sklearn.datasets", "scikit-learn", "digits").load_digits()
    return (found.images[..., None] / 16).astype("float32"), found.target.astype("int64")


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """569 tumours: x (569, 30) float32 and y (569,) int64, 0 malignant (212), 1 benign (357).

    x holds ten measures of the cell nuclei in a picture (radius, texture, perimeter, area,
    smoothness, compactness, concavity, concave points, symmetry, fractal dimension): their means,
    then their standard errors, then their worst values, in pixels where they have a unit. They
    differ by orders of magnitude: subtract the mean and divide by the standard deviation of the
    training part.

    Source: Wolberg, Mangasarian, Street and Street, "Breast Cancer Wisconsin (Diagnostic)", UCI
    Machine Learning Repository, 1995, CC BY 4.0; the copy that ships with scikit-learn.
    """
    found = _optional("sklearn.datasets", "scikit-learn", "breast_cancer").load_breast_cancer()
    return found.data.astype("float32"), found.target.astype("int64")


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """442 patients: x (442, 10) float32, y (442, 1) float32, how far the disease is after a year.

    x is age, sex, body mass index, blood pressure and six measures of blood serum, each centred
    and scaled to a sum of squares of 1; times 21 = √442 they have variance 1.  y is a number
    between 25 and 346.

    Source: Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", Annals of Statistics
    32, 2004; no licence is stated. The copy that ships with scikit-learn.
    """
    found = _optional("sklearn.datasets", "scikit-learn", "diabetes").load_diabetes()
    return found.data.astype("float32"), found.target.astype("float32")[:, None]


def sunspots() -> tuple[np.ndarray, np.ndarray]:
    """The sunspot number of each year: years (309,) int64 from 1700 to 2008, and (309,) float32.

    It is a mean over a year of the daily index 10 × groups + spots, from 0 to 190.2, and goes
    through a cycle of about eleven years.

    Source: National Geophysical Data Center, NOAA; public domain. The copy that ships with
    statsmodels.
    """
    module = _optional("statsmodels.datasets.sunspots", "statsmodels", "sunspots")
    table = module.load_pandas().data
    return table["YEAR"].to_numpy("int64"), table["SUNACTIVITY"].to_numpy("float32")


def co2() -> tuple[np.ndarray, np.ndarray]:
    """CO₂ in the air over Mauna Loa: months (526,), and parts per million by volume, float32.

    Months are datetime64[M] from 1958-03 to 2001-12.  Each is the mean of its weekly measurements;
    five months have none, and are put on the line between their neighbours.

    Source: Keeling and Whorf, "Atmospheric CO2 concentrations derived from flask air samples at
    sites in the SIO network", Oak Ridge National Laboratory, 2004; public domain. The copy that
    ships with statsmodels.
    """
    table = _optional("statsmodels.datasets.co2", "statsmodels", "co2").load_pandas().data
    week = table.index.to_numpy().astype("datetime64[M]")
    ppm = table["co2"].to_numpy("float64")
    measured = ~np.isnan(ppm)
    months = np.arange(week.min(), week.max() + 1)
    number = (week - months[0]).astype(int)[measured]
    counts = np.bincount(number, minlength=len(months))
    sums = np.bincount(number, ppm[measured], len(months))
    known = np.flatnonzero(counts)
    means = np.interp(np.arange(len(months)), known, sums[known] / counts[known])
    return months, means.astype("float32")


def python_docs() -> str:
    """Python's documentation of its own language: half a megabyte of English, for language models.

    It is what `help("for")` and other topics show, one after the other by name, as the Python that
    runs this has it, so that its length differs a little between versions.

    Source: `pydoc_data.topics` of CPython, Python Software Foundation Licence 2.
    """
    topics = import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in sorted(topics))
