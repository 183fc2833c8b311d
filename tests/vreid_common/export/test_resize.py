"""Resizing in a graph against Pillow itself."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.export import Dim
from torchvision.transforms.functional import pil_to_tensor

from vreid_common.export import resize_like_pillow


def pillow(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Along rows, then along columns, in two calls: in one Pillow may choose the other order."""
    height, width = size
    resized = []
    for image in images:
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        along_rows = picture.resize((width, picture.height), Image.Resampling.BICUBIC)
        resized.append(pil_to_tensor(along_rows.resize((width, height), Image.Resampling.BICUBIC)))
    return torch.stack(resized)


def noise(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=generator)


SIZES = [(64, 64), (63, 65), (300, 211), (64, 200), (17, 40), (1, 1), (2, 90), (640, 480)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("target", [(64, 64), (48, 96)], ids=str)
def test_feature_it_is_pillow_to_one_grey_value(size, target):
    images = noise(*size)
    found, expected = resize_like_pillow(images.float(), target), pillow(images, target).float()
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1
    assert (found != expected).float().mean() < 0.02
    assert torch.equal(found, found.round())


def test_feature_an_image_of_the_wanted_size_stays_what_it_is():
    images = noise(64, 48)
    assert torch.equal(resize_like_pillow(images.float(), (64, 48)), images.float())


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 48)], ids=str)
def test_feature_photographs_in_one_call_of_pillow(size, photos):
    for path in sorted((photos / "images").iterdir())[::200]:
        picture = Image.open(path).convert("RGB")
        expected = pil_to_tensor(picture.resize(size[::-1], Image.Resampling.BICUBIC)).float()
        difference = (resize_like_pillow(pil_to_tensor(picture)[None].float(), size)[0] - expected).abs()
        assert difference.mean() < 0.3
        assert difference.max() <= 5


def test_feature_half_black_half_white_keeps_its_range():
    image = torch.zeros(1, 3, 40, 40)
    image[..., 20:] = 255
    found = resize_like_pillow(image, (17, 23))
    assert (found.min(), found.max()) == (0, 255)


def test_feature_one_graph_for_all_sizes():
    class Resize(torch.nn.Module):
        def forward(self, images):
            return resize_like_pillow(images, (24, 32))

    sides = {2: Dim("height", min=2, max=4000), 3: Dim("width", min=2, max=4000)}
    graph = torch.export.export(Resize(), (torch.zeros(1, 3, 24, 32),), dynamic_shapes={"images": sides}).module()
    for size in ((300, 211), (10, 9), (24, 32)):
        images = noise(*size)[:1].float()
        np.testing.assert_array_equal(graph(images), resize_like_pillow(images, (24, 32)))
