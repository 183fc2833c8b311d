"""Grad-CAM of a similarity: against the formula written out for networks whose gradient is known."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from vreid_common.errors import InputError
from vreid_common.report.activation import similarity_maps


class Pooled(nn.Module):
    """Two convolutions, the mean over positions, a linear layer and a BNNeck: f = (W mean(A) - m) / s."""

    def __init__(self, *, inplace: bool = False, neck: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2)
        self.last = nn.Sequential(nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(6, 5, bias=False)
        self.neck = nn.BatchNorm1d(5) if neck else nn.Identity()
        if neck:
            self.neck.running_mean.normal_()
            self.neck.running_var.uniform_(0.01, 2)

    def forward(self, batch):
        return self.neck(self.linear(self.pool(self.last(self.first(batch["images"].float() / 255))).flatten(1)))


class TwoBranches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = Pooled(), Pooled()

    def forward(self, batch):
        return {"near": self.near(batch), "far": self.far(batch)}


@pytest.fixture
def images():
    return torch.randint(0, 256, (4, 3, 16, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def expected(model, images):
    """f is the mean over positions of (W A - m) / s, so a position's share of f · g / n is that of its own (W A - m) / s."""
    with torch.no_grad():
        activation = model.eval().last(model.first(images.float() / 255)).double().numpy()
    weight, shift = model.linear.weight.detach().double().numpy(), np.zeros(5)
    if isinstance(model.neck, nn.BatchNorm1d):
        deviation = np.sqrt(model.neck.running_var.double().numpy() + model.neck.eps)
        weight, shift = weight / deviation[:, None], -model.neck.running_mean.double().numpy() / deviation
    features = activation.mean(axis=(2, 3)) @ weight.T + shift
    maps = []
    for i, own in enumerate(features):
        other = features[i ^ 1]
        lengths = np.linalg.norm(own) * np.linalg.norm(other)
        placed = np.tensordot(weight, activation[i], 1) + shift[:, None, None]
        values = np.tensordot(other, placed, 1) / lengths / activation[i, 0].size
        np.testing.assert_allclose(values.sum(), own @ other / lengths)
        maps.append(np.maximum(values, 0))
    maps = interpolate(torch.from_numpy(np.stack(maps))[:, None], images.shape[-2:], mode="bilinear")[:, 0].numpy()
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-30)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("neck", [False, True])
def test_against_the_formula(images, inplace, neck):
    torch.manual_seed(1)
    model = Pooled(inplace=inplace, neck=neck)
    found = similarity_maps(model, {"images": images})
    assert list(found) == ["main"]
    assert found["main"].shape == (4, 16, 20)
    assert found["main"].dtype == torch.float32
    np.testing.assert_allclose(found["main"].numpy(), expected(model, images), atol=1e-4)


def test_each_named_feature_has_the_map_of_its_own_branch(images):
    torch.manual_seed(2)
    model = TwoBranches()
    found = similarity_maps(model, {"images": images})
    np.testing.assert_allclose(found["near"].numpy(), expected(model.near, images), atol=1e-4)
    np.testing.assert_allclose(found["far"].numpy(), expected(model.far, images), atol=1e-4)


def test_pairs_know_nothing_of_each_other(images):
    torch.manual_seed(3)
    model = Pooled()
    both = similarity_maps(model, {"images": images})["main"]
    second = similarity_maps(model, {"images": images[2:]})["main"]
    torch.testing.assert_close(both[2:], second, atol=1e-4, rtol=0)


def test_nothing_of_the_model_or_the_batch_is_changed(images):
    model = Pooled().requires_grad_(False).train()
    model.last.eval()
    before, batch = {name: value.clone() for name, value in model.state_dict().items()}, {"images": images.clone()}
    with torch.no_grad():
        found = similarity_maps(model, batch)
    assert found["main"].amax() == 1
    assert torch.equal(batch["images"], images)
    assert model.training
    assert not model.last.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_images_that_are_the_same_have_a_map(images):
    images[1] = images[0]
    torch.manual_seed(4)
    found = similarity_maps(Pooled(), {"images": images})["main"]
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=0)  # rows of a product may round differently
    assert found.amax(dim=(1, 2)).tolist() == [1, 1, 1, 1]


def test_features_that_are_opposite_or_zero_have_an_empty_map(images):
    torch.manual_seed(5)
    model = Pooled()
    nn.init.eye_(model.linear.weight)
    forward = model.forward
    signs = torch.tensor([[1.0], [-1.0], [1.0], [0.0]])
    model.forward = lambda batch: signs * forward(batch)
    assert not similarity_maps(model, {"images": images})["main"].any()


def test_exception_a_model_without_feature_maps(images):
    class Flat(nn.Module):
        def forward(self, batch):
            return batch["images"].float().flatten(1)

    with pytest.raises(InputError, match="'main' does not come from a feature map"):
        similarity_maps(Flat(), {"images": images})


def test_exception_a_feature_that_gradients_do_not_reach(images):
    class Cut(Pooled):
        def forward(self, batch):
            return super().forward(batch).detach()

    with pytest.raises(InputError, match="does not come from a feature map"):
        similarity_maps(Cut(), {"images": images})
