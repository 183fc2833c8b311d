"""The domain classifier on images whose domains are known to differ, or not to."""

import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.synthetic.translation import measure_domain_gap


def noise(count: int, seed: int, low: int = 0, high: int = 256) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)


def test_domains_that_differ_and_a_perfect_translation():
    real, synthetic = noise(60, 0, 100), noise(80, 1, 0, 156)
    gap = measure_domain_gap(real, synthetic, noise(80, 2, 100), steps=60)
    assert gap.auc > 0.99
    assert gap.accuracy > 0.95
    assert 0.3 < gap.translated_auc < 0.7
    assert 0.3 < gap.translated_accuracy < 0.7
    assert 0.25 < gap.retrained_auc < 0.75


def test_a_translation_that_only_deceives_a_classifier_is_found_out():
    """Translations as bright as real images, but for one colour, which made no difference before."""
    real, synthetic, translated = noise(60, 0, 100), noise(80, 1, 0, 156), noise(80, 2, 100)
    translated[:, 0] = translated[:, 0].clamp(max=160)
    gap = measure_domain_gap(real, synthetic, translated, steps=80)
    assert gap.retrained_auc > 0.95
    assert gap.retrained_auc > gap.translated_auc


def test_no_translation_changes_nothing():
    real, synthetic = noise(40, 0, 30), noise(40, 1)
    gap = measure_domain_gap(real, synthetic, synthetic.clone(), steps=20)
    assert (gap.auc, gap.accuracy) == (gap.translated_auc, gap.translated_accuracy)


def test_one_domain_is_not_told_apart():
    """What was learnt by heart from the training half does not count."""
    gap = measure_domain_gap(noise(60, 0), noise(60, 1), noise(60, 2), steps=60)
    assert 0.25 < gap.auc < 0.75


def test_the_seed_decides_and_the_caller_s_generator_is_left_alone():
    images = noise(40, 0, 20), noise(40, 1), noise(40, 2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = measure_domain_gap(*images, steps=5)
    assert torch.equal(torch.rand(3), expected)
    assert measure_domain_gap(*images, steps=5) == first


@pytest.mark.parametrize(("counts", "message"), [((1, 4, 4), "1 real, 4 synthetic"), ((4, 4, 3), "4 synthetic and 3")])
def test_numbers_that_cannot_be(counts, message):
    with pytest.raises(InputError, match=message):
        measure_domain_gap(*(noise(count, 0) for count in counts))


def test_sizes_that_differ():
    with pytest.raises(InputError, match="differ in size"):
        measure_domain_gap(noise(4, 0), noise(4, 1), noise(4, 2)[..., :8])
