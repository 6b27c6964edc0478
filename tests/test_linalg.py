"""Linear algebra: identities, gradients of any order, corners, and errors that name the matrix."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd import Tensor, grad, hvp, linalg
from autograd.check import gradcheck
from autograd.errors import DomainError, ShapeError
from backends import strict


def matrices(*shape: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).uniform(-1, 1, shape)
    return x + 3 * np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1)


def leaf(x: np.ndarray) -> Tensor:
    return Tensor(x, dtype="float64", requires_grad=True)


def symmetric(*shape: int, seed: int = 0) -> np.ndarray:
    x = matrices(*shape, seed=seed)
    return (x + np.swapaxes(x, -1, -2)) / 2


# --- what they are ---


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_identities(seed: int, m: int, n: int) -> None:
    x, a = Tensor(matrices(2, m, n, seed=seed)), Tensor(matrices(2, n, n, seed=seed))
    close: Any = {"rtol": 1e-10, "atol": 1e-12}
    u, s, vh = linalg.svd(x)
    np.testing.assert_allclose((u * s[..., None, :] @ vh).numpy(), x.numpy(), **close)
    q, r = linalg.qr(x)
    np.testing.assert_allclose((q @ r).numpy(), x.numpy(), **close)
    low = linalg.cholesky(a)
    np.testing.assert_allclose(
        (low @ low.permute(0, 2, 1)).numpy(), symmetric(2, n, n, seed=seed), **close
    )
    w, v = linalg.eigh(a)
    np.testing.assert_allclose(
        (v * w[..., None, :] @ v.permute(0, 2, 1)).numpy(), symmetric(2, n, n, seed=seed), **close
    )
    sign, logabs = linalg.slogdet(a)
    np.testing.assert_allclose((sign * logabs.exp()).numpy(), linalg.det(a).numpy(), rtol=1e-10)
    whole = linalg.expm(a) @ linalg.expm(-a)
    np.testing.assert_allclose(whole.numpy(), np.tile(np.eye(n), (2, 1, 1)), atol=1e-4)
    np.testing.assert_array_equal(linalg.svdvals(x).numpy(), s.numpy())
    np.testing.assert_array_equal(linalg.eigvalsh(a).numpy(), w.numpy())


def test_solve_takes_vectors_and_broadcasts() -> None:
    a, b = leaf(matrices(3, 3)), leaf(np.arange(1.0, 4.0))
    np.testing.assert_allclose((a @ linalg.solve(a, b)).numpy(), b.numpy(), rtol=1e-12)
    assert gradcheck(linalg.solve, a, b, order=2)
    many = linalg.solve(leaf(matrices(5, 3, 3)), leaf(matrices(3, 2)))
    assert many.shape == (5, 3, 2)
    assert linalg.solve(a, np.arange(1.0, 4.0)).shape == (3,)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0, 3000.0])
def test_the_exponential_of_small_and_large_matrices(scale: float) -> None:
    random = np.random.default_rng(1)
    half = random.normal(size=(4, 4)) * scale
    x = half - half.T  # so that the result is a rotation, however large x is
    z = linalg.expm(Tensor(x)).numpy()
    np.testing.assert_allclose(z @ z.T, np.eye(4), atol=1e-9)
    w, v = np.linalg.eig(x)
    expected = (v * np.exp(w) @ np.linalg.inv(v)).real
    np.testing.assert_allclose(z, expected, atol=1e-13 * max(scale, 1) * 10)
    decay = linalg.expm(Tensor(np.diag([-1e5, 0.0, 1.0]))).numpy()
    np.testing.assert_allclose(decay, np.diag([0.0, 1.0, np.e]), rtol=1e-10)


def test_an_exponential_that_is_out_of_reach_is_nan() -> None:
    with np.errstate(all="ignore"):
        both = linalg.expm(Tensor(np.stack([np.eye(2) * 1e7, np.eye(2)]))).numpy()
    assert np.isnan(both[0]).all()
    np.testing.assert_allclose(both[1], np.eye(2) * np.e, rtol=1e-14)


# --- gradients ---


def test_orthogonal_and_positive_parts_by_composition() -> None:
    """Functions of a matrix through its factors, where signs of vectors drop out."""

    def polar(x: Any) -> Any:
        u, _, vh = linalg.svd(x)
        return u @ vh

    def root(x: Any) -> Any:
        w, v = linalg.eigh(x)
        return v * w.sqrt()[..., None, :] @ v.T

    for f, x in ((polar, matrices(4, 3)), (polar, matrices(3, 4)), (root, symmetric(3, 3))):
        assert gradcheck(f, leaf(x), order=2)


def test_third_order() -> None:
    x, v = Tensor(matrices(3, 3)), Tensor(np.random.default_rng(2).normal(size=(3, 3)))
    for f, plain in (
        (lambda x: linalg.slogdet(x)[1], lambda x: linalg.det(x).abs().log()),
        (lambda x: (linalg.eigvalsh(x) ** 2).sum(), lambda x: (((x + x.T) / 2) ** 2).sum()),
        (lambda x: (linalg.svdvals(x) ** 4).sum(), lambda x: ((x.T @ x) ** 2).sum()),
        (lambda x: linalg.cholesky(x).diagonal().log().sum(),
         lambda x: linalg.det((x + x.T) / 2).log() / 2),
    ):  # fmt: skip
        third = [grad(lambda x, f=f: (hvp(f, x, v) ** 2).sum())(x) for f in (f, plain)]
        np.testing.assert_allclose(third[0].numpy(), third[1].numpy(), rtol=1e-6, atol=1e-9)


def test_equal_eigenvalues_have_a_gradient_and_their_vectors_have_none() -> None:
    x = leaf(np.diag([2.0, 2.0, 5.0]))
    for f, g in (
        (lambda w, v: (w**2).sum(), 2 * x.numpy()),
        (lambda w, v: v[2, 2] ** 2, np.zeros((3, 3))),  # of the one that is unique
        (lambda w, v: v[0, 0] ** 2, np.full((3, 3), np.nan)),
    ):
        x.zero_grad()
        f(*linalg.eigh(x)).backward()
        np.testing.assert_allclose(x.grad.numpy(), g, atol=1e-12)
    y = leaf(np.eye(3) * 4)
    linalg.svdvals(y).sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), np.eye(3), atol=1e-12)
    linalg.svd(y)[0].sum().backward()
    assert np.isnan(y.grad.numpy()).any()


def test_a_singular_matrix_has_a_gradient_of_its_determinant() -> None:
    x = leaf(np.array([[1.0, 2.0], [2.0, 4.0]]))
    linalg.det(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)
    zero = leaf(np.zeros((3, 3)))
    linalg.det(zero).backward()
    np.testing.assert_array_equal(zero.grad.numpy(), np.zeros((3, 3)))


def test_small_singular_values_of_a_tall_matrix() -> None:
    x = leaf(np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    linalg.svdvals(x).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
    assert x.grad.numpy()[0, 0] == pytest.approx(1)


# --- what goes wrong ---


def test_a_singular_matrix_is_named_with_its_place_in_the_batch() -> None:
    batch = matrices(2, 3, 2, 2)
    batch[1, 2] = [[1, 2], [2, 4]]
    mixing = Tensor(batch)
    with pytest.raises(DomainError) as info:
        linalg.inv(mixing)
    told = str(info.value)
    assert told.startswith("inv: matrix [1, 2] of mixing is singular: of its singular values")
    assert "largest 5 (condition number" in told
    assert "mixing + 1e-3 * autograd.eye(2)" in told
    with pytest.raises(DomainError, match=r"solve: .* is singular"):
        linalg.solve(Tensor([[0.0, 0.0], [0.0, 0.0]]), Tensor([1.0, 2.0]))


def test_a_gradient_that_needs_an_inverse_says_so() -> None:
    x = leaf(np.array([[1.0, 2.0], [2.0, 4.0]]))
    sign, logabs = linalg.slogdet(x)
    assert (sign.item(), logabs.item()) == (0, -np.inf)
    with pytest.raises(DomainError, match="backward: slogdet: x is singular"):
        logabs.backward()
    y = leaf(np.ones((3, 2)))
    y.assign(np.zeros((3, 2)))
    with pytest.raises(DomainError, match="backward: qr: of y the first 2 columns depend"):
        linalg.qr(y)[1].sum().backward()


def test_a_matrix_that_is_not_positive_definite() -> None:
    covariance = Tensor(np.stack([np.eye(2), [[1.0, 2.0], [2.0, 1.0]]]))
    with pytest.raises(DomainError, match=r"\[1\] of covariance is not positive.* -1\n") as info:
        linalg.cholesky(covariance)
    assert "covariance + 2 * autograd.eye(2)" in str(info.value)


def test_numbers_that_are_not_finite_are_told() -> None:
    with pytest.raises(DomainError, match=r"holds nan at \[1, 0\]"):
        linalg.svd(Tensor([[1.0, 2.0], [float("nan"), 1.0]]))


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky", "eigh", "expm"])
def test_shapes_that_are_no_square_matrices(name: str) -> None:
    f = getattr(linalg, name)
    with pytest.raises(ShapeError, match=f"{name}: .*2 × 3, not square"):
        f(Tensor(np.ones((2, 3))))
    with pytest.raises(ShapeError, match="no matrix"):
        f(Tensor(np.ones(3)))


def test_right_sides_that_do_not_fit() -> None:
    a = Tensor(matrices(2, 3, 3))
    with pytest.raises(ShapeError, match="3 unknowns"):
        linalg.solve(a, Tensor(np.ones((4, 2))))
    with pytest.raises(ShapeError, match="do not broadcast"):
        linalg.solve(a, Tensor(np.ones((5, 3, 2))))
    with pytest.raises(ShapeError, match="one number"):
        linalg.solve(a, 1.0)


# --- on a device ---


def test_the_strict_device_has_what_cupy_has() -> None:
    for room in (strict.linalg, strict.fft):
        assert room.functions <= set(dir(getattr(np, room.room)))
        with pytest.raises(AttributeError, match="If CuPy has it"):
            room.eig  # noqa: B018


@pytest.mark.skipif(find_spec("cupy") is None, reason="no CuPy wheel")
def test_cupy_has_what_the_strict_device_has() -> None:
    from cupy import fft as ffts
    from cupy import linalg as algebra

    for room, theirs in ((strict.linalg, algebra), (strict.fft, ffts)):
        assert [name for name in room.functions if not hasattr(theirs, name)] == []


def test_errors_are_the_same_there() -> None:
    told = []
    for backend in ("numpy", "strict"):
        x = Tensor([[1.0, 2.0], [2.0, 4.0]], backend=backend)
        with pytest.raises(DomainError) as info:
            linalg.inv(x)
        told.append(str(info.value).replace(" on strict", ""))
    assert told[0] == told[1]
