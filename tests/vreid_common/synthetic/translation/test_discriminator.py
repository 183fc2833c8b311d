"""The discriminators: scales, patches, and sentences."""

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.synthetic.translation import DiscriminatorSize, MultiScaleDiscriminator


def halved(image: np.ndarray) -> np.ndarray:
    """Plain version: every second pixel as the mean of its 3×3 surroundings inside the image."""
    rows = []
    for y in range(0, image.shape[0], 2):
        row = [image[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean() for x in range(0, image.shape[1], 2)]
        rows.append(row)
    return np.array(rows, dtype=np.float32)


def test_every_scale_sees_half_the_size():
    torch.manual_seed(0)
    network = MultiScaleDiscriminator(DiscriminatorSize(width=2, layers=2, scales=3))
    images = torch.rand(2, 3, 32, 24)
    scores = network(images)
    assert [tuple(score.shape) for score in scores] == [(2, 1, 8, 6), (2, 1, 4, 3), (2, 1, 2, 1)]
    for number, patches in enumerate(network.scales):
        torch.testing.assert_close(scores[number], patches(images))
        images = torch.from_numpy(np.array([[halved(channel) for channel in image] for image in images.numpy()]))


def test_channels_double_up_to_eight_times():
    network = MultiScaleDiscriminator(DiscriminatorSize(width=2, layers=6, scales=1))
    channels = [layer.out_channels for layer in network.scales[0] if isinstance(layer, torch.nn.Conv2d)]
    assert channels == [2, 4, 8, 16, 16, 16, 1]


def test_images_that_are_too_small():
    network = MultiScaleDiscriminator(DiscriminatorSize(width=2, layers=3, scales=2))
    assert len(network(torch.zeros(1, 3, 16, 16))) == 2
    with pytest.raises(InputError, match="Images of 16x15 pixels are too small .* at least 16"):
        network(torch.zeros(1, 3, 16, 15))


@pytest.mark.parametrize("key", ["width", "layers", "scales"])
def test_networks_that_cannot_be_built(key):
    with pytest.raises(InputError, match="The discriminators' width is"):
        DiscriminatorSize(**{key: 0})
