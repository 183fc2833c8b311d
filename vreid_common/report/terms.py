"""What the metrics of a table mean, in a sentence each."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["terms_of"]

# The start of a metric's name → what it is.
_TERMS = {
    "mAP": "Mean average precision: the precision at each of a query's matches, averaged, and the mean of these over all "
    "queries. 100 where all matches come before everything else.",
    "mAP (same view)": "mAP of the matches in the query's own view; other matches are left out.",
    "mAP (cross view)": "mAP of the matches in another view than the query's; other matches are left out.",
    "Rank-": "Share of the queries with a match among their first images, as many as the number says.",
    "mINP": "Mean inverse negative penalty: the number of a query's matches over the rank of the last one. It says how far one "
    "has to look to find all of them.",
    "TPR@FPR": "Share of the pairs of one vehicle that a threshold finds which lets the given share of other pairs pass.",
}


def terms_of(metrics: Iterable[str]) -> dict[str, str]:
    """Term → its meaning, of those that ``metrics`` (names of a table's columns) need."""
    found: dict[str, str] = {}
    for name in metrics:
        start = max((term for term in _TERMS if name.startswith(term)), key=len, default=None)
        if start is not None:
            found.setdefault("Rank-1, -5, …" if start == "Rank-" else start, _TERMS[start])
    return found
