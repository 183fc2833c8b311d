"""Counting what ranks before marked entries: every way of doing it gives what a stable sort gives."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import torch

from vreid_common.evaluation import counting
from vreid_common.evaluation.counting import count_before, count_before_on_device


def case(seed: int, rows: int, size: int, marked: int, levels: int | None, dtype=np.float32):
    """Random rows (of few different values if ``levels`` is given), up to ``marked`` marked entries a row, and the counts."""
    rng = np.random.default_rng(seed)
    block = rng.standard_normal((rows, size)) if levels is None else rng.integers(-levels, levels + 1, (rows, size)) / 2
    block = block.astype(dtype)
    offsets, columns, distances, expected = [0], [], [], []
    for row in block:
        ranks = np.empty(size, np.int64)
        ranks[np.argsort(row, kind="stable")] = np.arange(size)
        chosen = rng.choice(size, rng.integers(0, min(size, marked) + 1), replace=False)
        chosen = chosen[np.argsort(ranks[chosen])]
        columns.append(chosen)
        distances.append(row[chosen])
        expected.append(ranks[chosen])
        offsets.append(offsets[-1] + len(chosen))
    return block, np.array(offsets), np.concatenate(columns), np.concatenate(distances), np.concatenate(expected)


CASES = [
    pytest.param(0, 5, 40, 10, None, np.float32, id="few"),
    pytest.param(1, 5, 40, 40, 2, np.float32, id="ties"),
    pytest.param(2, 3, 9001, 20, None, np.float32, id="several-chunks"),
    pytest.param(3, 3, 9001, 20, 3, np.float32, id="ties-across-chunks"),
    pytest.param(4, 3, 500, 400, None, np.float32, id="many-marked"),
    pytest.param(5, 3, 500, 400, 5, np.float32, id="many-marked-ties"),
    pytest.param(6, 3, 300, 300, 0, np.float32, id="all-equal"),
    pytest.param(7, 4, 200, 150, None, np.float64, id="float64"),
    pytest.param(8, 1, 1, 1, None, np.float32, id="one-image"),
]


@pytest.mark.parametrize(("seed", "rows", "size", "marked", "levels", "dtype"), CASES)
@pytest.mark.parametrize("workers", [1, 3])
def test_on_the_cpu(seed, rows, size, marked, levels, dtype, workers):
    *arguments, expected = case(seed, rows, size, marked, levels, dtype)
    with ThreadPoolExecutor(workers) as pool:
        assert np.array_equal(count_before(*arguments, pool, workers), expected)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))]
)
@pytest.mark.parametrize(("seed", "rows", "size", "marked", "levels", "dtype"), [c for c in CASES if "float64" not in c.id])
def test_on_a_device(seed, rows, size, marked, levels, dtype, device):
    block, offsets, columns, distances, expected = case(seed, rows, size, marked, levels, dtype)
    block[block == 0] *= -1  # -0.0 and 0.0 are one distance
    found = count_before_on_device(torch.from_numpy(block).to(device), offsets, columns, torch.from_numpy(distances).to(device))
    assert np.array_equal(found, expected)


def test_nan_names_its_row():
    block = np.zeros((3, 5), np.float32)
    block[1, 4] = np.nan
    offsets, none = np.zeros(4, np.int64), np.empty(0, np.int64)
    with ThreadPoolExecutor(1) as pool, pytest.raises(FloatingPointError) as on_cpu:
        count_before(block, offsets, none, none.astype(np.float32), pool, 1)
    with pytest.raises(FloatingPointError) as on_device:
        count_before_on_device(torch.from_numpy(block), offsets, none, torch.empty(0))
    assert on_cpu.value.args == on_device.value.args == (1,)


def test_infinite_distances_are_ordered():
    block = np.array([[np.inf, 1.0, -np.inf, np.inf]], np.float32)
    arguments = block, np.array([0, 2]), np.array([2, 3]), np.array([-np.inf, np.inf], np.float32)
    with ThreadPoolExecutor(1) as pool:
        assert count_before(*arguments, pool, 1).tolist() == [0, 3]
    assert count_before_on_device(torch.from_numpy(block), *arguments[1:3], torch.from_numpy(arguments[3])).tolist() == [0, 3]


def test_without_a_folder_for_compiled_code(monkeypatch):
    """Numba refuses to cache where nothing can be written: then every process compiles anew."""
    njit = numba.njit

    def strict(function, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    monkeypatch.setattr(numba, "njit", strict)
    assert counting._compiled(lambda x: x + 1)(1) == 2
