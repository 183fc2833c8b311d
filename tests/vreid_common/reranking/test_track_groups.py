"""Grouping of images by track against a dict."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vreid_common.reranking.track_groups import TrackGroups


@given(st.lists(st.integers(-1, 6) | st.sampled_from([2**62, -(2**40)]), max_size=40))
def test_groups(ids):
    groups: dict[object, list[int]] = {}
    for image, track in enumerate(ids):
        groups.setdefault(("own", image) if track == -1 else track, []).append(image)
    found = TrackGroups.create(np.array(ids, np.int64), len(ids))
    assert len(found) == len(groups)
    assert found.images.tolist() == [image for images in groups.values() for image in images]
    assert found.sizes.tolist() == [len(images) for images in groups.values()]
    assert found.offsets.tolist() == np.cumsum([0, *found.sizes.tolist()])[:-1].tolist()
    number = {image: track for track, images in enumerate(groups.values()) for image in images}
    assert found.of_image.tolist() == [number[image] for image in range(len(ids))]


def test_wrong_labels_are_named():
    with pytest.raises(ValueError, match=r"gallery_tracks are \(3,\) integers, got torch.int64 \(2,\)"):
        TrackGroups.create(torch.tensor([1, 2]), 3)
