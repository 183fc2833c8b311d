"""k-reciprocal re-ranking: Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017.

Shape shorthand: Q queries, G gallery images, N = Q + G, D dimensions.
"""

from __future__ import annotations

import torch.distributed as dist

from vreid_common.processes import Processes
from vreid_common.reranking.arrays import Array, as_features, give_back
from vreid_common.reranking.panels import FeatureUnion
from vreid_common.reranking.parameters import as_count, as_number
from vreid_common.reranking.reciprocal_on_device import DeviceRows
from vreid_common.reranking.reciprocal_on_host import HostRows, rerank_dense
from vreid_common.structures import DenseRows, DistanceRows

__all__ = ["k_reciprocal", "k_reciprocal_rows"]


def k_reciprocal(
    query: Array,
    gallery: Array,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    *,
    negative_dims: int = 0,
    group: dist.ProcessGroup | None = None,
) -> Array:
    """Distances after k-reciprocal re-ranking, as Zhong et al. define them, exactly.

    Squared Euclidean distances over query ∪ gallery are divided by each row's maximum. Neighbours are sorted by distance, ties
    by index, the image itself among them. The features of the reciprocal neighbours (k1), expanded and averaged over k2
    neighbours, are compared by the Jaccard distance, to which the original distance is added.

    Memory beside the features and the result is about 16 bytes a neighbour and image; no N×N array exists.

    Args:
        query: (Q, D) features as they are; L2-normalise them first to compare by the cosine.
        gallery: (G, D).
        k1: neighbours that make the reciprocal sets. More than there are means all.
        k2: neighbours that the sets are averaged over; 1 averages nothing.
        lambda_value: share of the original distance, 0 to 1.
        negative_dims: how many of the last dimensions count negatively, as ``fuse_features`` makes them. A squared distance is
            that in the others less that in these, and may be negative. A row is divided by its greatest distance all the same,
            which is never below the image's own, 0; where none is above 0, the row's distances count as 0, in their order.
        group: shares the work among the processes of a ``torch.distributed`` group. Every one of them calls with the same
            arguments and gets the whole result, the same as that of one process.

    Returns:
        (Q, G) float32, smaller is nearer.

    Raises:
        TypeError: a parameter is no number, or k1 or k2 no whole one.
        ValueError: a shape or a parameter does not fit, or a feature is not finite.
    """
    processes = Processes(group)
    union = _union(query, gallery, k1, k2, lambda_value, negative_dims)
    if processes.size == 1 and union.first.device.type == "cpu" and len(union.first) and len(union.second):
        return give_back(rerank_dense(union, k1, k2, lambda_value), query)
    mine = processes.share(len(union.first))
    rows = _rows(union, k1, k2, lambda_value, processes).rows(mine.start, mine.stop)
    return give_back(processes.join(rows), query)


def k_reciprocal_rows(
    query: Array,
    gallery: Array,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    *,
    negative_dims: int = 0,
    group: dist.ProcessGroup | None = None,
) -> DistanceRows:
    """The distances of ``k_reciprocal``, computed when they are read: the memory is O((Q + G) k1), without any Q×G array.

    The arguments are ``k_reciprocal``'s; each process of a group can read all rows. The features are kept, not copied: they
    must not change while the rows are read.
    """
    union = _union(query, gallery, k1, k2, lambda_value, negative_dims)
    return _rows(union, k1, k2, lambda_value, Processes(group))


def _rows(union: FeatureUnion, k1: int, k2: int, lambda_value: float, processes: Processes) -> DistanceRows:
    if not (len(union.first) and len(union.second)):
        return DenseRows(union.first.new_empty(len(union.first), len(union.second)))
    rows = HostRows if union.first.device.type == "cpu" else DeviceRows
    return rows(union, k1, k2, lambda_value, processes)


def _union(query: Array, gallery: Array, k1: int, k2: int, lambda_value: float, negative_dims: int) -> FeatureUnion:
    as_count(k1, "k1"), as_count(k2, "k2")
    if not 0 <= as_number(lambda_value, "lambda_value") <= 1:
        raise ValueError(f"lambda_value is from 0 to 1, got {lambda_value}.")
    features = as_features(query, gallery)
    dimensions = features[0].shape[1]
    if negative_dims and as_count(negative_dims, "negative_dims") > dimensions:
        raise ValueError(f"negative_dims is {negative_dims}, but the features have {dimensions} dimensions.")
    return FeatureUnion(*features, center=True, negative=negative_dims)
