"""VehicleID's two protocols against plain loops over plainly drawn images, and what the draws depend on."""

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.evaluation import OneGalleryImage, OneQueryImage, apply_protocol
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.structures import FeatureSet

PROTOCOLS = (OneGalleryImage, OneQueryImage)
NONE = FeatureSet.create(torch.empty(0, 3), [])


def images(pids, seed=0, views=None, prefix="") -> FeatureSet:
    """Noisy images of each identity, which have a path and a random camera."""
    rng = np.random.default_rng(seed)
    features = np.random.default_rng(9).normal(size=(1000, 3))[np.array(pids)] + rng.normal(size=(len(pids), 3))
    paths = [f"{prefix}{i}" for i in range(len(pids))]
    return FeatureSet.create(features, pids, rng.integers(0, 2, len(pids)), None, views, paths)


def joined(query: FeatureSet, gallery: FeatureSet) -> FeatureSet:
    return FeatureSet.create(
        torch.cat([query.features, gallery.features]),
        torch.cat([query.pids, gallery.pids]),
        torch.cat([query.camids, gallery.camids]),
        None,
        torch.cat([query.view_ids, gallery.view_ids]),
        query.paths + gallery.paths,
    )


def plain_draw(plain, pool, queries, gallery, keep=None):
    """(mAP, Rank-1, mINP) of one draw, without cameras."""
    features, pids = torch.nn.functional.normalize(pool.features).double().numpy(), pool.pids.numpy()
    distance = 1 - features[queries] @ features[gallery].T
    unknown = np.full(len(pids), -1)
    ap, inp, first, _ = plain(distance, pids[queries], pids[gallery], unknown[queries], unknown[gallery], "keep", None, "all")
    return np.nanmean(ap), np.mean(first[first >= 0] == 0), np.nanmean(inp)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("pids", [[0, 0, 1, 1, 1, 2] * 3, [7, 5, 5, 5, 900, 3, 3, 7], [4, 4, 8]])
class TestValues:
    def test_means_and_deviations(self, plain, protocol, pids):
        """Whichever images the data set calls queries. 900 and 8 have one image."""
        query, gallery = images(pids, 0, prefix="q"), images([1, 4, 0, 7], 1, prefix="g")
        pool = joined(query, gallery)
        drawing = protocol(num_draws=7, seed=3)
        draws = drawing.draws(query, gallery)
        found = apply_protocol(drawing, Pipeline(), query, gallery)
        values = np.array([plain_draw(plain, pool, draw.query, draw.gallery) for draw in draws])
        for name, column in zip(("mAP", "Rank-1", "mINP"), values.T, strict=True):
            assert found.metrics[name] == pytest.approx(column.mean())
        assert found.metrics["mAP (std)"] == pytest.approx(np.std(values[:, 0], ddof=1))
        assert found.metrics["Rank-1 (std)"] == pytest.approx(np.std(values[:, 1], ddof=1))
        assert found.metrics["metric"] == pytest.approx((found.metrics["mAP"] + found.metrics["Rank-1"]) / 2)
        assert found.ranking.mAP == found.metrics["mAP"]
        assert found.ranking.cmc[0] == found.metrics["Rank-1"]
        assert found.num_draws == 7

    def test_one_image_of_each_identity(self, protocol, pids):
        query, gallery = images(pids, 0, prefix="q"), images([1, 4, 0, 7], 1, prefix="g")
        pool = joined(query, gallery)
        for draw in protocol().draws(query, gallery):
            one, others = (draw.gallery, draw.query) if protocol is OneGalleryImage else (draw.query, draw.gallery)
            assert sorted(pool.pids[one].tolist()) == sorted(set(pool.pids.tolist()))
            assert sorted([*one, *others]) == list(range(len(pool)))
            for indices, drawn in zip((draw.query, draw.gallery), draw.of(query, gallery), strict=True):
                assert drawn.paths == tuple(pool.paths[i] for i in indices)
                for name in ("features", "pids", "camids", "view_ids"):
                    assert torch.equal(getattr(drawn, name), getattr(pool, name)[torch.from_numpy(indices)])


