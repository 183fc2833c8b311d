"""The submission file: its exact bytes, and the rankings that are none."""

import numpy as np
import pytest
import torch

from vreid_common.evaluation import write_aicity_submission


def test_one_line_a_query_counted_from_one(tmp_path):
    write_aicity_submission(np.array([[2, 0, 1], [0, 1, 2]]), tmp_path / "track2.txt")
    assert (tmp_path / "track2.txt").read_bytes() == b"3 1 2\n1 2 3\n"


def test_a_hundred_of_many(tmp_path):
    ranking = np.stack([np.random.default_rng(query).permutation(18290)[:100] for query in range(5)])
    write_aicity_submission(torch.from_numpy(ranking), tmp_path / "track2.txt")
    assert np.array_equal(np.loadtxt(tmp_path / "track2.txt", np.int64) - 1, ranking)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_aicity_submission(np.array([[0]]), tmp_path / "none" / "track2.txt")


def test_places_that_nothing_is_left_for(tmp_path):
    write_aicity_submission(np.array([[1, 0, -1], [2, -1, -1]], np.int32), tmp_path / "track2.txt")
    assert (tmp_path / "track2.txt").read_text() == "2 1\n3\n"


@pytest.mark.parametrize(
    ("ranking", "message"),
    [
        (np.zeros(3, int), r"A submission is \(Q, K\) integers"),
        (np.zeros((2, 3)), r"float64 \(2, 3\)"),
        (np.zeros((2, 0), int), r"K being 1 to 100"),
        (np.tile(np.arange(101), (2, 1)), r"K being 1 to 100, got int64 \(2, 101\)"),
        (np.array([[0, 1], [1, 1]]), "Row 1 of the ranking names an image twice"),
        (np.array([[-1, -1], [1, 0]]), "Row 0 of the ranking names no image"),
        (np.array([[0, -2]]), "Row 0 of the ranking has an index below -1"),
        (np.array([[1, 0, 2], [0, -1, 1]]), "Row 1 of the ranking names an image after a -1"),
    ],
)
def test_what_is_no_submission(ranking, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_aicity_submission(ranking, tmp_path / "track2.txt")
    assert not list(tmp_path.iterdir())
