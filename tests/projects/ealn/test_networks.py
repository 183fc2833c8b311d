"""Generators and discriminators: their layers and sizes, and images that they refuse."""

import pytest
import torch
from ealn import Generator, GeneratorSize, PatchDiscriminator, PatchDiscriminatorSize
from torch import nn

from vreid_common.errors import InputError


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


class TestGenerator:
    def test_feature_the_papers_layers(self):
        with torch.device("meta"):
            generator = Generator()
        convolutions = [m for m in generator.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        shapes = [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0]) for m in convolutions]
        middle = [(256, 256, 3, 1)] * 18
        assert shapes[:3] == [(3, 64, 7, 1), (64, 128, 3, 2), (128, 256, 3, 2)]
        assert shapes[3:-3] == middle
        assert shapes[-3:] == [(256, 128, 3, 2), (128, 64, 3, 2), (64, 3, 7, 1)]
        # CycleGAN's resnet_9blocks with instance normalisation and biases.
        assert count(generator) == 11_378_179

    @pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 20)])
    def test_cardinality(self, height, width):
        generator = Generator(GeneratorSize(4, 2, 1))
        images = generator(torch.rand(2, 3, height, width) * 2 - 1)
        assert images.shape == (2, 3, height, width)
        assert images.abs().max() <= 1

    def test_an_image_does_not_depend_on_the_others(self):
        generator = Generator(GeneratorSize(4, 1, 1))
        images = torch.rand(3, 3, 8, 8)
        torch.testing.assert_close(generator(images)[1:2], generator(images[1:2]))

    @pytest.mark.parametrize("side", [6, 4, 18])
    def test_exception_size(self, side):
        with pytest.raises(InputError, match=f"HALVINGS 2 cannot be applied to images of {side}x16"):
            GeneratorSize(4, 2, 1).check(side, 16)

    @pytest.mark.parametrize("size", [(0, 2, 1), (4, -1, 1), (4, 1, -1)])
    def test_exception_no_such_network(self, size):
        with pytest.raises(InputError, match="EALN.GENERATOR has WIDTH"):
            GeneratorSize(*size)


class TestPatchDiscriminator:
    def test_feature_a_patch_is_70_pixels_wide(self):
        discriminator = PatchDiscriminator(PatchDiscriminatorSize(2, 3))
        # Without normalisation, through which every pixel reaches every score.
        layers = nn.Sequential(*(m for m in discriminator.layers if not isinstance(m, nn.InstanceNorm2d)))
        images = torch.zeros(1, 3, 256, 256, requires_grad=True)
        layers(images)[0, 0, 15, 15].backward()
        seen = images.grad[0].abs().sum(0).nonzero()
        assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [70, 70]

    def test_feature_the_papers_layers(self):
        with torch.device("meta"):
            discriminator = PatchDiscriminator()
            assert discriminator(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)
        shapes = [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in discriminator.layers if isinstance(m, nn.Conv2d)]
        assert shapes == [(64, 4, 2), (128, 4, 2), (256, 4, 2), (512, 4, 1), (1, 4, 1)]

    @pytest.mark.parametrize(("layers", "side"), [(1, 6), (2, 12), (3, 24)])
    def test_the_least_size_works_and_less_is_refused(self, layers, side):
        size = PatchDiscriminatorSize(2, layers)
        size.check(side, side)
        assert PatchDiscriminator(size)(torch.rand(1, 3, side, side)).isfinite().all()
        with pytest.raises(InputError, match=f"LAYERS {layers} cannot be applied to images of {side}x{side - 1} pixels"):
            size.check(side, side - 1)

    def test_exception_no_such_network(self):
        with pytest.raises(InputError, match="EALN.DISCRIMINATOR has WIDTH 2 and LAYERS 0"):
            PatchDiscriminatorSize(2, 0)


def test_weights_are_drawn_as_cyclegan_draws_them():
    for network in (Generator(GeneratorSize(16, 2, 2)), PatchDiscriminator(PatchDiscriminatorSize(16, 3))):
        weights = torch.cat([p.flatten() for n, p in network.named_parameters() if n.endswith("weight")])
        assert weights.std().item() == pytest.approx(0.02, rel=0.05)
        assert all(not p.any() for n, p in network.named_parameters() if n.endswith("bias"))
