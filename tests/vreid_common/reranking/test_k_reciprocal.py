import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vreid_common.reranking import reciprocal_on_device, reciprocal_on_host
from vreid_common.reranking.k_reciprocal import k_reciprocal, k_reciprocal_rows
from vreid_common.reranking.panels import FeatureUnion
from vreid_common.reranking.reciprocal_on_device import DeviceRows
from vreid_common.structures import DistanceRows


def plain(query, gallery, k1, k2, lambda_value):
    """Zhong et al. 2017 in float64, step by step on N×N arrays."""
    features = np.concatenate([query, gallery]).astype(np.float64)
    queries, images = len(query), len(features)
    distance = np.stack([((features - x) ** 2).sum(axis=1) for x in features])
    farthest = distance.max(axis=1, keepdims=True)
    distance = np.divide(distance, farthest, out=np.zeros_like(distance), where=farthest > 0)
    rank = np.argsort(distance, axis=1, kind="stable")

    def reciprocal(i, k):
        return [j for j in rank[i, : k + 1] if i in rank[j, : k + 1]]

    weights = np.zeros((images, images))
    for i in range(images):
        members = set(reciprocal(i, k1))
        expanded = set(members)
        for candidate in members:
            others = set(reciprocal(candidate, round(k1 / 2)))
            if len(others & members) > 2 / 3 * len(others):
                expanded |= others
        columns = sorted(expanded)
        values = np.exp(-distance[i, columns])
        weights[i, columns] = values / values.sum()
    if k2 != 1:
        weights = np.stack([weights[rank[i, :k2]].mean(axis=0) for i in range(images)])
    common = np.stack([np.minimum(row, weights[queries:]).sum(axis=1) for row in weights[:queries]])
    jaccard = 1 - common / (2 - common)
    return lambda_value * distance[:queries, queries:] + (1 - lambda_value) * jaccard


def clustered(queries, images, dimensions, seed=0, offset=0.0, clusters=9):
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((clusters, dimensions))
    features = centers[rng.integers(0, clusters, queries + images)] + 0.7 * rng.standard_normal((queries + images, dimensions))
    features = (features + offset).astype(np.float32)
    return features[:queries], features[queries:]


PARAMETERS = [(20, 6, 0.3), (60, 30, 0.5), (7, 1, 0.0), (3, 4, 1.0), (1, 2, 0.3), (5, 5, 0.0)]


@pytest.mark.parametrize(("k1", "k2", "lambda_value"), PARAMETERS)
@pytest.mark.parametrize("sizes", [(1, 1), (7, 2), (5, 40), (40, 300)])
def test_equals_the_definition(sizes, k1, k2, lambda_value):
    query, gallery = clustered(*sizes, 16)
    expected = plain(query, gallery, k1, k2, lambda_value)
    ours = k_reciprocal(query, gallery, k1, k2, lambda_value)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=2e-6)


@pytest.mark.parametrize(("k1", "k2", "lambda_value"), PARAMETERS)
def test_rows_equal_the_matrix(k1, k2, lambda_value):
    query, gallery = clustered(30, 250, 12)
    rows = k_reciprocal_rows(query, gallery, k1, k2, lambda_value)
    assert isinstance(rows, DistanceRows)
    assert rows.shape == (30, 250)
    read = torch.cat([rows.rows(start, min(start + 7, 30)) for start in range(0, 30, 7)])
    np.testing.assert_allclose(read, k_reciprocal(query, gallery, k1, k2, lambda_value), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), queries=st.integers(1, 8), images=st.integers(1, 30), k1=st.integers(1, 40),
    k2=st.integers(1, 40), lambda_value=st.sampled_from([0.0, 0.3, 1.0]),
)  # fmt: skip
def test_equals_the_definition_with_ties_everywhere(seed, queries, images, k1, k2, lambda_value):
    # Small integers: distances are exact in any precision, and most of them are tied.
    rng = np.random.default_rng(seed)
    features = rng.integers(-1, 2, (queries + images, 3)).astype(np.float32)
    query, gallery = features[:queries], features[queries:]
    expected = plain(query, gallery, k1, k2, lambda_value)
    np.testing.assert_allclose(k_reciprocal(query, gallery, k1, k2, lambda_value), expected, atol=2e-6)


def on_device(query, gallery, k1, k2, lambda_value):
    """What runs on an accelerator, run on the CPU."""
    union = FeatureUnion(torch.from_numpy(query), torch.from_numpy(gallery), center=True)
    return DeviceRows(union, k1, k2, lambda_value).rows(0, len(query))


