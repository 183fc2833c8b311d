"""The file that the AI City Challenge's evaluation server takes.

Shape shorthand: Q queries, K ranks.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from torch import Tensor

from vreid_common.files import write_atomically

__all__ = ["SUBMISSION_RANKS", "write_aicity_submission"]

SUBMISSION_RANKS = 100
"""How many gallery images a query may have."""


def write_aicity_submission(ranking: np.ndarray | Tensor, path: str | os.PathLike[str]) -> None:
    """Writes ``track2.txt``: for each query, in order, a line of gallery images counted from 1, separated by single spaces.

    Args:
        ranking: (Q, K <= 100) gallery indices counted from 0, the nearest first. -1 stands for none, where a query has fewer
            than K (as ``pull_tracklets`` writes it), and comes last in its row.
        path: the file, which appears when it is complete.

    Raises:
        ValueError: the ranking is not (Q, K) integers, has more than 100 columns, or a row names an image twice, none, or one
            after a -1.
        FileNotFoundError: the file's folder is not there.
    """
    indices = ranking.detach().cpu().numpy() if isinstance(ranking, Tensor) else np.asarray(ranking)
    if indices.ndim != 2 or indices.dtype.kind not in "iu" or not 1 <= indices.shape[1] <= SUBMISSION_RANKS:
        raise ValueError(
            f"A submission is (Q, K) integers, K being 1 to {SUBMISSION_RANKS}, got {indices.dtype} {indices.shape}."
        )
    indices = indices.astype(np.int64)
    _check_rows(indices)
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}.")
    lines = (" ".join(str(index + 1) for index in row if index >= 0) + "\n" for row in indices.tolist())
    text = "".join(lines)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="ascii"))


def _check_rows(indices: np.ndarray) -> None:
    none = indices < 0
    ordered = np.sort(indices, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    faults = {
        "names an image twice": twice,
        "names no image": none.all(axis=1),
        "has an index below -1": (indices < -1).any(axis=1),
        "names an image after a -1": (none[:, :-1] & ~none[:, 1:]).any(axis=1),
    }
    for fault, rows in faults.items():
        if rows.any():
            raise ValueError(f"Row {int(rows.argmax())} of the ranking {fault}.")
