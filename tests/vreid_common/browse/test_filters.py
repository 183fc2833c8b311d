"""Parts of a gallery, against a loop over its images."""

import itertools

import pytest
import torch

from vreid_common.browse import Choices, Filter
from vreid_common.structures import FeatureSet


def expected(images: FeatureSet, cameras, views, since, until) -> list[int]:
    kept = []
    for row in range(len(images)):
        camera, view, time = (int(getattr(images, name)[row]) for name in ("camids", "view_ids", "timestamps"))
        fits = (not cameras or camera in cameras) and (not views or view in views)
        if since is not None or until is not None:
            fits = fits and time >= 0 and (since is None or time >= since) and (until is None or time <= until)
        if fits:
            kept.append(row)
    return kept


@pytest.mark.parametrize(
    ("cameras", "views", "since", "until"),
    list(itertools.product([(), (1,), (-1, 2), (9,)], [(), (0, 2), (-1,)], [None, 150], [None, 300, 0])),
)
def test_rows(sets, cameras, views, since, until):
    _, gallery = sets
    found = Filter(frozenset(cameras), frozenset(views), since, until).rows(gallery)
    assert found.dtype == torch.int64
    assert found.tolist() == expected(gallery, cameras, views, since, until)


def test_choices(sets):
    _, gallery = sets
    assert Choices.of(gallery) == Choices((-1, 0, 1, 2), (-1, 0, 1, 2), (110, 490))


def test_nothing_to_choose_where_all_images_are_alike():
    assert Choices.of(FeatureSet.create(torch.eye(3), [0, 1, 2])) == Choices((), (), None)
    one = FeatureSet.create(torch.eye(3), [0, 1, 2], [4, 4, 4], timestamps=[-1, 8, 8])
    assert Choices.of(one) == Choices((), (), None)
