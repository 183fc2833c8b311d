"""Ranking with tracklets against loops over tracks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vreid_common.reranking import tracklets as tracklets_module
from vreid_common.reranking.tracklets import TrackletDistanceRows, average_tracklets, pull_tracklets, tracklet_distance
from vreid_common.structures import DenseRows, DistanceRows


def images_of(tracks, image):
    return [image] if tracks[image] == -1 else [j for j, track in enumerate(tracks) if track == tracks[image]]


@pytest.fixture
def tracks() -> np.ndarray:
    return np.array([3, 3, -1, 7, 3, -1, 0, 7, 7, 7, 7, -1])


class TestAverageTracklets:
    @pytest.mark.parametrize("weight", [0, 0.3, 1])
    def test_is_the_mix_of_image_and_track(self, plain, pair, weight):
        gallery = plain.unit(pair[1])
        tracks = np.random.default_rng(0).integers(-1, 6, size=len(gallery))
        means = np.array([gallery[images_of(tracks, i)].mean(axis=0) for i in range(len(gallery))])
        means = plain.unit(np.where(np.abs(means) < 1e-9, 0, means))
        mixed = (1 - weight) * gallery + weight * means
        expected = plain.unit(np.where(np.abs(mixed) < 1e-9, 0, mixed))
        np.testing.assert_allclose(average_tracklets(pair[1], tracks, weight), expected, atol=2e-6)

    def test_by_default_a_track_has_one_feature(self, tracks):
        gallery = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
        found = average_tracklets(gallery, tracks)
        assert (found[tracks == 7] == found[3]).all()
        np.testing.assert_allclose(found[2], gallery[2] / np.linalg.norm(gallery[2]), rtol=1e-6)

    def test_arrays(self, keeps_array_contract, tracks):
        gallery = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
        keeps_array_contract(lambda features: average_tracklets(features, tracks, 0.6), gallery)

    @pytest.mark.parametrize(("weight", "copies"), [(1.0, 1), (0.5, 2)])
    def test_opposite_images_cancel_each_other(self, weight, copies):
        for image in torch.randn(50, 1, 32, generator=torch.Generator().manual_seed(0)):
            gallery = torch.cat((image, *[-3 * image] * copies))  # with two copies, their mean is the first one's opposite
            assert not average_tracklets(gallery, torch.zeros(1 + copies, dtype=torch.int64), weight)[0].any()

    def test_wrong_weight_is_named(self):
        with pytest.raises(ValueError, match=r"weight is in \[0, 1\], got 1.5"):
            average_tracklets(torch.ones(2, 3), torch.tensor([0, 0]), 1.5)


@pytest.mark.parametrize("reduce", ["mean", "min"])
class TestTrackletDistance:
    def test_all_images_of_a_track_have_its_distance(self, tracks, reduce):
        distance = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
        function = getattr(np, reduce)
        expected = [[function(row[images_of(tracks, j)]) for j in range(12)] for row in distance]
        found = tracklet_distance(distance, tracks, reduce)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert (found[:, tracks == 7] == found[:, 3:4]).all()
        np.testing.assert_array_equal(found[:, tracks == -1], distance[:, tracks == -1])

    def test_rows(self, tracks, reduce):
        distance = torch.randn(9, 12, generator=torch.Generator().manual_seed(0))
        rows = TrackletDistanceRows(DenseRows(distance), tracks, reduce)
        assert isinstance(rows, DistanceRows)
        assert rows.shape == (9, 12)
        assert torch.equal(rows.rows(2, 6), tracklet_distance(distance, tracks, reduce)[2:6])

    def test_arrays(self, keeps_array_contract, tracks, reduce):
        distance = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
        keeps_array_contract(lambda array: tracklet_distance(array, tracks, reduce), distance, keeps_double=True)

    @pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
    def test_nothing_to_do(self, shape, reduce):
        assert tracklet_distance(np.zeros(shape, np.float32), np.zeros(shape[1], np.int64), reduce).shape == shape


def test_tracklet_distance_names_wrong_input(tracks):
    with pytest.raises(ValueError, match="reduce is mean or min, got 'max'"):
        tracklet_distance(np.zeros((2, 12)), tracks, "max")
    with pytest.raises(ValueError, match=r"gallery_tracks are \(5,\) integers"):
        tracklet_distance(np.zeros((2, 5)), tracks)
    with pytest.raises(TypeError, match="distance is a"):
        tracklet_distance([[1.0]], np.array([0]))


def pulled(ranking, tracks, top_k):
    result = []
    for row in ranking:
        images, seen = [], set()
        for image in row:
            group = images_of(tracks, image) if image != -1 else []
            if group and group[0] not in seen:
                seen.add(group[0])
                images += group
        result.append((images + [-1] * top_k)[:top_k])
    return np.array(result).reshape(len(ranking), top_k)


class TestPullTracklets:
    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_walks_the_ranking(self, data):
        tracks = np.array(data.draw(st.lists(st.integers(-1, 5), min_size=1, max_size=25)))
        depth, top_k = data.draw(st.integers(0, 30)), data.draw(st.integers(1, 30))
        image = st.integers(-1, len(tracks) - 1)
        rows = data.draw(st.lists(st.lists(image, min_size=depth, max_size=depth), max_size=5))
        ranking = np.array(rows, np.int64).reshape(len(rows), depth)
        found = pull_tracklets(ranking, tracks, top_k)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, pulled(ranking, tracks, top_k))

    def test_example(self):
        tracks = torch.tensor([0, 1, 0, -1, 1, -1])
        ranking = torch.tensor([[3, 2, 0, 4], [5, 4, 3, 1]])
        found = pull_tracklets(ranking, tracks, 6)
        assert found.tolist() == [[3, 0, 2, 1, 4, -1], [5, 1, 4, 3, -1, -1]]

    def test_blocks_give_what_one_block_gives(self, monkeypatch, tracks):
        rng = np.random.default_rng(0)
        ranking = np.array([rng.permutation(12) for _ in range(40)])
        expected = pull_tracklets(ranking, tracks, 9)
        np.testing.assert_array_equal(expected, pulled(ranking, tracks, 9))
        monkeypatch.setattr(tracklets_module, "_BLOCK_BYTES", 5000)
        np.testing.assert_array_equal(pull_tracklets(ranking, tracks, 9), expected)

    def test_arrays(self, tracks):
        ranking = np.array([[11, 3, 0], [4, 5, 6]], np.int32)
        expected = pull_tracklets(ranking, tracks)
        assert expected.shape == (2, 100)
        backwards = np.asfortranarray(ranking)[:, ::-1]
        np.testing.assert_array_equal(pull_tracklets(backwards, tracks, 3), pulled(backwards, tracks, 3))
        found = pull_tracklets(torch.from_numpy(ranking), torch.from_numpy(tracks))
        assert isinstance(found, torch.Tensor)
        np.testing.assert_array_equal(found, expected)

    def test_wrong_input_is_named(self, tracks):
        with pytest.raises(ValueError, match="indices 0 to 12, the gallery 12 images"):
            pull_tracklets(np.array([[0, 12]]), tracks)
        with pytest.raises(ValueError, match=r"ranking is \(Q, K\) integers, got torch.float64"):
            pull_tracklets(np.array([[0.0]]), tracks)
        with pytest.raises(ValueError, match="top_k is at least 1"):
            pull_tracklets(np.array([[0]]), tracks, 0)
        with pytest.raises(TypeError, match="ranking is a Tensor or a NumPy array, got list"):
            pull_tracklets([[0]], tracks)
