import pytest
import torch
from dex.partition import part_edges, partition


@pytest.mark.parametrize("length", range(1, 25))
@pytest.mark.parametrize("parts", range(1, 7))
def test_parts_cover_everything_in_order(length, parts):
    edges = part_edges(length, parts)
    assert len(edges) == parts
    assert all(0 <= start < stop <= length for start, stop in edges)
    sizes = [stop - start for start, stop in edges]
    assert max(sizes) - min(sizes) <= 1
    if length >= parts:  # mutually exclusive, and nothing is left out
        rows = [row for start, stop in edges for row in range(start, stop)]
        assert rows == list(range(length))
    else:  # each row is there
        assert {start for start, _ in edges} == set(range(length))


@pytest.mark.parametrize(
    ("length", "parts", "expected"),
    [(18, 3, [(0, 6), (6, 12), (12, 18)]), (4, 3, [(0, 1), (1, 2), (2, 4)]), (2, 3, [(0, 1), (0, 1), (1, 2)])],
)
def test_feature_of_known_sizes(length, parts, expected):
    assert part_edges(length, parts) == expected


@pytest.mark.parametrize(("axis", "dim"), [("channel", 1), ("height", 2), ("width", 3)])
def test_feature_cuts_its_axis_only(axis, dim):
    features = torch.rand(2, 6, 7, 5)
    found = partition(features, axis, [1, 2, 3])
    assert len(found) == 6
    assert torch.equal(found[0], features)
    assert torch.equal(torch.cat(found[1:3], dim), features)
    assert torch.equal(torch.cat(found[3:], dim), features)
    assert all(part.untyped_storage().data_ptr() == features.untyped_storage().data_ptr() for part in found)
