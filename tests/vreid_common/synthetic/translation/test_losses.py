"""UNIT's objective against plain NumPy, term by term."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vreid_common.errors import InputError
from vreid_common.synthetic.translation import (
    SOURCE,
    TARGET,
    DiscriminatorSize,
    LossWeights,
    MultiScaleDiscriminator,
    Translator,
    TranslatorSize,
)
from vreid_common.synthetic.translation.losses import discriminator_loss, gan_loss, gaussian_kl, translator_losses


@pytest.mark.parametrize("mean", [torch.randn(2, 3, 4, 5), torch.zeros(1, 1, 1, 1), torch.full((1, 2, 1, 1), 30.0)])
def test_divergence(mean):
    expected = kl_divergence(Normal(mean, 1.0), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(gaussian_kl(mean), expected)


def test_adversarial_losses_of_several_scales():
    random = np.random.default_rng(0)
    real = [random.normal(size=(2, 1, 4, 4)).astype(np.float32), random.normal(size=(2, 1, 2, 1)).astype(np.float32)]
    fake = [random.normal(size=scores.shape).astype(np.float32) for scores in real]
    generator = sum(((scores - 1) ** 2).mean() for scores in fake)
    discriminator = sum(((r - 1) ** 2).mean() + (f**2).mean() for r, f in zip(real, fake, strict=True))
    tensors = [list(map(torch.from_numpy, scores)) for scores in (real, fake)]
    assert gan_loss(tensors[1]).item() == pytest.approx(generator, rel=1e-5)
    assert discriminator_loss(*tensors).item() == pytest.approx(discriminator, rel=1e-5)


@pytest.fixture
def networks() -> tuple[Translator, torch.nn.ModuleList]:
    torch.manual_seed(1)
    size = DiscriminatorSize(width=2, layers=2, scales=2)
    return Translator(TranslatorSize(4, 1, 2, 1)), torch.nn.ModuleList(MultiScaleDiscriminator(size) for _ in range(2))


def plain_terms(translator, discriminators, x1, x2, weights) -> dict[str, float]:
    """Eq. 2, 3, 5 and 7 in NumPy; the networks and the noise are torch's."""

    def encode(x, domain):
        return translator.encode(torch.from_numpy(x), domain).numpy()

    def decode(z, domain):
        return translator.decode(torch.from_numpy(z), domain).numpy()

    def noisy(mean):
        return mean + torch.randn(mean.shape).numpy()

    def kl(mean):
        return 0.5 * float(np.mean(mean.astype(np.float64) ** 2))

    def l1(a, b):
        return float(np.mean(np.abs(a - b)))

    def fooled(images, domain):
        scores = discriminators[domain](torch.from_numpy(images))
        return sum(float(np.mean((s.numpy() - 1) ** 2)) for s in scores)

    mu1, mu2 = encode(x1, SOURCE), encode(x2, TARGET)
    z1, z2 = noisy(mu1), noisy(mu2)
    x11, x22, x12, x21 = decode(z1, SOURCE), decode(z2, TARGET), decode(z1, TARGET), decode(z2, SOURCE)
    mu12, mu21 = encode(x12, TARGET), encode(x21, SOURCE)
    z12, z21 = noisy(mu12), noisy(mu21)
    x121, x212 = decode(z12, SOURCE), decode(z21, TARGET)
    return {
        "gan": weights.lambda0 * (fooled(x21, SOURCE) + fooled(x12, TARGET)),
        "kl": weights.lambda1 * (kl(mu1) + kl(mu2)),
        "reconstruction": weights.lambda2 * (l1(x11, x1) + l1(x22, x2)),
        "cycle_kl": weights.lambda3 * (kl(mu1) + kl(mu12) + kl(mu2) + kl(mu21)),
        "cycle": weights.lambda4 * (l1(x121, x1) + l1(x212, x2)),
    }


@pytest.mark.parametrize("weights", [LossWeights(), LossWeights(3.0, 5.0, 7.0, 11.0, 13.0), LossWeights(0, 0, 0, 0, 0)])
def test_all_terms(networks, weights):
    images = [torch.rand(2, 3, 16, 16) * 2 - 1 for _ in range(2)]
    before = [image.clone() for image in images]
    with torch.no_grad():
        torch.manual_seed(2)
        losses, translated = translator_losses(*networks, images, weights)
        torch.manual_seed(2)
        expected = plain_terms(*networks, *(image.numpy() for image in images), weights)
    assert {name: value.item() for name, value in losses.items()} == pytest.approx(expected, rel=1e-4, abs=1e-7)
    assert all(torch.equal(a, b) for a, b in zip(images, before, strict=True))
    assert [tuple(image.shape) for image in translated] == [(2, 3, 16, 16)] * 2


def test_translated_images_go_to_the_discriminator_of_their_domain(networks):
    """The first is what G_1 made of x_2, for D_1; the second what G_2 made of x_1, for D_2."""
    translator, discriminators = networks
    images = [torch.rand(1, 3, 16, 16) for _ in range(2)]
    with torch.no_grad():
        torch.manual_seed(3)
        _, translated = translator_losses(translator, discriminators, images, LossWeights())
        torch.manual_seed(3)
        codes = [mean + torch.randn_like(mean) for mean in (translator.encode(images[0], 0), translator.encode(images[1], 1))]
        expected = translator.decode(codes[1], 0), translator.decode(codes[0], 1)
    for ours, theirs in zip(translated, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_weights_that_cannot_be(value):
    with pytest.raises(InputError, match="lambda3 is .*: a weight is 0 or more"):
        LossWeights(lambda3=value)