@pytest.mark.parametrize(("k1", "k2", "lambda_value"), PARAMETERS)
@pytest.mark.parametrize("sizes", [(1, 1), (7, 2), (5, 40), (40, 300)])
@pytest.mark.parametrize("entries", [1 << 24, 1 << 10])
def test_the_code_for_accelerators_equals_the_definition(sizes, k1, k2, lambda_value, entries, monkeypatch):
    monkeypatch.setattr(reciprocal_on_device, "_ENTRIES", entries)
    query, gallery = clustered(*sizes, 16, offset=20.0)
    np.testing.assert_allclose(
        on_device(query, gallery, k1, k2, lambda_value), plain(query, gallery, k1, k2, lambda_value), atol=3e-6
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), queries=st.integers(1, 8), images=st.integers(1, 30), k=st.integers(1, 40))
def test_the_code_for_accelerators_ranks_ties_by_index(seed, queries, images, k):
    features = np.random.default_rng(seed).integers(-1, 2, (queries + images, 3)).astype(np.float32)
    query, gallery = features[:queries], features[queries:]
    np.testing.assert_allclose(on_device(query, gallery, k, 4, 0.3), plain(query, gallery, k, 4, 0.3), atol=2e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cuda_equals_the_cpu():
    query, gallery = (torch.from_numpy(part) for part in clustered(200, 3000, 64))
    expected = k_reciprocal(query, gallery)
    found = k_reciprocal(query.cuda(), gallery.cuda())
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.cpu(), expected, atol=2e-6, rtol=0)
    torch.testing.assert_close(k_reciprocal(query.cuda(), gallery.cuda()), found, atol=0, rtol=0)


def test_processes_share_the_work_and_get_the_same_bits(tmp_path):
    worker = Path(__file__).with_name("k_reciprocal_worker.py")
    processes = [subprocess.Popen([sys.executable, worker, str(rank), "3", tmp_path]) for rank in range(3)]
    try:
        assert [process.wait(timeout=240) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
    outcomes = [np.load(tmp_path / f"{rank}.npz") for rank in range(3)]
    for name, alone in outcomes[0].items():
        if name.startswith("alone"):
            for outcome in outcomes:
                np.testing.assert_array_equal(outcome[name.replace("alone", "shared")], alone)


def test_more_than_one_chunk_of_the_gallery(monkeypatch):
    query, gallery = clustered(9, 200, 8)
    whole = k_reciprocal(query, gallery)
    monkeypatch.setattr(reciprocal_on_host, "_CHUNKS", (33, 33))
    monkeypatch.setattr(reciprocal_on_host, "_ROWS", 17)
    np.testing.assert_array_equal(k_reciprocal(query, gallery), whole)
    np.testing.assert_allclose(k_reciprocal_rows(query, gallery).rows(0, 9), whole, atol=1e-6)


def test_all_features_equal():
    query, gallery = np.ones((3, 4), np.float32), np.ones((60, 4), np.float32)
    ours = k_reciprocal(query, gallery)
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours, plain(query, gallery, 20, 6, 0.3), atol=1e-6)


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (0, 0)])
def test_nothing_is_reranked_to_nothing(sizes):
    query, gallery = (np.ones((size, 4), np.float32) for size in sizes)
    assert k_reciprocal(query, gallery).shape == sizes
    assert k_reciprocal_rows(query, gallery).rows(0, sizes[0]).shape == sizes


def test_features_far_from_the_origin():
    query, gallery = clustered(10, 150, 16, offset=50.0)
    np.testing.assert_allclose(k_reciprocal(query, gallery), plain(query, gallery, 20, 6, 0.3), atol=5e-6)


def test_two_runs_and_other_threads_give_the_same_bits():
    query, gallery = clustered(50, 1400, 32)
    gallery[100:160] = gallery[100]
    first = k_reciprocal(query, gallery)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    second = k_reciprocal(query, gallery)
    torch.set_num_threads(before)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_read_as_float32(dtype):
    query, gallery = (torch.from_numpy(part).to(dtype) for part in clustered(6, 80, 8))
    ours = k_reciprocal(query, gallery)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, k_reciprocal(query.float(), gallery.float()), atol=0, rtol=0)


def test_inputs_of_any_layout_stay_as_they_are():
    query, gallery = clustered(6, 80, 8)
    expected = k_reciprocal(query, gallery)
    wide = np.concatenate([gallery, gallery], axis=1)[::-1]
    strided, reversed_ = wide[::-1, :8], query[::-1]
    kept = strided.copy()
    np.testing.assert_array_equal(k_reciprocal(reversed_[::-1], strided), expected)
    np.testing.assert_array_equal(strided, kept)
    read_only = gallery.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(k_reciprocal(query, read_only), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k1": 0}, "k1 is at least 1"),
        ({"k2": 0}, "k2 is at least 1"),
        ({"lambda_value": 1.5}, "from 0 to 1"),
        ({"gallery": np.ones((3, 5), np.float32)}, "4 dimensions"),
        ({"gallery": np.full((3, 4), np.nan, np.float32)}, "Row 0 of the gallery features is not finite"),
        ({"gallery": np.ones((3, 4), int)}, "floats"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    values = {"query": np.ones((2, 4), np.float32), "gallery": np.ones((3, 4), np.float32)} | arguments
    with pytest.raises(ValueError, match=message):
        k_reciprocal(**values)
    with pytest.raises(ValueError, match=message):
        k_reciprocal_rows(**values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k1": True}, "k1 is a whole number"),
        ({"k2": 2.0}, "k2 is a whole"),
        ({"lambda_value": "0.3"}, "lambda_value is a number"),
    ],
)
def test_parameters_of_another_type(arguments, message):
    with pytest.raises(TypeError, match=message):
        k_reciprocal(np.ones((2, 4), np.float32), np.ones((3, 4), np.float32), **arguments)
