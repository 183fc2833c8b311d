"""One training step against two plain Adam steps."""

import copy

import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.synthetic.translation import AdamSettings, DiscriminatorSize, LossWeights, TranslationStep, TranslatorSize
from vreid_common.synthetic.translation.losses import discriminator_loss, translator_losses
from vreid_common.synthetic.translation.step import as_network_input


def build(**options) -> TranslationStep:
    torch.manual_seed(0)
    return TranslationStep(
        TranslatorSize(4, 1, 2, 1), DiscriminatorSize(4, 2, 2), LossWeights(), AdamSettings(1e-3, 0.5), **options
    )


def images(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(0, 256, (2, 3, 16, 16), generator=generator, dtype=torch.uint8) for _ in range(2))


def test_pixels_become_minus_one_to_one():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8)
    torch.testing.assert_close(as_network_input(pixels), torch.tensor([-1.0, -0.6, 1.0]))


def test_a_step_is_adam_on_the_translator_and_then_on_the_discriminators():
    step = build()
    translator, discriminators = copy.deepcopy(step.translator), copy.deepcopy(step.discriminators)
    optimizers = [torch.optim.Adam(part.parameters(), 1e-3, (0.5, 0.999)) for part in (translator, discriminators)]
    for number in range(3):
        x1, x2 = images(number)
        torch.manual_seed(number)
        step.run(x1, x2)

        torch.manual_seed(number)
        real = x1 / 127.5 - 1, x2 / 127.5 - 1
        losses, fake = translator_losses(translator, discriminators, real, LossWeights())
        optimizers[0].zero_grad()
        sum(losses.values()).backward()
        optimizers[0].step()
        optimizers[1].zero_grad()  # of what the generator's loss left there
        for domain in range(2):
            scores = [discriminators[domain](x) for x in (real[domain], fake[domain].detach())]
            discriminator_loss(*scores).backward()
        optimizers[1].step()
    for ours, plain in ((step.translator, translator), (step.discriminators, discriminators)):
        for (name, a), b in zip(ours.named_parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4, msg=name)


def test_a_restored_step_goes_on_bit_by_bit():
    unbroken, first = build(), build()
    for number in range(4):
        torch.manual_seed(number)
        unbroken.run(*images(number))
    for number in range(2):
        torch.manual_seed(number)
        first.run(*images(number))
    torch.manual_seed(99)
    second = build()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for number in range(2, 4):
        torch.manual_seed(number)
        second.run(*images(number))
    for a, b in zip(unbroken.state_dict()["model"].values(), second.state_dict()["model"].values(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(unbroken.discriminators.parameters(), second.discriminators.parameters(), strict=True):
        assert torch.equal(a, b)


def test_losses_fall_in_mixed_precision_too():
    step = build(amp_dtype=torch.bfloat16)
    torch.manual_seed(0)
    losses = [step.run(*images(0)) for _ in range(30)]
    assert set(losses[0]) == {"gan", "kl", "reconstruction", "cycle_kl", "cycle", "discriminators"}
    assert losses[-1]["reconstruction"] < 0.95 * losses[0]["reconstruction"]
    assert not any(value.requires_grad for value in losses[0].values())


@pytest.mark.parametrize("settings", [(0.0, 0.5), (float("nan"), 0.5), (1e-4, 1.0), (1e-4, -0.1)])
def test_settings_of_no_optimizer(settings):
    with pytest.raises(InputError, match="Adam's learning rate is"):
        AdamSettings(*settings)
