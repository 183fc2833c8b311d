"""Blocks of rows: all of them, each once, whatever mode the caller is in."""

import pytest
import torch

from vreid_common.reranking.blocks import for_each_block

CPU = torch.device("cpu")


@pytest.mark.parametrize(("size", "rows"), [(10, 3), (9, 3), (2, 5), (1, 1), (0, 4)])
@pytest.mark.parametrize("inference", [False, True])
def test_each_row_is_written_once(size, rows, inference):
    with torch.inference_mode(inference):
        result = torch.zeros(size)

        def work(start: int, stop: int) -> None:
            assert 0 < stop - start <= rows
            assert not torch.is_grad_enabled()
            result[start:stop] += 1

        for_each_block(work, size, rows, CPU)
    assert (result == 1).all()


def test_an_error_in_a_block_is_raised():
    def work(start: int, stop: int) -> None:
        raise ArithmeticError(f"rows {start} to {stop}")

    with pytest.raises(ArithmeticError, match="rows"):
        for_each_block(work, 100, 3, CPU)
