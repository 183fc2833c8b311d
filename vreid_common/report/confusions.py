"""Which vehicles are taken for which.

Shape shorthand: Q queries, G gallery images.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from vreid_common.report.survey import DistanceSurvey

__all__ = ["Confusion", "find_confusions"]


@dataclass(frozen=True)
class Confusion:
    """A vehicle whose queries find another one first, nearer than every match.

    Attributes:
        vehicle: the queries' identity.
        taken_for: identity of the image that they find; ``UNKNOWN`` of images of no known vehicle.
        times: how many queries do.
        num_queries: how many queries of the vehicle have a match.
        query: the one of them whose nearest match is farthest behind the wrong image.
        image: the wrong image that it finds, as a gallery index.
        match: its nearest match, likewise.
    """

    vehicle: int
    taken_for: int
    times: int
    num_queries: int
    query: int
    image: int
    match: int


def find_confusions(
    query_pids: np.ndarray, gallery_pids: np.ndarray, first_hit: np.ndarray, survey: DistanceSurvey, most: int = 12
) -> list[Confusion]:
    """The most frequent confusions; of equally frequent ones first those of a larger share of the vehicle's queries.

    Args:
        query_pids: (Q,).
        gallery_pids: (G,).
        first_hit: (Q,) rank of the first match counted from 0, -1 where there is none (``QueryMetrics.first_hit``).
        survey: of the same distances.
        most: how many.
    """
    queries_of: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in np.flatnonzero(first_hit > 0).tolist():
        queries_of[int(query_pids[row]), int(gallery_pids[survey.wrong.images[row]])].append(row)
    behind = survey.match.distances - survey.wrong.distances
    found = []
    for (vehicle, taken_for), rows in queries_of.items():
        worst = max(rows, key=lambda row: behind[row])
        found.append(
            Confusion(
                vehicle,
                taken_for,
                times=len(rows),
                num_queries=int(np.count_nonzero((query_pids == vehicle) & (first_hit >= 0))),
                query=worst,
                image=int(survey.wrong.images[worst]),
                match=int(survey.match.images[worst]),
            )
        )
    found.sort(key=lambda one: (-one.times, one.num_queries, one.vehicle, one.taken_for))
    return found[:most]
