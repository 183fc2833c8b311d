"""The translator: sizes, shared layers, and sentences."""

import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.synthetic.translation import SOURCE, TARGET, Translator, TranslatorSize

SMALL = TranslatorSize(width=4, halvings=2, blocks=3, shared_blocks=2)


@pytest.fixture
def translator() -> Translator:
    torch.manual_seed(0)
    return Translator(SMALL)


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (2, 3, 40, 72), (3, 3, 36, 20), (1, 3, 100, 52)])
def test_cardinality(translator, shape):
    images = torch.rand(shape) * 2 - 1
    codes = translator.encode(images, SOURCE)
    assert codes.shape == (shape[0], 16, shape[2] // 4, shape[3] // 4)
    translated = translator(images)
    assert translated.shape == shape
    assert translated.abs().max() <= 1
    assert torch.equal(translated, translator.decode(codes, TARGET))


@pytest.mark.parametrize(
    ("height", "width"), [(33, 48), (48, 33), (47, 47), (4, 48)], ids=lambda side: str(side)
)  # 4 leaves one place, whose instance statistics say nothing
def test_sizes_that_do_not_fit_are_refused(translator, height, width):
    with pytest.raises(InputError, match=f"Images of {height}x{width} pixels .* multiples of 4, and at least 8"):
        translator(torch.zeros(1, 3, height, width))


@pytest.mark.parametrize(
    "size", [{"width": 0}, {"halvings": -1}, {"blocks": 0}, {"shared_blocks": 0}, {"blocks": 2, "shared_blocks": 3}]
)
def test_networks_that_cannot_be_built(size):
    with pytest.raises(InputError, match="The translator's width is"):
        TranslatorSize(**size)


def test_the_last_encoder_and_first_decoder_layers_are_shared(translator):
    """A gradient of one domain's loss reaches the shared layers, and no layer of the other domain's own."""
    images = torch.rand(1, 3, 16, 16)
    translator.decode(translator.encode(images, SOURCE), SOURCE).sum().backward()
    reached = {name for name, parameter in translator.named_parameters() if parameter.grad is not None}
    groups = {name: name.split(".")[0] + "." + name.split(".")[1] for name, _ in translator.named_parameters()}
    own_of_target = {name for name, group in groups.items() if group in ("encoders.1", "decoders.1")}
    assert own_of_target
    assert reached == set(groups) - own_of_target

    # The other domain passes through the same tensors, at the latent end.
    before = translator.encode(images, TARGET), translator.decode(torch.ones(1, 16, 4, 4), TARGET)
    with torch.no_grad():
        translator.shared_encoder[-1].branch[3].weight += torch.randn_like(translator.shared_encoder[-1].branch[3].weight)
        translator.shared_decoder[0].branch[3].weight += torch.randn_like(translator.shared_decoder[0].branch[3].weight)
    assert not torch.allclose(before[0], translator.encode(images, TARGET))
    assert not torch.allclose(before[1], translator.decode(torch.ones(1, 16, 4, 4), TARGET))
    assert len(translator.shared_encoder) == len(translator.shared_decoder) == SMALL.shared_blocks


def test_every_shared_block_counts_once():
    """The parameters of k shared blocks are there once, of the others twice."""
    block = 2 * (16 * 16 * 9 + 16)
    counts = [sum(p.numel() for p in Translator(TranslatorSize(4, 2, 3, shared)).parameters()) for shared in (1, 2, 3)]
    assert [counts[0] - counts[1], counts[1] - counts[2]] == [2 * block, 2 * block]


def test_all_blocks_may_be_shared():
    translator = Translator(TranslatorSize(4, 0, 2, 2))
    assert translator(torch.zeros(1, 3, 7, 5)).shape == (1, 3, 7, 5)


def test_directions_differ(translator):
    images = torch.rand(1, 3, 16, 16)
    assert not torch.allclose(translator(images), translator(images, TARGET, SOURCE))
    assert torch.equal(translator(images), translator(images))
