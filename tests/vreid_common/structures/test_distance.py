"""DistanceRows: a matrix read in blocks and in tiles."""

import numpy as np
import pytest
import torch

from vreid_common.structures import DenseRows, DistanceRows, TiledRows, as_distance_rows, row_blocks


class TestDenseRows:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.bool_])
    def test_every_value_is_kept(self, dtype):
        matrix = (np.arange(12).reshape(3, 4) % 5).astype(dtype)
        assert np.array_equal(DenseRows(matrix).rows(1, 3).numpy(), matrix[1:3])

    def test_float64_is_not_rounded(self):
        close = np.array([[1.0, 1.0 + 1e-12]])
        assert DenseRows(close).rows(0, 1)[0, 0] < DenseRows(close).rows(0, 1)[0, 1]

    def test_views_of_any_stride(self):
        matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
        for view in (matrix.T, matrix[::-1], matrix[:, ::-2]):
            assert np.array_equal(DenseRows(view).rows(0, len(view)).numpy(), view)

    def test_read_only_memory_maps(self, tmp_path, recwarn):
        np.save(tmp_path / "d.npy", np.eye(3, dtype=np.float32))
        assert np.array_equal(DenseRows(np.load(tmp_path / "d.npy", mmap_mode="r")).rows(1, 2).numpy(), np.eye(3)[1:2])
        assert not recwarn.list

    @pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
    def test_tiles_and_pairs(self, kind, dtype):
        matrix = np.arange(35).reshape(5, 7).astype(dtype)
        rows = DenseRows(kind(matrix))
        assert isinstance(rows, TiledRows)
        tiles = rows.tiles(1, 4)
        assert (tiles.shape, tiles.finish) == ((3, 7), None)
        assert np.array_equal(tiles.tile(slice(1, 3), slice(2, 6)).numpy(), matrix[2:4, 2:6])
        assert tiles.tile(slice(0, 0), slice(0, 0)).dtype == rows.rows(0, 1).dtype
        assert tiles.pairs(torch.tensor([0, 0, 2]), torch.tensor([6, 1, 3])).tolist() == matrix[[1, 1, 3], [6, 1, 3]].tolist()

    def test_refusals(self):
        with pytest.raises(ValueError, match="two dimensions"):
            DenseRows(np.zeros(3))
        with pytest.raises(ValueError, match="real numbers"):
            DenseRows(np.zeros((2, 2), complex))


def test_blocks_cover_every_row_once():
    matrix = torch.arange(14.0).reshape(7, 2)
    blocks = list(row_blocks(DenseRows(matrix), 3))
    assert [start for start, _ in blocks] == [0, 3, 6]
    assert torch.equal(torch.cat([block for _, block in blocks]), matrix)


def test_as_distance_rows():
    rows = DenseRows(torch.zeros(1, 1))
    assert as_distance_rows(rows) is rows
    assert isinstance(rows, DistanceRows)
    with pytest.raises(TypeError, match="list"):
        as_distance_rows([[0.0]])
