import math

import pytest
import torch
from wcvl.fusion import FUSIONS


def unit(x):
    norm = math.sqrt(sum(v * v for v in x))
    return [v / norm for v in x]


def mean(x, y):
    return [(a + b) / 2 for a, b in zip(x, y, strict=True)]


LOOPS = {
    "na": lambda g, c: mean(unit(g), unit(c)),
    "an": lambda g, c: unit(mean(g, c)),
    "nan": lambda g, c: unit(mean(unit(g), unit(c))),
}


@pytest.mark.parametrize("name", FUSIONS)
def test_feature_matches_a_plain_loop(name):
    x_g, x_cv = torch.randn(5, 7) * 10, torch.randn(5, 7)
    expected = torch.tensor([LOOPS[name](g, c) for g, c in zip(x_g.tolist(), x_cv.tolist(), strict=True)])
    torch.testing.assert_close(FUSIONS[name](x_g, x_cv), expected)


def test_feature_only_an_leans_to_the_longer_feature():
    x_g, x_cv = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert FUSIONS["na"](x_g, x_cv)[0].tolist() == pytest.approx([0.5, 0.5])
    assert FUSIONS["nan"](x_g, x_cv)[0].tolist() == pytest.approx([2**-0.5, 2**-0.5])
    leaning = FUSIONS["an"](x_g, x_cv)[0]
    assert leaning[0] > 0.99


@pytest.mark.parametrize("name", FUSIONS)
def test_feature_zero_and_opposite_features_stay_finite(name):
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert torch.isfinite(FUSIONS[name](x, -x)).all()
