"""Counting places, on the host and by the device's way, against a plain comparison of every entry with every mark."""

import numpy as np
import pytest
import torch

from vreid_common.evaluation import places
from vreid_common.evaluation.bands import Band
from vreid_common.evaluation.marks import make_marks
from vreid_common.evaluation.pairs import IdentityPairs
from vreid_common.structures import DenseRows, FeatureRows, distance, feature_rows

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))


def matrix(seed: int, rows: int, size: int, levels: int | None, dtype=np.float32) -> np.ndarray:
    """Random rows, of few different values if ``levels`` is given, with 0.0 and -0.0 among them."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((rows, size)) if levels is None else rng.integers(-levels, levels + 1, (rows, size)) / 2
    values = values.astype(dtype)
    values[(values == 0) & (rng.random(values.shape) < 0.5)] *= -1
    return values


def labels(seed: int, rows: int, size: int, ids: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, ids, rows), rng.integers(0, ids, size)


def row_marks(values: np.ndarray, pairs: IdentityPairs):
    """Each row's pairs as its marks."""
    found, offsets = [], [0]
    for row, entries in enumerate(values):
        columns = pairs.images[pairs.first[row] : pairs.last[row]]
        found.append(columns[np.argsort(entries[columns], kind="stable")])
        offsets.append(offsets[-1] + len(columns))
    columns = np.concatenate(found)
    rows = np.repeat(np.arange(len(values)), np.diff(offsets))
    return make_marks(values[rows, columns], columns, np.array(offsets))


def plain(values: np.ndarray, marks, pairs: IdentityPairs) -> np.ndarray:
    """For each mark, how many entries of its row and of other identities are before it."""
    counts = []
    for row, entries in enumerate(values):
        negative = np.ones(len(entries), bool)
        negative[pairs.images[pairs.first[row] : pairs.last[row]]] = False
        index = np.arange(len(entries))
        for m in range(marks.offsets[row], marks.offsets[row + 1]):
            mark, column = marks.distances[m], marks.columns[m]
            counts.append(np.count_nonzero(negative & ((entries < mark) | ((entries == mark) & (index < column)))))
    return np.array(counts)


def sums_of_rows(histogram: np.ndarray, marks) -> np.ndarray:
    parts = np.split(histogram, marks.offsets[1:-1])
    return np.concatenate([np.cumsum(part) for part in parts])


def count(way: str, band: Band, marks, pairs: IdentityPairs) -> np.ndarray:
    """On the host, or by the device's code on the device that the band is on; a segment a row, or one for all."""
    segments = np.arange(len(band)) if len(marks.offsets) > 2 else np.zeros(len(band), np.int64)
    if way == "host":
        return places.count_places(band, marks, segments, pairs)
    histogram, bad = places._on_device(band, marks, segments, pairs)
    assert not bad.any()
    return histogram


@pytest.fixture(params=["one tile", "many tiles"])
def tile_shape(request, monkeypatch) -> None:
    if request.param == "many tiles":
        monkeypatch.setattr(distance._DenseTiles, "tile_shape", (3, 16))
        monkeypatch.setattr(feature_rows, "_HOST_TILE", (2048, 16))


CASES = [
    pytest.param(0, 5, 40, 8, None, np.float32, id="few"),
    pytest.param(1, 5, 40, 2, 2, np.float32, id="ties"),
    pytest.param(2, 3, 9001, 400, None, np.float32, id="several-chunks"),
    pytest.param(3, 3, 9001, 400, 3, np.float32, id="ties-across-chunks"),
    pytest.param(4, 3, 500, 2, None, np.float32, id="many-marks"),
    pytest.param(5, 3, 500, 2, 5, np.float32, id="many-marks-ties"),
    pytest.param(6, 3, 300, 2, 0, np.float32, id="all-equal"),
    pytest.param(7, 4, 200, 2, None, np.float64, id="float64"),
    pytest.param(8, 1, 1, 1, None, np.float32, id="one-image"),
    pytest.param(9, 7, 15, 3, 4, np.float32, id="smaller-than-a-tile"),
    pytest.param(10, 4, 50, 1, None, np.float32, id="one-identity"),
    pytest.param(11, 4, 30, 1000, None, np.float32, id="no-marks"),
]


@pytest.mark.usefixtures("tile_shape")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("seed", "rows", "size", "ids", "levels", "dtype"), CASES)
def test_on_the_host(seed, rows, size, ids, levels, dtype, threads, set_threads):
    set_threads(threads)
    values, pairs = matrix(seed, rows, size, levels, dtype), IdentityPairs(*labels(seed, rows, size, ids))
    marks = row_marks(values, pairs)
    band = Band(0, rows, DenseRows(values).tiles(0, rows))
    assert np.array_equal(sums_of_rows(count("host", band, marks, pairs), marks), plain(values, marks, pairs))


@pytest.mark.usefixtures("tile_shape")
@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize(("seed", "rows", "size", "ids", "levels", "dtype"), [c for c in CASES if c.id != "float64"])
def test_by_the_device_way(seed, rows, size, ids, levels, dtype, device):
    values, pairs = matrix(seed, rows, size, levels, dtype), IdentityPairs(*labels(seed, rows, size, ids))
    marks = row_marks(values, pairs)
    band = Band(0, rows, DenseRows(torch.from_numpy(values).to(device)).tiles(0, rows))
    assert np.array_equal(sums_of_rows(count("device", band, marks, pairs), marks), plain(values, marks, pairs))


