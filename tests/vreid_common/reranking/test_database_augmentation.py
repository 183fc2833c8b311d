"""Database augmentation against a loop over images and neighbours."""

import numpy as np
import pytest
import torch

from vreid_common.reranking.database_augmentation import database_augmentation


def augmented(plain, gallery, k, alpha):
    gallery, cosines = plain.unit(gallery), plain.cosines(gallery, gallery)
    result = gallery.copy()
    for i, others in enumerate(plain.others(gallery, k - 1)):
        for j in others:
            result[i] += gallery[j] * max(cosines[i, j], 0) ** alpha
    return plain.unit(np.where(np.abs(result) < 1e-9, 0, result))


@pytest.mark.parametrize("k", [1, 2, 5, 1000])
@pytest.mark.parametrize("alpha", [0, 2])
def test_is_the_weighted_sum_of_itself_and_the_nearest(plain, pair, k, alpha):
    found = database_augmentation(pair[1], k, alpha)
    np.testing.assert_allclose(found, augmented(plain, pair[1], k, alpha), atol=3e-6)


def test_default_is_the_plain_mean():
    gallery = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    np.testing.assert_array_equal(database_augmentation(gallery, 3), database_augmentation(gallery, 3, 0))


def test_arrays(keeps_array_contract):
    gallery = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    keeps_array_contract(lambda features: database_augmentation(features, 4, 1.5), gallery)


def test_nothing_to_do():
    assert database_augmentation(torch.zeros(0, 4), 2).shape == (0, 4)


def test_wrong_parameters_are_named():
    with pytest.raises(ValueError, match="k is at least 1, got 0"):
        database_augmentation(torch.ones(2, 3), 0)
    with pytest.raises(ValueError, match="gallery features are"):
        database_augmentation(torch.ones(2), 1)
