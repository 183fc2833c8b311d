import pytest
import torch
from ealn.partners import draw_partners, pick_partners


@pytest.mark.parametrize("targets", [[0, 0, 1, 1], [0, 1, 2], [5, 5, 5], [7], [3, 3, 3, 1, 1, 0]])
def test_partners_are_what_their_names_say(targets):
    targets = torch.tensor(targets)
    partners = draw_partners(targets)
    for i, own in enumerate(targets.tolist()):
        others = [t for j, t in enumerate(targets.tolist()) if j != i]
        assert partners.has_positive[i] == (own in others)
        assert partners.has_negative[i] == any(t != own for t in others)
        if partners.has_positive[i]:
            assert partners.positive[i] != i
            assert targets[partners.positive[i]] == own
        if partners.has_negative[i]:
            assert targets[partners.negative[i]] != own


def test_every_candidate_is_drawn_as_often():
    targets = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    drawn = [draw_partners(targets) for _ in range(3000)]
    positives = torch.bincount(torch.stack([p.positive[0] for p in drawn]), minlength=7)
    negatives = torch.bincount(torch.stack([p.negative[0] for p in drawn]), minlength=7)
    assert positives.nonzero().flatten().tolist() == [1, 2, 3]
    assert negatives.nonzero().flatten().tolist() == [4, 5, 6]
    assert (positives[1:4] / 3000 - 1 / 3).abs().max() < 0.05
    assert (negatives[4:7] / 3000 - 1 / 3).abs().max() < 0.05


def test_the_largest_noise_wins():
    noise = torch.zeros(2, 3, 3)
    noise[0, 0, 2], noise[1, 2, 1] = 0.5, 0.5
    partners = pick_partners(torch.tensor([0, 1, 0]), noise)
    assert partners.positive[0] == 2
    assert partners.negative[2] == 1
    assert partners.has_positive.tolist() == [True, False, True]
