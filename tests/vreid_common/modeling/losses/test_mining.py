import pytest
import torch

from vreid_common.modeling import batch_hard


def loop_hard(features, targets):
    """Farthest positive and nearest negative of every sample, None where there is none."""
    rows = features.double().tolist()
    labels = targets.tolist()

    def distance(i, j):
        return sum((a - b) ** 2 for a, b in zip(rows[i], rows[j], strict=True)) ** 0.5

    pairs = []
    for i, label in enumerate(labels):
        positive = [j for j, other in enumerate(labels) if other == label and j != i]
        negative = [j for j, other in enumerate(labels) if other != label]
        pairs.append(
            (
                max(positive, key=lambda j: distance(i, j), default=None),
                min(negative, key=lambda j: distance(i, j), default=None),
            )
        )
    return pairs


@pytest.mark.parametrize(
    "targets",
    [
        [0, 0, 0, 0, 1, 1, 1, 1],
        [3, 1, 3, 2, 1, 3, 9, 1],  # unequal counts, singletons, shuffled
        [5, 5, 5],  # no negative
        [0, 1, 2],  # no positive
        [7],
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_feature_matches_a_plain_loop(targets, dtype):
    targets = torch.tensor(targets)
    features = torch.randn(len(targets), 16).to(dtype)
    pairs = batch_hard(features, targets)
    for i, (positive, negative) in enumerate(loop_hard(features, targets)):
        assert pairs.has_positive[i].item() == (positive is not None)
        assert pairs.has_negative[i].item() == (negative is not None)
        assert positive is None or pairs.positive[i].item() == positive
        assert negative is None or pairs.negative[i].item() == negative


def test_feature_duplicates_are_positives_at_distance_zero():
    pairs = batch_hard(torch.ones(4, 3), torch.tensor([0, 0, 1, 1]))
    assert pairs.positive.tolist() == [1, 0, 3, 2]  # never the sample itself
    assert pairs.negative.tolist() == [2, 2, 0, 0]  # ties: the lowest index


def test_smoke_is_out_of_autograd():
    features = torch.randn(4, 3, requires_grad=True)
    assert not any(tensor.requires_grad for tensor in batch_hard(features, torch.tensor([0, 0, 1, 1])))
