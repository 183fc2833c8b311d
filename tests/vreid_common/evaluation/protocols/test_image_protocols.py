"""What counts as a match under each protocol, on rankings small enough to do by hand, and against the plain evaluation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.evaluation import ImageToTrack, SameCameraExcluded, SameCameraKept, SameImageExcluded, tpr_at_fpr
from vreid_common.evaluation.tracks import TrackRows
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.structures import DenseRows, FeatureRows, FeatureSet, digest_images


def images(pids, camids=None, tracks=None, views=None, paths=None) -> FeatureSet:
    return FeatureSet.create(torch.zeros(len(pids), 1), pids, camids, tracks, views, paths)


def rows(*values) -> DenseRows:
    return DenseRows(np.array(values, np.float32))


def plain_map(plain, distance, query, gallery, same_camera="exclude", keep=None):
    """mAP by the plain evaluation; ``keep`` (Q, G) says which images of the identity are no junk."""
    values = []
    for i, row in enumerate(distance):
        chosen = np.ones(len(gallery), bool) if keep is None else keep[i] | (gallery.pids != query.pids[i]).numpy()
        labels = (
            query.pids.numpy()[[i]],
            gallery.pids.numpy()[chosen],
            query.camids.numpy()[[i]],
            gallery.camids.numpy()[chosen],
        )
        values.append(plain(row[chosen][None], *labels, same_camera, None, "all")[0][0])
    return np.nanmean(values)


def test_they_are_registered():
    for protocol in (SameCameraExcluded, SameCameraKept, SameImageExcluded, ImageToTrack):
        assert PROTOCOL_REGISTRY.get(protocol.__name__) is protocol
        assert protocol.title
        assert protocol.description


class TestImageToImage:
    @pytest.mark.parametrize(("protocol", "same_camera"), [(SameCameraExcluded, "exclude"), (SameCameraKept, "keep")])
    def test_values(self, sets, plain, protocol, same_camera):
        query, gallery = sets
        distance = FeatureRows(query.features, gallery.features)
        found = protocol(fprs=(0.01,))(query, gallery, distance)
        dense = distance.rows(0, len(query)).numpy()
        cross = (query.view_ids[:, None] != gallery.view_ids).numpy()
        known = ((query.view_ids[:, None] >= 0) & (gallery.view_ids >= 0)).numpy()
        assert found.metrics["mAP"] == pytest.approx(plain_map(plain, dense, query, gallery, same_camera))
        for name, keep in (("same view", ~cross & known), ("cross view", cross & known)):
            assert found.metrics[f"mAP ({name})"] == pytest.approx(plain_map(plain, dense, query, gallery, same_camera, keep))
        labels = query.pids, gallery.pids, query.camids, gallery.camids
        assert found.metrics["TPR@FPR=1e-02"] == tpr_at_fpr(distance, *labels, fprs=(0.01,), same_camera=same_camera)[0]
        assert found.metrics["metric"] == (found.metrics["mAP"] + found.metrics["Rank-1"]) / 2
        assert list(found.metrics)[:6] == ["mAP", "Rank-1", "Rank-5", "Rank-10", "mINP", "metric"]
        assert found.num_gallery == len(gallery)

    def test_the_same_camera_is_junk_only_when_excluded(self):
        query, gallery = images([0], [1]), images([0, 5, 0], [1, 1, 2])
        distance = rows([0.1, 0.2, 0.3])
        assert SameCameraExcluded()(query, gallery, distance).metrics["mAP"] == 0.5
        assert SameCameraKept()(query, gallery, distance).metrics["mAP"] == pytest.approx((1 + 2 / 3) / 2)

    def test_view_metrics_keep_other_identities_of_every_view(self):
        query, gallery = images([0], [0], views=[0]), images([5, 0, 0], [1, 1, 1], views=[1, 0, 1])
        metrics = SameCameraExcluded()(query, gallery, rows([0.1, 0.2, 0.3])).metrics
        assert metrics["mAP (same view)"] == 0.5
        assert metrics["mAP (cross view)"] == 0.5

    def test_no_view_metrics_without_views_or_when_not_wanted(self, sets):
        query, gallery = sets
        distance = FeatureRows(query.features, gallery.features)
        bare = [FeatureSet.create(s.features, s.pids, s.camids) for s in sets]
        assert not any("view" in name for name in SameCameraExcluded()(*bare, distance).metrics)
        assert not any("view" in name for name in SameCameraExcluded(views=False)(query, gallery, distance).metrics)

    def test_a_short_curve_shows_only_its_ranks(self, sets):
        query, gallery = sets
        found = SameCameraExcluded(max_rank=5)(query, gallery, FeatureRows(query.features, gallery.features))
        assert "Rank-10" not in found.metrics
        assert found.ranking.cmc.shape == (5,)

    def test_no_match_at_all(self):
        with pytest.raises(InputError, match=r"None of the 1 queries has a match .*TEST\.PROTOCOL"):
            SameCameraExcluded()(images([0], [1]), images([0], [1]), rows([0.5]))

    def test_queries_without_identity_have_no_match_and_are_reported(self):
        """With -1 for all, every image would match every query."""
        protocol = SameCameraKept()
        found = protocol(images([0, -1]), images([0, -1]), rows([0.2, 0.1], [0.2, 0.1]))
        assert (found.metrics["mAP"], found.unknown_queries, found.distractors) == (0.5, 1, 1)
        assert "2 queries, 1 of them left out for want of a match (1 are of unknown vehicle); gallery of 2, 1 of them " in (
            protocol.summary(found, "cosine", "no re-ranking")
        )
        with pytest.raises(InputError, match=r"None of the 2 queries has an identity .* TEST\.PROTOCOL AICitySubmission"):
            protocol(images([-1, -1]), images([0, -1]), rows([0.1, 0.2], [0.1, 0.2]))
        with pytest.raises(InputError, match=r"1 of 2 queries are of unknown vehicle"):
            SameCameraKept(fprs=(0.1,))(images([0, -1]), images([0, -1]), rows([0.1, 0.2], [0.1, 0.2]))

    def test_gallery_images_without_identity_are_distractors(self):
        assert SameCameraKept()(images([0]), images([-1, 0]), rows([0.1, 0.2])).metrics["mAP"] == 0.5

    @pytest.mark.parametrize("normalizer", ["all", "min", "hits"])
    def test_the_first_ranks_only(self, sets, plain, normalizer):
        query, gallery = sets
        distance = FeatureRows(query.features, gallery.features)
        protocol = SameCameraExcluded(top_k=5, normalizer=normalizer)
        found = protocol(query, gallery, distance)
        labels = query.pids.numpy(), gallery.pids.numpy(), query.camids.numpy(), gallery.camids.numpy()
        ap = plain(distance.rows(0, len(query)).numpy(), *labels, "exclude", 5, normalizer)[0]
        assert found.metrics["mAP@5"] == pytest.approx(np.nanmean(ap))
        assert "mAP" not in found.metrics
        said = {"all": "all matches", "min": "min(matches, 5)", "hits": "the matches found"}[normalizer]
        assert f"over the first 5 ranks, divided by {said}." in protocol.summary(found, "cosine", "no re-ranking")


class TestSameImageExcluded:
    """PKU-VD: the queries are test images, and the lists of the gallery may name them."""

    def test_the_query_is_not_in_its_own_gallery_but_in_that_of_others(self):
        query = images([0, 0], paths=["a", "b"])
        gallery = images([0, 0, 1, 0], paths=["a", "b", "c", "d"])
        found = SameImageExcluded()(query, gallery, rows([0, 0.3, 0.2, 0.1], [0.1, 0, 0.2, 0.3]))
        # d, c, b for the first query; a, c, d for the second.
        assert found.metrics["mAP"] == pytest.approx((1 + 2 / 3) / 2)
        assert found.metrics["Rank-1"] == 1

    def test_against_a_plain_loop(self, sets, plain):
        query, gallery = sets
        pool = FeatureSet.create(
            torch.cat([query.features, gallery.features]),
            torch.cat([query.pids, gallery.pids]),
            paths=query.paths + gallery.paths,
        )
        distance = FeatureRows(query.features, pool.features)
        keep = np.array([[ours != theirs for theirs in pool.paths] for ours in query.paths])
        expected = plain_map(plain, distance.rows(0, len(query)).numpy(), query, pool, "keep", keep)
        assert SameImageExcluded()(query, pool, distance).metrics["mAP"] == pytest.approx(expected)

    def test_where_the_lists_leave_the_query_out_nothing_is_junk(self, sets):
        query, gallery = sets
        distance = FeatureRows(query.features, gallery.features)
        found = [protocol(views=False)(query, gallery, distance).metrics for protocol in (SameImageExcluded, SameCameraKept)]
        assert found[0] == found[1]

    def test_images_without_a_path(self):
        with pytest.raises(InputError, match="the gallery image in row 1 has no path"):
            SameImageExcluded()(images([0], paths=["a"]), images([0, 0], paths=["b", ""]), rows([0.1, 0.2]))


class TestImageToTrack:
    def test_a_track_is_as_far_as_its_nearest_image(self):
        query = images([0], [0])
        gallery = images([0, 1, 0, 1, 0], [1, 1, 1, 1, 2], tracks=[7, 3, 7, 3, 9])
        found = ImageToTrack()(query, gallery, rows([0.5, 0.4, 0.2, 0.3, 0.9]))
        # Track 7 (vehicle 0) at 0.2, track 3 (vehicle 1) at 0.3, track 9 (vehicle 0) at 0.9.
        assert found.metrics["mAP"] == pytest.approx((1 + 2 / 3) / 2)
        assert found.num_gallery == 3

    def test_tracks_of_the_query_s_camera_are_junk(self):
        gallery = images([0, 1, 0], [0, 1, 1], tracks=[1, 2, 3])
        assert ImageToTrack()(images([0], [0]), gallery, rows([0.1, 0.2, 0.3])).metrics["mAP"] == 0.5

    def test_a_track_of_two_views_has_no_view(self):
        gallery = images([0, 0, 0, 1], [1, 1, 2, 1], tracks=[1, 1, 2, 3], views=[0, 1, 1, 0])
        metrics = ImageToTrack()(images([0], [0], views=[0]), gallery, rows([0.1, 0.1, 0.2, 0.15])).metrics
        assert metrics["mAP (cross view)"] == 0.5
        assert "mAP (same view)" not in metrics

    def test_gallery_without_tracks(self):
        gallery = FeatureSet.create(torch.zeros(2, 1), [0, 0], [1, 1], [4, -1], paths=["a.jpg", "b.jpg"])
        with pytest.raises(InputError, match=r"1 of 2 have none, the first being b\.jpg"):
            ImageToTrack()(images([0], [0]), gallery, rows([0.1, 0.2]))

    @pytest.mark.parametrize(("pids", "camids", "name"), [([0, 1], [1, 1], "pids"), ([0, 0], [1, 2], "camids")])
    def test_track_of_two_vehicles_or_cameras(self, pids, camids, name):
        with pytest.raises(InputError, match=f"Track 4 .* more than one value of {name}"):
            ImageToTrack()(images([0], [0]), images(pids, camids, [4, 4]), rows([0.1, 0.2]))

    def test_rows(self):
        distance = rows([3, 1, 2], [6, 5, 4], [0, 8, 9])
        tracks = TrackRows(distance, np.array([1, 0, 1]), 2)
        assert tracks.shape == (3, 2)
        assert tracks.rows(0, 3).tolist() == [[1, 2], [5, 4], [8, 0]]
        assert distance.rows(0, 1).tolist() == [[3, 1, 2]]


@pytest.fixture
def files(tmp_path):
    """Three pictures; the last is a copy of the first."""
    for name, content in (("a", "one"), ("b", "two"), ("copy", "one")):
        (tmp_path / name).write_text(content)
    return [str(tmp_path / name) for name in ("a", "b", "copy")]


@pytest.mark.parametrize("protocol", [SameCameraExcluded, SameCameraKept, SameImageExcluded, ImageToTrack])
@pytest.mark.parametrize("digests", [False, True])
class TestOwnPicture:
    """It is at distance 0, so that Rank-1 would be 100 % whatever the features are."""

    def sets(self, files, digests):
        a, b, copy = files
        query = images([1], paths=[a])
        gallery = images([1, 1, 2, 1], tracks=[0, 1, 2, 3], paths=[a, copy, b, b])
        if digests:
            query, gallery = (replace(side, image_digests=digest_images(side.paths)) for side in (query, gallery))
            query, gallery = (replace(side, paths=tuple("gone" + path for path in side.paths)) for side in (query, gallery))
        return query, gallery

    def test_is_never_a_match(self, files, protocol, digests):
        query, gallery = self.sets(files, digests)
        found = protocol()(query, gallery, rows([0.0, 0.0, 0.2, 0.3]))
        assert (found.metrics["mAP"], found.metrics["Rank-1"], found.own_pictures, found.compared) == (0.5, 0.0, 2, True)
        said = protocol().summary(found, "cosine", "no re-ranking")
        assert "Left out of the rankings: 2 gallery images that are the query's own picture, the same file or a copy" in said

    def test_beside_its_track_s_other_images(self, files, protocol, digests):
        query, gallery = self.sets(files, digests)
        gallery = replace(gallery, track_ids=torch.tensor([0, 0, 1, 0]))
        found = protocol()(query, gallery, rows([0.0, 0.0, 0.2, 0.3]))
        assert found.metrics["mAP"] == 0.5


def test_whether_pictures_could_be_compared_is_said():
    found = SameCameraKept()(images([1]), images([1, 2]), rows([0.2, 0.1]))
    assert (found.compared, found.own_pictures) == (False, 0)
    assert "pictures is not known" in SameCameraKept().summary(found, "cosine", "no re-ranking")


def test_all_rules_of_a_protocol_leave_it_out(files):
    query, gallery = images([1], paths=files[:1]), images([1, 1], paths=files[1:])
    rule = SameCameraKept().match_rule(query, gallery)
    assert rule(np.array([0, 0]), np.array([0, 1])).tolist() == [True, False]
