"""DEx's query expansion against its definition: rank tracks, put their images in their place, add up the first k."""

import numpy as np
import pytest
import torch

from vreid_common.reranking import dual_embedding
from vreid_common.reranking.dual_embedding import dual_embedding_expansion
from vreid_common.reranking.query_expansion import alpha_query_expansion


def expanded(plain, query, gallery, tracks, k, alpha):
    query, gallery, cosines = plain.unit(query), plain.unit(gallery), plain.cosines(query, gallery)
    groups = {}
    for image, track in enumerate(tracks):
        groups.setdefault(("own", image) if track == -1 else track, []).append(image)
    groups = list(groups.values())
    means = np.array([gallery[images].mean(axis=0) for images in groups])
    to_tracks = plain.cosines(query, np.where(np.abs(means) < 1e-9, 0, means))
    result = query.copy()
    for i in range(len(query)):
        ranking = []
        for track in plain.ranked(to_tracks[i]):
            images = np.array(groups[track])
            ranking += images[plain.ranked(cosines[i, images])].tolist()
        for j in ranking[:k]:
            result[i] += gallery[j] * max(cosines[i, j], 0) ** alpha
    return plain.unit(np.where(np.abs(result) < 1e-9, 0, result))


def draw_tracks(size):
    """Tracks of unequal size, out of order, some unknown."""
    rng = np.random.default_rng(size)
    tracks = np.minimum(rng.geometric(0.2, size=size), 12) * 5
    tracks[rng.uniform(size=size) < 0.2] = -1
    return tracks


@pytest.mark.parametrize("k", [1, 4, 13, 1000])
@pytest.mark.parametrize("alpha", [0, 2])
def test_is_the_weighted_sum_of_the_first_images_of_the_nearest_tracks(plain, pair, k, alpha):
    query, gallery = pair
    tracks = draw_tracks(len(gallery))
    found = dual_embedding_expansion(query, gallery, tracks, k, alpha)
    np.testing.assert_allclose(found, expanded(plain, query, gallery, tracks, k, alpha), atol=2e-6)


def test_blocks_of_queries_give_what_one_block_gives(monkeypatch):
    rng = np.random.default_rng(0)
    query, gallery, tracks = rng.normal(size=(17, 6)), rng.normal(size=(50, 6)), draw_tracks(50)
    expected = dual_embedding_expansion(query, gallery, tracks, 7, 2)
    monkeypatch.setattr(dual_embedding, "_BLOCK_BYTES", 5000)
    np.testing.assert_allclose(dual_embedding_expansion(query, gallery, tracks, 7, 2), expected, atol=1e-6)


def test_without_tracks_it_is_alpha_query_expansion():
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(5, 6)).astype(np.float32), rng.normal(size=(40, 6)).astype(np.float32)
    expected = alpha_query_expansion(query, gallery, 6, 2)
    for tracks in (np.full(40, -1), np.arange(40) * 3):
        np.testing.assert_allclose(dual_embedding_expansion(query, gallery, tracks, 6, 2), expected, atol=1e-6)


def test_a_track_goes_in_as_a_whole():
    query, gallery = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.9, 0.5], [1.0, 0.1], [0.95, 0.6]])
    # The mean of images 0 and 1 is nearer than image 2, so image 0 goes before it.
    found = dual_embedding_expansion(query, gallery, torch.tensor([4, 4, 9]), 2, 0)
    unit = torch.nn.functional.normalize
    torch.testing.assert_close(found, unit(query + unit(gallery[:1]) + unit(gallery[1:2])))


def test_arrays(keeps_array_contract):
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(5, 8)).astype(np.float32), rng.normal(size=(30, 8)).astype(np.float32)
    tracks = draw_tracks(30)
    keeps_array_contract(lambda query, gallery: dual_embedding_expansion(query, gallery, tracks, 6, 2.0), *arrays)


def test_nothing_to_do():
    none = torch.zeros(0, dtype=torch.int64)
    assert dual_embedding_expansion(torch.zeros(0, 2), torch.ones(3, 2), torch.arange(3), 2, 1).shape == (0, 2)
    without_gallery = dual_embedding_expansion(torch.tensor([[3.0, 4.0]]), torch.zeros(0, 2), none, 2, 1)
    torch.testing.assert_close(without_gallery, torch.tensor([[0.6, 0.8]]))


def test_wrong_input_is_named():
    query, gallery = torch.ones(2, 3), torch.ones(4, 3)
    with pytest.raises(ValueError, match=r"gallery_tracks are \(4,\) integers"):
        dual_embedding_expansion(query, gallery, torch.zeros(3, dtype=torch.int64), 2, 2)
    with pytest.raises(ValueError, match="k is at least 1"):
        dual_embedding_expansion(query, gallery, torch.zeros(4, dtype=torch.int64), 0, 2)
    with pytest.raises(ValueError, match="alpha is a finite number"):
        dual_embedding_expansion(query, gallery, torch.zeros(4, dtype=torch.int64), 2, -2)
