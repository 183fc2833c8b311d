"""Queries whose first match is decided by the gallery's order are counted, and the evaluation says so."""

import numpy as np
import pytest
import torch

from vreid_common.evaluation.protocols import apply_protocol
from vreid_common.evaluation.rules import any_image, other_camera
from vreid_common.evaluation.ties import count_tied_queries
from vreid_common.registry import PROTOCOL_REGISTRY
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.structures import DenseRows, FeatureSet


def plainly(distance, query_pids, gallery_pids, is_match):
    tied = 0
    for query, row in enumerate(distance):
        own = gallery_pids == query_pids[query]
        matches = [g for g in np.flatnonzero(own) if is_match(np.array([query]), np.array([g]))[0]]
        tied += bool(matches) and row[matches].min() in row[~own]
    return tied


@pytest.mark.parametrize("queries", [1, 7, 400])
@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_as_a_plain_loop(queries, levels):
    rng = np.random.default_rng(queries)
    distance = rng.integers(0, levels, (queries, 40)).astype(np.float32)
    query_pids, gallery_pids = rng.integers(0, 15, queries), rng.integers(0, 15, 40)
    query_cams, gallery_cams = rng.integers(0, 3, queries), rng.integers(0, 3, 40)
    for rule in (any_image, other_camera(query_cams, gallery_cams)):
        expected = plainly(distance, query_pids, gallery_pids, rule)
        assert count_tied_queries(DenseRows(torch.from_numpy(distance)), query_pids, gallery_pids, rule) == expected


def evaluate(features):
    pids = torch.arange(12) % 6
    query, gallery = (FeatureSet.create(features, pids) for _ in range(2))
    protocol = PROTOCOL_REGISTRY.get("SameCameraExcluded")()
    found = apply_protocol(protocol, Pipeline(metric="cosine"), query, gallery)
    return found, protocol.summary(found, "cosine", "no re-ranking")


def test_features_that_are_all_alike_are_said():
    found, summary = evaluate(torch.ones(12, 4))
    assert found.num_tied == 12
    assert "WARNING: for 12 queries an image of another vehicle is exactly as near as the first match;" in summary


def test_features_that_differ_are_not():
    found, summary = evaluate(torch.randn(12, 4, generator=torch.Generator().manual_seed(0)))
    assert found.num_tied == 0
    assert "WARNING" not in summary


def test_reranking_of_data_with_one_match_a_query_is_warned_of():
    features = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    protocol = PROTOCOL_REGISTRY.get("SameCameraExcluded")()
    steps = build_pipeline(["k_reciprocal"], "cosine", {"k_reciprocal": {"k1": 4, "k2": 2}})
    for each, warned in ((1, True), (3, False)):
        query, gallery = FeatureSet.create(features, torch.arange(30)), FeatureSet.create(features, torch.arange(30) // each)
        found = apply_protocol(protocol, steps, query, gallery)
        assert ("Nearly every query has one match only." in protocol.summary(found, "cosine", str(steps))) == warned
        assert "one match" not in protocol.summary(found, "cosine", str(Pipeline()))
