"""Fourier transforms against NumPy's, what they are good for, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd import Tensor, fft
from autograd.check import gradcheck
from autograd.errors import ShapeError


def real(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def pairs(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1)


def number(x: Any) -> np.ndarray:
    return x.numpy() @ [1, 1j]


CLOSE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("n", [None, 3, 6, 9])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_they_are_numpys(n: int | None, axis: int) -> None:
    x, z = real(6, 5), real(6, 5, 2)
    np.testing.assert_allclose(
        number(fft.rfft(Tensor(x), n, axis)), np.fft.rfft(x, n, axis), **CLOSE
    )
    for name in ("fft", "ifft"):
        expected = getattr(np.fft, name)(z @ [1, 1j], n, axis)
        np.testing.assert_allclose(
            number(getattr(fft, name)(Tensor(z), n, axis)), expected, **CLOSE
        )
    back = np.fft.irfft(z @ [1, 1j], n, axis)
    np.testing.assert_allclose(fft.irfft(Tensor(z), n, axis).numpy(), back, **CLOSE)


def test_two_dimensions() -> None:
    x, z = real(3, 4, 5), real(3, 4, 5, 2)
    np.testing.assert_allclose(number(fft.rfft2(Tensor(x))), np.fft.rfft2(x), **CLOSE)
    np.testing.assert_allclose(number(fft.fft2(Tensor(z))), np.fft.fft2(z @ [1, 1j]), **CLOSE)
    np.testing.assert_allclose(fft.irfft2(fft.rfft2(Tensor(x)), 5).numpy(), x, **CLOSE)
    np.testing.assert_allclose(fft.ifft2(fft.fft2(Tensor(z))).numpy(), z, **CLOSE)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_there_and_back(n: int, seed: int) -> None:
    x, z = real(2, n, seed=seed), real(2, n, 2, seed=seed)
    np.testing.assert_allclose(fft.irfft(fft.rfft(Tensor(x)), n).numpy(), x, **CLOSE)
    np.testing.assert_allclose(fft.ifft(fft.fft(Tensor(z))).numpy(), z, **CLOSE)
    energy = (fft.magnitude(fft.fft(Tensor(z))) ** 2).sum().item() / n  # Parseval
    assert energy == pytest.approx((z**2).sum(), rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_rule_is_the_adjoint(size: int, n: int, seed: int) -> None:
    """⟨A x, g⟩ = ⟨x, Aᵀ g⟩ for every length, cut or filled up."""
    for name, shape in (("rfft", (size,)), ("irfft", (size, 2)), ("fft", (size, 2))):
        x = Tensor(real(*shape, seed=seed), requires_grad=True)
        y = getattr(fft, name)(x, n)
        g = Tensor(real(*y.shape, seed=seed + 1))
        y.backward(g)
        assert (y.detach() * g).sum().item() == pytest.approx((x.detach() * x.grad).sum().item())


def test_a_convolution_around_a_circle() -> None:
    x, y = Tensor(real(7)), Tensor(real(7, seed=1))
    z = fft.irfft(fft.multiply(fft.rfft(x), fft.rfft(y)), n=7).numpy()
    expected = [sum(x.numpy()[j] * y.numpy()[(k - j) % 7] for j in range(7)) for k in range(7)]
    np.testing.assert_allclose(z, expected, **CLOSE)

    def power(x: Tensor) -> Tensor:
        return fft.magnitude(fft.multiply(fft.rfft(x), fft.conjugate(fft.rfft(x))))

    assert gradcheck(power, x, order=2)


def test_a_spectrum_can_be_learned_from() -> None:
    """Fit a signal to a given magnitude of its frequencies, by gradient descent."""
    truth = Tensor(np.sin(np.arange(32) / 32 * 2 * np.pi * 5))
    wanted = fft.magnitude(fft.rfft(truth))
    x = Tensor(real(32) * 0.1, requires_grad=True)
    losses = []
    for _ in range(60):
        x.zero_grad()
        loss = ((fft.magnitude(fft.rfft(x)) - wanted) ** 2).mean()
        loss.backward()
        losses.append(loss.item())
        x.assign(x.numpy() - 0.1 * x.grad.numpy())
    assert losses[-1] < 1e-3 * losses[0]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_dtypes_stay(dtype: str) -> None:
    x = Tensor(real(8), dtype=dtype)
    assert str(fft.rfft(x).dtype) == dtype
    assert str(fft.irfft(fft.rfft(x)).dtype) == dtype


def test_lists_and_integers_are_taken() -> None:
    assert fft.rfft([1, 2, 3, 4]).numpy()[0].tolist() == [10, 0]
    assert fft.multiply([0.0, 1.0], [0.0, 1.0]).numpy().tolist() == [-1, 0]


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ShapeError, match=r"fft: \(4,\) holds no complex[^$]*rfft"):
        fft.fft(Tensor(real(4)))
    with pytest.raises(ShapeError, match=r"ifft: axis 1 is outside \[-1, 1\)"):
        fft.ifft(Tensor(real(4, 2)), axis=1)
    with pytest.raises(ShapeError, match=r"rfft: axis 2 is outside"):
        fft.rfft(Tensor(real(4, 2)), axis=2)
    for f, x in ((fft.rfft, real(4)), (fft.fft, real(4, 2)), (fft.irfft, real(1, 2))):
        with pytest.raises(ShapeError, match="n = 0 elements"):
            f(Tensor(x), n=0)
    with pytest.raises(ShapeError, match="n = 0"):
        fft.irfft(Tensor(real(1, 2)))


def test_on_the_strict_device() -> None:
    x = Tensor(real(6, 4), backend="strict", requires_grad=True)
    fft.irfft2(fft.rfft2(x)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.ones((6, 4)), **CLOSE)
