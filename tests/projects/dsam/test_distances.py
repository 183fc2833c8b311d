import math

import pytest
import torch
from dsam import class_distances


def loop_distances(features, pids):
    """All pairs, one after the other, in float64."""
    rows, pids = features.double().tolist(), pids.tolist()
    found = {True: ([], []), False: ([], [])}
    for i, x in enumerate(rows):
        for j, y in enumerate(rows):
            if i == j:
                continue
            squares, cosines = found[pids[i] == pids[j]]
            squares.append(math.dist(x, y) ** 2)
            lengths = math.dist(x, [0] * len(x)) * math.dist(y, [0] * len(y))
            cosines.append(sum(a * b for a, b in zip(x, y, strict=True)) / lengths if lengths else 0)
    return [
        *(math.sqrt(sum(found[kind][0]) / len(found[kind][0])) for kind in (True, False)),
        *(math.degrees(math.acos(sum(found[kind][1]) / len(found[kind][1]))) for kind in (True, False)),
    ]


@pytest.mark.parametrize("pids", [[0, 0, 1, 1], [7, 7, 7, 2, 2, 9], [3, 1, 3, 1, 3, 1, 1]])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_feature_matches_a_plain_loop(pids, offset):
    pids = torch.tensor(pids)
    features = torch.randn(len(pids), 5) + offset
    split = 2
    found = class_distances((features[:split], features[split:]), (pids[:split], pids[split:]))
    assert list(found) == pytest.approx(loop_distances(features, pids), rel=1e-6)


def test_feature_more_images_than_a_block(monkeypatch):
    features, pids = torch.randn(50, 3), torch.arange(50) % 7
    whole = class_distances([features], [pids])
    monkeypatch.setattr("dsam.distances._BLOCK", 8)
    assert list(class_distances([features], [pids])) == pytest.approx(list(whole))


def test_feature_duplicates_and_zero_vectors():
    found = class_distances([torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])], [torch.tensor([0, 0, 1, 1])])
    assert (found.intra, found.inter) == (0, 1)
    assert found.inter_angle == pytest.approx(90)


@pytest.mark.parametrize(("pids", "missing"), [([0, 1, 2], "intra"), ([4, 4, 4], "inter")])
def test_feature_no_such_pair_is_nan(pids, missing):
    found = class_distances([torch.randn(3, 2)], [torch.tensor(pids)])
    assert math.isnan(getattr(found, missing))
    assert math.isnan(getattr(found, f"{missing}_angle"))


@pytest.mark.parametrize(("images", "labels"), [(0, 0), (3, 2)])
def test_exception(images, labels):
    with pytest.raises(ValueError, match="class_distances needs images"):
        class_distances([torch.zeros(images, 2)], [torch.zeros(labels)])
