"""Distances and shares of the belt against loops over pairs."""

import math

import pytest
import torch
from ealn import distances
from ealn.distances import belt_shares, real_distances
from torch.nn.functional import normalize


@pytest.fixture(params=[4, 1024], ids=["many blocks", "one block"])
def block(request, monkeypatch):
    monkeypatch.setattr(distances, "_BLOCK", request.param)


def example(identities):
    features = normalize(torch.randn(len(identities), 5, generator=torch.Generator().manual_seed(0)), dim=1)
    features[1] = features[0]  # duplicates
    return features, torch.tensor(identities)


def plain(features, pids):
    rows = features.double().tolist()

    def d(i, j):
        return sum((a - b) ** 2 for a, b in zip(rows[i], rows[j], strict=True))

    return {
        i: {
            True: [d(i, j) for j in range(len(rows)) if j != i and pids[j] == pids[i]],
            False: [d(i, j) for j in range(len(rows)) if pids[j] != pids[i]],
        }
        for i in range(len(rows))
    }


IDENTITIES = [[0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4], [0, 0, 1], [5, 5, 5, 5, 5, 5]]


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("identities", IDENTITIES)
def test_means(identities):
    features, pids = example(identities)
    found = real_distances(features, pids)
    for i, of in plain(features, pids).items():
        for same, value in ((True, found.positive[i].item()), (False, found.negative[i].item())):
            if of[same]:
                assert value == pytest.approx(sum(of[same]) / len(of[same]), abs=1e-5)
            else:
                assert math.isnan(value)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(("beta1", "beta2"), [(0.6, 0.0), (0.6, 0.3), (2.5, 0.0), (0.0, 0.0)])
def test_shares(beta1, beta2):
    features, pids = example(IDENTITIES[0])
    generated = torch.linspace(0, 3, len(pids))
    inside = pairs = of_generated = 0
    for i, of in plain(features, pids).items():
        upper = sum(of[False]) / len(of[False]) - beta2
        inside += sum(beta1 <= distance <= upper for distance in of[False])
        pairs += len(of[False])
        of_generated += beta1 <= generated[i] <= upper
    found = belt_shares(features, pids, generated, beta1, beta2)
    assert found.generated == pytest.approx(of_generated / len(pids))
    assert found.real == pytest.approx(inside / pairs)
