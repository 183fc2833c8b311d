"""Parity: the worst of all images and features, and NaN is no parity."""

import numpy as np
import pytest
import torch
from torch import nn

from vreid_common.export import TOLERANCE, measure_parity, model_features


def test_feature_the_worst_image_of_the_worst_feature():
    rng = np.random.default_rng(0)
    expected = {name: rng.normal(size=(6, 4)) * scale for name, scale in (("large", 1000), ("small", 0.001))}
    found = {name: feature + rng.normal(size=(6, 4)) * np.abs(feature).mean() * 0.01 for name, feature in expected.items()}
    worst, least = 0.0, 1.0
    for name in expected:
        for a, b in zip(found[name], expected[name], strict=True):
            worst = max(worst, np.linalg.norm(a - b) / np.linalg.norm(b))
            least = min(least, a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    parity = measure_parity(*({name: torch.from_numpy(part[name]) for name in part} for part in (found, expected)))
    assert (parity.images, parity.difference, parity.cosine) == (6, pytest.approx(worst), pytest.approx(least))


def test_feature_nan_and_zero_vectors_are_no_parity():
    one = {"x": torch.ones(1, 3)}
    for other in (torch.full((1, 3), torch.nan), torch.zeros(1, 3)):
        assert not measure_parity({"x": other}, one).difference <= TOLERANCE
    assert not measure_parity(one, {"x": torch.zeros(1, 3)}).difference <= TOLERANCE
    assert measure_parity(one, one).difference == 0


def test_feature_features_of_batches_and_mirror_images():
    class Corner(nn.Module):
        def forward(self, batch):
            return batch["images"][:, :, 0, 0].half()

    images = torch.arange(2 * 3 * 2 * 2, dtype=torch.uint8).view(2, 3, 2, 2)
    plain = model_features(Corner(), images.split(1), flip=False)
    assert plain["features"].tolist() == images[:, :, 0, 0].tolist()
    mirrored = model_features(Corner(), [images], flip=True)
    assert mirrored["features"].tolist() == (images[:, :, 0].float().mean(dim=2)).tolist()
    assert mirrored["features"].dtype == torch.float32
