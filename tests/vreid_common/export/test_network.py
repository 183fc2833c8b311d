"""What goes into a graph: preprocessing and the mean with the mirror image, against the same by hand."""

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from vreid_common.errors import InputError
from vreid_common.export import DeployedNetwork


@torch.no_grad()
def test_feature_images_are_normalised_once(baseline, images):
    expected = baseline({"images": images})
    (found,) = DeployedNetwork(baseline)(images)
    assert torch.equal(found, expected)
    normalised = (images.float() - baseline.pixel_mean) / baseline.pixel_std
    (found,) = DeployedNetwork(baseline, "none")(normalised)
    torch.testing.assert_close(found, expected)
    assert torch.equal(baseline({"images": images}), expected)  # the model itself still normalises


@torch.no_grad()
@pytest.mark.parametrize("crop", [None, (24, 20)])
def test_feature_resized_and_cropped(baseline, images, crop):
    (found,) = DeployedNetwork(baseline, "resize", (28, 36), crop)(images)
    resized = [to_pil_image(image).resize((36, 28), Image.Resampling.BICUBIC) for image in images]
    prepared = torch.stack([pil_to_tensor(image) for image in resized])
    if crop:
        prepared = prepared[..., 2:26, 8:28]
    torch.testing.assert_close(found, baseline({"images": prepared}), atol=0.02, rtol=0.02)


@torch.no_grad()
def test_feature_the_mean_with_the_mirror_image(baseline, images):
    (found,) = DeployedNetwork(baseline, flip=True)(images)
    expected = (baseline({"images": images}) + baseline({"images": images.flip(3)})) / 2
    assert torch.equal(found, expected)


def test_feature_several_features_keep_their_order():
    class Two(nn.Module):
        def forward(self, batch):
            means = batch["images"].half().mean(dim=(2, 3))
            return {"second": means, "first": -means}

    second, first = DeployedNetwork(Two(), flip=True)(torch.full((2, 3, 4, 4), 7, dtype=torch.uint8))
    assert (second.dtype, first.dtype) == (torch.float32, torch.float32)
    assert second.tolist() == [[7, 7, 7]] * 2
    assert torch.equal(first, -second)


def test_exception(baseline):
    with pytest.raises(InputError, match="The preprocessing is 'half': use one of none, normalize, resize."):
        DeployedNetwork(baseline, "half")
    with pytest.raises(InputError, match="Linear has no pixel_mean and pixel_std to leave out"):
        DeployedNetwork(nn.Linear(2, 2), "none")