@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestDraws:
    def test_depend_on_the_seed_alone(self, protocol):
        query, gallery = images([0, 1, 2] * 9, prefix="q"), images([0, 1] * 9, 1, prefix="g")
        first, again = (protocol(seed=5).draws(query, gallery) for _ in range(2))
        assert all(np.array_equal(one.query, other.query) for one, other in zip(first, again, strict=True))
        fewer = protocol(seed=5, num_draws=3).draws(query, gallery)
        assert all(np.array_equal(one.query, other.query) for one, other in zip(first[:3], fewer, strict=True))
        other_seed = protocol(seed=6).draws(query, gallery)
        assert not all(np.array_equal(one.query, other.query) for one, other in zip(first, other_seed, strict=True))
        assert len({tuple(draw.query) for draw in first}) == len(first) == 10

    def test_every_image_has_its_turn(self, protocol):
        seen = {i for draw in protocol(num_draws=200).draws(images([3] * 5 + [1] * 4), NONE) for i in (draw.query)}
        assert seen == set(range(9))

    def test_one_draw_has_no_deviation(self, protocol):
        found = apply_protocol(protocol(num_draws=1), Pipeline(), images([0, 0, 1, 1]), NONE)
        assert not any("std" in name for name in found.metrics)
        assert found.num_draws == 1

    def test_each_draw_is_re_ranked_on_its_own(self, plain, protocol):
        query, gallery = images([0, 1, 2] * 4, prefix="q"), images([0, 1, 2] * 4, 1, prefix="g")
        pipeline = build_pipeline([{"k_reciprocal": {"k1": 4, "k2": 2}}])
        drawing = protocol(num_draws=3)
        values = []
        for draw in drawing.draws(query, gallery):
            pair = draw.of(query, gallery)
            distance = pipeline(*pair).distance.rows(0, len(pair[0])).numpy()
            unknown = [np.full(len(part), -1) for part in pair]
            values.append(np.nanmean(plain(distance, *(p.pids.numpy() for p in pair), *unknown, "keep", None, "all")[0]))
        assert apply_protocol(drawing, pipeline, query, gallery).metrics["mAP"] == pytest.approx(np.mean(values))

    def test_a_view_that_some_draw_lacks_has_no_mean(self, protocol):
        """Matches in the query's own view are there only in draws of the two images of view 0."""
        pool = images([0, 0, 0, 1, 1], views=[0, 0, 1, -1, -1])
        found = apply_protocol(protocol(num_draws=20), Pipeline(), pool, NONE)
        assert "mAP" in found.metrics
        assert "mAP (same view)" not in found.metrics

    def test_the_summary_says_how_often_was_drawn(self, protocol):
        drawing = protocol(num_draws=4, seed=2)
        found = apply_protocol(drawing, Pipeline(), images([0, 0, 1, 2, 2]), NONE)
        summary = drawing.summary(found, "cosine", "no re-ranking")
        assert "Means of 4 draws (seed 2) with their standard deviations." in summary
        queries, left_out, size = ("2", "0", "3") if protocol is OneGalleryImage else ("3", "1", "2")
        assert f"{queries} queries, {left_out} of them left out for want of a match; gallery of {size}." in summary

    @pytest.mark.parametrize(
        ("query", "gallery", "message"),
        [
            (images([0, 1, 2]), NONE, "every one of the 3 test images is the only one of its identity"),
            (FeatureSet.create(torch.zeros(3, 3), [0, -1, 0], paths=["a", "b", "c"]), NONE, "b has no identity"),
            (images([0, 1]), images([0, 1]), "0 is both a query and a gallery image"),
        ],
    )
    def test_refused(self, protocol, query, gallery, message):
        with pytest.raises(InputError, match=message):
            protocol().draws(query, gallery)


def test_further_features_are_drawn_with_the_images():
    """Distances minus those of other features: equal to the distances themselves where the other features are all alike."""
    query, gallery = images([0, 1, 2] * 4, prefix="q"), images([0, 1, 2] * 4, 1, prefix="g")
    alike = [FeatureSet.create(torch.ones(len(part), 2), part.pids) for part in (query, gallery)]
    pipeline = build_pipeline(["fuse_distances"], "euclidean")
    found = apply_protocol(OneGalleryImage(), pipeline, query, gallery, {"orientation": tuple(alike)})
    assert found.metrics == pytest.approx(apply_protocol(OneGalleryImage(), Pipeline((), "euclidean"), query, gallery).metrics)
