import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from wcvl import csc
from wcvl.csc import class_separability


def explicit(features, pids):
    """Eq. 6 with the D x D matrices written out."""
    x = features.double()
    mu_0 = x.mean(0)
    s_b = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    s_w = torch.zeros_like(s_b)
    for pid in pids.unique():
        own = x[pids == pid]
        probability = len(own) / len(x)
        mu = own.mean(0)
        s_b += probability * torch.outer(mu - mu_0, mu - mu_0)
        s_w += probability * sum(torch.outer(row - mu, row - mu) for row in own) / len(own)
    return s_b.trace().item(), s_w.trace().item()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 4), min_size=1, max_size=20), st.integers(1, 6), st.integers(0, 2**16))
def test_feature_matches_the_explicit_matrices(pids, dims, seed):
    pids = torch.tensor(pids)
    features = torch.randn(len(pids), dims, generator=torch.Generator().manual_seed(seed))
    between, within = class_separability([features], [pids])
    expected = explicit(features, pids)
    assert between == pytest.approx(expected[0], rel=1e-9, abs=1e-12)
    assert within == pytest.approx(expected[1], rel=1e-9, abs=1e-12)


def test_feature_sets_are_judged_together_and_in_blocks(monkeypatch):
    features, pids = torch.randn(50, 8), torch.arange(50) % 7
    whole = class_separability([features], [pids])
    monkeypatch.setattr(csc, "_BLOCK", 4)
    parts = class_separability([features[:9], features[9:]], [pids[:9], pids[9:]])
    assert parts == pytest.approx(whole)
    assert parts.csc == pytest.approx(whole.between / whole.within)


def test_feature_traces_add_up_to_the_total_scatter():
    features, pids = torch.nn.functional.normalize(torch.randn(40, 6)), torch.arange(40) % 5
    between, within = class_separability([features], [pids])
    total = 1 - features.double().mean(0).square().sum().item()  # of unit vectors: at most 1, as in Table VII
    assert between + within == pytest.approx(total)


def test_feature_a_large_offset_does_not_cancel():
    pids = torch.arange(60) % 3
    features = torch.randn(60, 4)
    near, far = (class_separability([features + offset], [pids]) for offset in (0, 1000))
    assert far == pytest.approx(near, rel=1e-3)  # what float32 inputs keep of it


def test_feature_one_point_an_identity_is_infinitely_separable():
    features = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert class_separability([features], [torch.tensor([0, 0, 1])]).csc == float("inf")


def test_exception():
    with pytest.raises(ValueError, match="at least one image"):
        class_separability([torch.zeros(0, 3)], [torch.zeros(0)])
    with pytest.raises(ValueError, match="2 features and 3 identities"):
        class_separability([torch.zeros(2, 3)], [torch.zeros(3)])
