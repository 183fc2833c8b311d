"""mAP from each camera to each other, and from each view to each other.

Shape shorthand: Q queries, G gallery images, R groups of queries, C groups of gallery images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vreid_common.evaluation.metrics import QueryMetrics
from vreid_common.evaluation.rules import MatchRule, all_of
from vreid_common.structures import UNKNOWN

__all__ = ["GroupTable", "Grouping"]


@dataclass(frozen=True, eq=False)
class GroupTable:
    """mAP of the queries of one group when only matches in another one count.

    Attributes:
        rows: the R groups of queries.
        columns: the C groups of gallery images.
        mAP: (R, C) fractions; NaN where no query of the row has a match in the column.
        num_queries: (R, C) how many queries have one.
        left_out: how many groups of queries and of gallery images are not shown.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    mAP: np.ndarray
    num_queries: np.ndarray
    left_out: tuple[int, int]


class Grouping:
    """Groups of queries and gallery images by a label, their camera or view.

    As in ``mAP (same view)``, matches in other groups than the column's are junk, and images of other vehicles stay, whatever
    their group.

    Args:
        query_labels: (Q,) ``UNKNOWN`` where not known.
        gallery_labels: (G,) likewise.
        most: of each side only the so many groups with most images are taken.

    Attributes:
        columns: the groups of gallery images.
    """

    def __init__(self, query_labels: np.ndarray, gallery_labels: np.ndarray, most: int) -> None:
        self._query = query_labels
        self._gallery = gallery_labels
        self._rows, rows_left = _largest(query_labels, most)
        self.columns, columns_left = _largest(gallery_labels, most)
        self._left_out = rows_left, columns_left

    def rules(self, match: MatchRule) -> dict[int, MatchRule]:
        """The rule of each column, for ``evaluate_rules``."""
        return {label: all_of(match, self._in_group(label)) for label in self.columns}

    def table(self, metrics: dict[int, QueryMetrics]) -> GroupTable | None:
        """What ``rules`` gave, by row; None if labels are not known."""
        if not (self._rows and self.columns):
            return None
        shape = len(self._rows), len(self.columns)
        means, counts = np.full(shape, np.nan), np.zeros(shape, np.int64)
        for column, label in enumerate(self.columns):
            for row, group in enumerate(self._rows):
                ap = metrics[label].ap[self._query == group]
                ap = ap[~np.isnan(ap)]
                counts[row, column] = len(ap)
                if len(ap):
                    means[row, column] = ap.mean()
        return GroupTable(self._rows, self.columns, means, counts, self._left_out)

    def _in_group(self, label: int) -> MatchRule:
        return lambda q, g: self._gallery[g] == label


def _largest(labels: np.ndarray, most: int) -> tuple[tuple[int, ...], int]:
    """The ``most`` labels with most images, in rising order, and how many others there are."""
    found, counts = np.unique(labels[labels != UNKNOWN], return_counts=True)
    kept = np.sort(found[np.argsort(-counts, kind="stable")[:most]])
    return tuple(kept.tolist()), len(found) - len(kept)
