"""A batch that is normalised by its own statistics, against NumPy, and what it leaves behind."""

import copy

import numpy as np
import pytest
import torch
from ealn.batch_statistics import own_statistics
from torch import nn


@pytest.fixture
def network():
    layers = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.9))
    nn.init.uniform_(layers[0].running_mean, 1, 2)
    return layers


def test_a_batch_is_normalised_by_its_own_statistics(network):
    x = torch.randn(4, 3, 5, 5) * 7 + 2
    with own_statistics(network):
        found = network(x)
    values = x.double().numpy()
    mean, variance = values.mean((0, 2, 3), keepdims=True), values.var((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(found.detach().numpy(), (values - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("raised", [False, True])
def test_feature_everything_is_as_before_afterwards(network, raised):
    before = copy.deepcopy(network.state_dict())
    try:
        with own_statistics(network):
            network(torch.randn(4, 3, 5, 5))
            if raised:
                raise KeyError
    except KeyError:
        pass
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    network(torch.randn(4, 3, 5, 5))
    assert not torch.equal(network[0].running_mean, before["0.running_mean"])


def test_a_frozen_layer_keeps_to_its_running_statistics(network):
    network[0].eval()
    x = torch.randn(4, 3, 5, 5)
    with own_statistics(network):
        torch.testing.assert_close(network(x), network[0](x))
    assert not network[0].training
