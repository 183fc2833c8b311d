"""Which gallery images of the query's identity count as matches. The others are junk: left out of the ranking.

A rule maps (query indices (M,), gallery indices (M,)) of pairs of one identity to a boolean mask (M,). Images of other
identities always stay in the ranking.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vreid_common.structures import UNKNOWN

__all__ = ["MatchRule", "all_of", "any_image", "other_camera", "other_image", "other_view", "same_view"]

MatchRule = Callable[[np.ndarray, np.ndarray], np.ndarray]


def any_image(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Every image of the identity is a match."""
    return np.ones(len(query), bool)


def other_camera(query_camids: np.ndarray, gallery_camids: np.ndarray) -> MatchRule:
    """Images of the query's own camera are junk. An unknown camera equals no other."""
    return lambda q, g: (query_camids[q] != gallery_camids[g]) | (query_camids[q] == UNKNOWN)


def other_image(query_images: np.ndarray, gallery_images: np.ndarray) -> MatchRule:
    """The query's own image is junk; the arrays number the images."""
    return lambda q, g: query_images[q] != gallery_images[g]


def same_view(query_views: np.ndarray, gallery_views: np.ndarray) -> MatchRule:
    """Only images in the query's view are matches; an unknown view is junk."""
    return lambda q, g: (query_views[q] == gallery_views[g]) & (query_views[q] != UNKNOWN)


def other_view(query_views: np.ndarray, gallery_views: np.ndarray) -> MatchRule:
    """Only images in another view than the query's are matches; an unknown view is junk."""
    return lambda q, g: (query_views[q] != gallery_views[g]) & (query_views[q] != UNKNOWN) & (gallery_views[g] != UNKNOWN)


def all_of(*rules: MatchRule) -> MatchRule:
    """Matches are what every rule lets count."""
    return lambda q, g: np.logical_and.reduce([rule(q, g) for rule in rules])