@pytest.mark.parametrize("way", ["host", "device"])
@pytest.mark.parametrize("marked", [2, 60])
def test_infinite_distances_are_ordered(way, marked):
    rng = np.random.default_rng(0)
    values = rng.choice(np.array([-np.inf, -1, 0.5, 3, np.inf], np.float32), (4, 200))
    values[0] = np.inf
    values[1, :100], values[1, 100:] = -3e38, 3e38  # their difference is no float32
    gallery_pids = np.ones(200, int)
    gallery_pids[rng.choice(200, marked, replace=False)] = 0
    pairs = IdentityPairs(np.zeros(4, int), gallery_pids)
    marks = row_marks(values, pairs)
    band = Band(0, 4, DenseRows(torch.from_numpy(values)).tiles(0, 4))
    assert np.array_equal(sums_of_rows(count(way, band, marks, pairs), marks), plain(values, marks, pairs))


def test_few_near_entries_of_which_some_tie():
    values = np.ones((1, 400), np.float32)
    values[0, [10, 100, 300]] = [0, 0, 0]
    gallery_pids = np.ones(400, int)
    gallery_pids[100] = 0
    pairs = IdentityPairs(np.zeros(1, int), gallery_pids)
    band = Band(0, 1, DenseRows(values).tiles(0, 1))
    assert count("host", band, row_marks(values, pairs), pairs).tolist() == [1]


def test_squared_distances_that_round_below_zero_are_zero():
    """Long features of one place: without the floor the rounding of the product would rank them."""
    gallery = 1000 + torch.rand(3, 64, generator=torch.Generator().manual_seed(0))
    rows = FeatureRows(gallery, gallery.repeat(100, 1), "euclidean")
    values = rows.rows(0, 3).numpy()
    tiles = rows.tiles(0, 3)
    assert (tiles.tile(slice(0, 3), slice(0, 300)) + tiles.finish.column + tiles.finish.row[:, None] < 0).any()
    pairs = IdentityPairs(np.zeros(3, int), np.arange(300) % 2)
    marks = row_marks(values, pairs)
    found = count("host", Band(0, 3, tiles), marks, pairs)
    assert np.array_equal(sums_of_rows(found, marks), plain(values, marks, pairs))


@pytest.mark.usefixtures("tile_shape")
@pytest.mark.parametrize("way", ["host", "device"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize("ids", [2, 20])
def test_features_whose_products_are_finished_while_counting(way, metric, ids):
    """Bit for bit the distances of ``rows``; every image twice, so that ties are everywhere."""
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(60, 9, generator=generator).repeat(2, 1)
    rows = FeatureRows(torch.randn(10, 9, generator=generator), gallery, metric)
    values, pairs = rows.rows(0, 10).numpy(), IdentityPairs(*labels(0, 10, 120, ids))
    marks = row_marks(values, pairs)
    found = count(way, Band(0, 10, rows.tiles(0, 10)), marks, pairs)
    assert np.array_equal(sums_of_rows(found, marks), plain(values, marks, pairs))


@pytest.mark.usefixtures("tile_shape")
@pytest.mark.parametrize("limit", [0, 1, 5000])
def test_one_segment_for_all_rows_and_a_limit(limit):
    """What is below the limit is exact, and what is above is known to be."""
    values, pairs = matrix(0, 40, 3000, None), IdentityPairs(*labels(0, 40, 3000, 50))
    query, gallery = pairs.of(0, 40)
    values[query, gallery] -= 2  # some are nearer than all others
    band = Band(0, 40, DenseRows(values).tiles(0, 40))
    distances = np.sort(values[query, gallery])
    marks = make_marks(distances, np.full(len(distances), 3000), np.array([0, len(distances)]))
    negative = np.ones(values.shape, bool)
    negative[query, gallery] = False
    exact = np.searchsorted(np.sort(values[negative]), distances, side="right")
    assert np.array_equal(np.cumsum(count("host", band, marks, pairs)), exact)
    assert np.array_equal(np.cumsum(count("device", band, marks, pairs)), exact)
    limited = np.cumsum(places.count_places(band, marks, np.zeros(40, np.int64), pairs, limit=limit))
    below = exact <= limit
    assert 0 < below.sum() < len(below)
    assert np.array_equal(limited[below], exact[below])
    assert (limited[~below] > limit).all()


@pytest.mark.parametrize("way", ["host", "device"])
@pytest.mark.parametrize("ids", [1, 3, 10_000])
def test_nan_names_its_query(way, ids):
    values, pairs = matrix(0, 6, 80, None), IdentityPairs(*labels(0, 6, 80, ids))
    marks = row_marks(values, pairs)
    values[[3, 5], [79, 0]] = np.nan
    band = Band(0, 6, DenseRows(torch.from_numpy(values)).tiles(0, 6))
    if way == "device":
        assert np.flatnonzero(places._on_device(band, marks, np.arange(6), pairs)[1]).tolist() == [3, 5]
    else:
        with pytest.raises(places.NotANumber, match="query 3 "):
            places.count_places(band, marks, np.arange(6), pairs)
