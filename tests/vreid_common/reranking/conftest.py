"""Awkward features, plain formulas in float64, and what holds for the arrays of every technique."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

Pair = tuple[np.ndarray, np.ndarray]


def random_pair() -> Pair:
    rng = np.random.default_rng(0)
    return rng.normal(size=(9, 6)), rng.normal(size=(40, 6))


def clustered_pair() -> Pair:
    """Features of unequal length around eight centres."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(8, 16))

    def draw(size: int) -> np.ndarray:
        near = centres[rng.integers(8, size=size)] + 0.4 * rng.normal(size=(size, 16))
        return near * np.exp(rng.normal(size=(size, 1)))

    return draw(12), draw(60)


def duplicate_pair() -> Pair:
    rng = np.random.default_rng(2)
    images = np.repeat(rng.normal(size=(7, 5)), 5, axis=0)
    return images[::6].copy(), images


def zero_pair() -> Pair:
    rng = np.random.default_rng(3)
    query, gallery = rng.normal(size=(6, 4)), rng.normal(size=(25, 4))
    query[::3] = 0
    gallery[::4] = 0
    return query, gallery


def tied_pair() -> Pair:
    """Axes and their opposites: every cosine is -1, 0 or 1."""
    axes = np.concatenate((np.eye(4), -np.eye(4)))
    return axes[[0, 3, 5]], np.tile(axes, (3, 1))


PAIRS: dict[str, Callable[[], Pair]] = {
    "random": random_pair,
    "clustered": clustered_pair,
    "duplicates": duplicate_pair,
    "zero vectors": zero_pair,
    "ties": tied_pair,
    "all equal": lambda: (np.ones((2, 3)), np.ones((11, 3))),
    "one image": lambda: (np.array([[1.0, 2.0]]), np.array([[2.0, -0.5]])),
}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    """(query, gallery) float32."""
    query, gallery = PAIRS[request.param]()
    return query.astype(np.float32), gallery.astype(np.float32)


class Plain:
    """The formulas, one image at a time."""

    @staticmethod
    def unit(features: np.ndarray) -> np.ndarray:
        rows = [row / np.linalg.norm(row) if row.any() else row for row in np.asarray(features, np.float64)]
        return np.array(rows).reshape(features.shape)

    @classmethod
    def cosines(cls, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        # Not a matrix product: equal images have to get equal cosines.
        return np.array([[(q * g).sum() for g in cls.unit(gallery)] for q in cls.unit(query)]).reshape(len(query), len(gallery))

    @staticmethod
    def ranked(similarities: np.ndarray) -> list[int]:
        """Indices by similarity, ties by index."""
        # Rounding to float32 ties what float32 features tie.
        return sorted(range(len(similarities)), key=lambda index: (-np.round(similarities[index], 6), index))

    @classmethod
    def others(cls, features: np.ndarray, k: int) -> list[list[int]]:
        """The k nearest other images of each image."""
        cosines = cls.cosines(features, features)
        return [[j for j in cls.ranked(cosines[i]) if j != i][:k] for i in range(len(features))]


@pytest.fixture(scope="session")
def plain() -> type[Plain]:
    return Plain


@pytest.fixture(scope="session")
def keeps_array_contract() -> Callable[..., None]:
    """A check of ``function(*features)``, which has to take and give arrays as docs/architecture.md says."""

    def check(function: Callable[..., object], *arrays: np.ndarray, keeps_double: bool = False) -> None:
        expected = function(*arrays)
        assert isinstance(expected, np.ndarray)
        assert expected.dtype == np.float32
        before = [array.copy() for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        np.testing.assert_array_equal(function(*arrays), expected)
        for array, copy in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, copy)

        tensors = [torch.from_numpy(copy) for copy in before]
        found = function(*tensors)
        assert isinstance(found, torch.Tensor)
        assert not found.requires_grad
        np.testing.assert_array_equal(found, expected)
        with torch.inference_mode():
            np.testing.assert_array_equal(function(*(tensor.clone() for tensor in tensors)), expected)
        with_gradient = function(*(tensor.clone().requires_grad_() for tensor in tensors))
        assert torch.equal(with_gradient, found) and not with_gradient.requires_grad  # noqa: PT018
        strided = [torch.stack((tensor, tensor), dim=2)[:, :, 0] for tensor in tensors]
        assert torch.equal(function(*strided), found)
        np.testing.assert_array_equal(function(*(copy[::-1][::-1] for copy in before)), expected)
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            cast = [tensor.to(dtype) for tensor in tensors]
            result = function(*cast)
            if keeps_double and dtype == torch.float64:
                assert result.dtype == torch.float64
                np.testing.assert_allclose(result, expected, atol=1e-6)
            else:
                assert result.dtype == torch.float32
                assert torch.equal(result, function(*(tensor.float() for tensor in cast)))

    return check
